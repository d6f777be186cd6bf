"""A folder of any table: a task with its doubts, or one readable message, in every kind of file."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from openpyxl import Workbook
from pyarrow import parquet

from compt_core.backbone.load import find_backbone
from compt_core.errors import ComptError
from compt_core.planning.doubts import doubts
from compt_core.tasks import own
from compt_core.tasks.definition import read_text, written
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import Task
from tests.fuzz.hunt import hunt
from tests.fuzz.test_data_files import ENCODINGS, broken

Columns = dict[str, list[Any]]
Given = dict[str, bytes]  # name of a file -> contents
NAMES = ("text", "label", "Label", " label", "sentence1", "sentence 2", "answer", "score", "idx", "id", "word", "class",
         "", "a,b", 'say "x"', "日本", "é", "x" * 300, "label\n", "\u200b", "question", "Class Index", "\ud800", "\0")
TEXTS = ("a quiet river", "", " ", "naïve café", "日本語", "😀 fine", '"quoted" text', "a\tb", "x\ny", "=1+1", "NA",
         "\ufeff", "\0", "\ud800", "w " * 300, "x;y|z", "“so”", None, 7, True)
LABELS: tuple[tuple[Any, ...], ...] = (
    ("a", "b"), ("yes", "no"), (0, 1), (0.0, 1.0), (True, False), ("0", "1", "2"), ("True", "False", None),
    (1.5, 2, 3.7),
    ("²", "١"), ("9" * 40, "1"), ("1e400", "2"), (float("inf"), 1.0), (float("nan"), 1.0), ("", "a"), ("-1", "0", "1"),
    ("x" * 60, "y"), tuple(range(300)), ("a_b", "a b", " a b"), ("null", "~", "on"), (10**30, 3), ("a",), (None,),
    ("é", "e\u0301"), ("\ud800", "a"), ([1], [2]), ({"a": 1}, "b"), (0, -1, 5), ("010", "8"), (-0.0, 0.5))


def table(dice: random.Random) -> Columns:
    """Columns of texts, labels and numbers of some rows, with cells that are missing or odd."""
    count = dice.choice((1, 2, 3, 10, 40))
    made: Columns = {}
    for name in dice.sample(NAMES, dice.randrange(1, 5)) if dice.random() < 0.6 else ("text", "label"):
        kind = dice.choice(("text", "label", "number")) if name not in ("text", "label") else name
        labels = dice.choice(LABELS) if dice.random() < 0.7 else ("a", "b")
        made[name] = [f"{name} {dice.choice(('a dog', 'the cat', 'some river'))} {i}" if kind == "text" else
                      dice.choice(labels) if kind == "label" else dice.choice((i, i / 3)) for i in range(count)]
        for _ in range(dice.choice((0, 0, 1, 3))):
            made[name][dice.randrange(count)] = dice.choice(TEXTS)
    return made


def lines(dice: random.Random, columns: Columns, ending: str) -> bytes:
    rows = list(zip(*columns.values(), strict=True))
    if ending == "jsonl":
        text = "".join(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=dice.random() < 0.5) + "\n"
                       for row in rows)
    else:
        mark = "\t" if ending == "tsv" else dice.choice(",,;|\t")
        file = io.StringIO()
        quoting = dice.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC))
        csv.writer(file, delimiter=mark, quoting=quoting, lineterminator=dice.choice(("\n", "\r\n", "\r"))).writerows(
            [list(columns), *rows])
        text = file.getvalue()
    return text.encode(dice.choice((*["utf-8"] * 6, *ENCODINGS)), "replace")


def sheet(columns: Columns) -> bytes:
    book, file = Workbook(), io.BytesIO()
    for row in (tuple(columns), *zip(*columns.values(), strict=True)):
        cells = [cell if isinstance(cell, (int, float, bool, type(None))) and abs(cell or 0) < 1e300 else
                 "".join(mark for mark in str(cell) if mark.isprintable()) for cell in row]
        book.active.append(cells)
    book.save(file)
    with zipfile.ZipFile(file) as whole:
        return packed({name: re.sub(rb"\d{4}-\d\d-\d\dT[\d:]{8}Z", b"2000-01-01T00:00:00Z", whole.read(name))
                       for name in whole.namelist()})


def packed(parts: dict[str, bytes]) -> bytes:
    """A zip file that says nothing of the time at which it was made: the same dice give the same input."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in parts.items():
            made.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def columnar(columns: Columns) -> bytes:
    made = {}
    for name, cells in columns.items():
        try:
            made[name.encode(errors="replace").decode()] = pa.array(cells)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):  # cells of several types
            made[name.encode(errors="replace").decode()] = pa.array([str(cell).encode(errors="replace").decode()
                                                                     for cell in cells])
    file = io.BytesIO()
    parquet.write_table(pa.table(made), file)
    return file.getvalue()


def packed_oddly(dice: random.Random, data: bytes) -> bytes:
    """A sheet with a part replaced by what unpacks to much, or whose numbers of rows and columns are wild."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    odd = dice.choice(list(parts))
    parts[odd] = dice.choice((parts[odd] * 3, b"", b"\0" * 25_000_000, broken(dice, parts[odd])))
    for name in parts:
        if "sheet1" in name and dice.random() < 0.5:
            parts[name] = parts[name].replace(*dice.choice((
                (b'<row r="2"', b'<row r="99999999999"'), (b'r="A2"', b'r="XFD2"'), (b'r="A2"', b'r="ZZZZ2"'),
                (b"<sheetData>", b"<sheetData><row/>"), (b'<row r="2"', b'<row r="-5"'), (b't="s"', b't="e"'))))
    found = bytearray(packed(parts))
    if dice.random() < 0.2:  # sizes that the archive declares
        at = found.rfind(b"PK\x01\x02")
        found[at + 24: at + 28] = dice.choice((b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\x01\0\0\0"))
    return bytes(found)


def files(dice: random.Random, *, whole: bool) -> Given:
    made, first = {}, table(dice)
    for stem in dice.choice((("train", "dev"), ("rows",), ("train", "validation"), ("train", "test"))):
        ending = dice.choice(("csv", "csv", "tsv", "jsonl", "parquet", "xlsx"))
        columns = first if not made else table(dice) if dice.random() < 0.2 else {
            name: [f"one {cell}" if isinstance(cell, str) and len(cell) > 5 else cell for cell in cells]
            for name, cells in first.items()}
        if not whole:
            ending = dice.choice(("parquet", "xlsx"))
        data = sheet(columns) if ending == "xlsx" else columnar(columns) if ending == "parquet" else \
            lines(dice, columns, ending)
        if not whole:
            data = packed_oddly(dice, data) if ending == "xlsx" and dice.random() < 0.6 else broken(dice, data)
        made[f"{stem}.{ending}"] = data
    return made


def again(task: Task, folder: Path) -> str:
    """How it ends that a task is written and read."""
    try:
        found = read_text(text := written(task), str(folder))
    except ComptError as error:
        if "whole characters" not in str(error):
            raise AssertionError(str(error)) from None
        return "a task that cannot be written"
    assert found == task, text
    return "a task"


@pytest.fixture
def guesses(tmp_path: Path) -> Callable[[Given], str]:
    """What a person does with a folder: it is guessed, loaded, doubted and written down."""
    backbone = find_backbone("demo")

    def guess(given: Given) -> str:
        folder = tmp_path / "mine"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, data in given.items():
            (folder / name).write_bytes(data)
        try:
            found = own.guess_folder("mine", folder)
            data = load_task(found.task, None)
        except ComptError as error:
            said = str(error)
            assert said.isprintable() and said[-1] in ".?" and 10 < len(said) < 5000, said
            return "refused"
        sentences = [*found.said, *doubts(data), *doubts(data, backbone, 4)]
        assert all(one.isprintable() and one[-1] in ".?" and len(one) < 2000 for one in sentences), sentences
        assert data.train and data.dev
        return again(found.task, folder)

    return guess


def test_any_table_is_a_task_or_a_message(
    guesses: Callable[[Given], str], record_property: Callable[..., None]
) -> None:
    ends = hunt("tables", lambda dice: files(dice, whole=True), guesses, record_property, share=0.6)
    assert set(ends) >= {"a task", "refused"} or sum(ends.values()) < 50


def test_any_broken_parquet_or_xlsx_file_is_a_task_or_a_message(
    guesses: Callable[[Given], str], record_property: Callable[..., None]
) -> None:
    hunt("tables", lambda dice: files(dice, whole=False), guesses, record_property, share=0.4)
