"""Data files by the thousand: small ones of every format, broken in every way, are rows or one readable message."""

from __future__ import annotations

import io
import json
import math
import random
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from pyarrow import parquet

from compt_core.backbone.files import read_tokenizer
from compt_core.backbone.load import find_backbone
from compt_core.errors import DataError
from compt_core.tasks.files import read_folder
from compt_core.tasks.table import TASKS
from tests.fuzz.hunt import hunt

Files = dict[str, bytes]  # path in the task's folder -> contents
NAMES = ("sst2", "rte", "mnli", "stsb", "imdb", "yelp_polarity", "scitail", "qqp")
TEXTS = ("a quiet river", "", " ", "naïve café", "日本語", "😀 fine", '"quoted"', "it's, well", "a\tb", "x\ny", "=1+1",
         "NA", "007", "\u2028", "\ufeff", "\x00", "\ud800", "\udc80x", "e\u0301", "w" * 3000)
LABELS = (0, 1, 2, -1, "0", "1", "-1", 0.0, 1.0, 2.5, "2.5", "0_1", " 1", "１", "١", True, None, "", "nan", math.inf,
          "1e400", 10**30, "yes", "neg", "Positive", "entailment", "not_entailment", "neutral", "entails", [1],
          {"a": 1}, "\ud800")
PUT_IN = (b'"', b"\x00", b"\r", b"\n", b"\xed\xa0\x80", b"{", b"[" * 2000, b"9" * 5000, b"\\ud800", b"\t", b",")
ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "shift_jis", "utf-7", "utf-8-sig")
TYPES = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.int8(), pa.int64(), pa.float32(), pa.bool_(),
         pa.dictionary(pa.int8(), pa.string()), pa.list_(pa.string()), pa.timestamp("ns", "Mars/Base"), pa.null(),
         pa.decimal128(38, 3), pa.struct({"a": pa.string()}))


def table(name: str, mark: str) -> dict[str, list[Any]]:
    """Rows that a task takes; `mark` keeps those of a split apart."""
    task = TASKS[name]
    labels = ["0.0", "2.5", "5.0"] if task.numeric else [*task.labels[:2], task.labels[0]]
    return {**{column: [f"{mark} {column} {i}" for i in range(3)] for column in task.columns}, "label": labels}


def written(columns: dict[str, list[Any]], ending: str) -> bytes:
    """A table in one of the formats for text."""
    rows = list(zip(*columns.values(), strict=True))
    if ending == "jsonl":
        return "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows).encode()
    mark, quote = ("\t", "") if ending == "tsv" else (",", '"')
    lines = [mark.join(quote + str(cell).replace('"', '""' if quote else '"') + quote for cell in row)
             for row in (tuple(columns), *rows)]
    return "\n".join(lines).encode(errors="surrogatepass") + b"\n"


def columnar(columns: dict[str, pa.Array], metadata: dict[str, bytes] | None = None) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table(columns).replace_schema_metadata(metadata or {}), file)
    return file.getvalue()


@cache
def saved(name: str, place: Path) -> Files:
    """A DatasetDict as it lies on disk."""
    features = Features({column: Value("string") for column in TASKS[name].columns} |
                        {"label": Value("string") if TASKS[name].numeric else ClassLabel(names=TASKS[name].labels[:2])})
    splits = {split: Dataset.from_dict(table(name, split), features) for split in ("train", "dev")}
    DatasetDict(splits).save_to_disk(place)
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def odd_cells(dice: random.Random, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Some cells replaced, and now and then a column renamed or left out."""
    for _ in range(dice.choice((0, 0, 1, 1, 2))):
        name = dice.choice(list(columns))
        columns[name][dice.randrange(3)] = dice.choice(LABELS if name == "label" else (*TEXTS, *LABELS))
    if dice.random() < 0.1:
        column = columns.pop(dice.choice(list(columns)))
        columns[dice.choice(["", " label", "\ud800", "\x00", "idx", "label "])] = column
    return columns


def broken(dice: random.Random, data: bytes) -> bytes:
    """Bytes flipped, cut, doubled, put in, moved."""
    for _ in range(dice.choice((0, 1, 1, 2, 5))):
        at, end = sorted(dice.randrange(len(data) + 1) for _ in range(2))
        new = bytes([dice.randrange(256)])
        data = dice.choice((
            data[:at] + new + data[at + 1:], data[:at] + new + data[at + 1:], data[:at], data[at:],
            data[:at] + data[end:], data[:end] + data[at:], data[:at] + dice.choice(PUT_IN) + data[at:]))
    return data


def recoded(dice: random.Random, data: bytes) -> bytes:
    """The same text in another encoding, or with other line ends."""
    text = data.decode("utf-8", "replace")
    if dice.random() < 0.5:
        return text.encode(dice.choice(ENCODINGS), "replace")
    return text.replace("\n", dice.choice(("\r", "\r\n", "\n\n", "\u2028", "\x0b", "\n\r"))).encode()


def odd_value(dice: random.Random, depth: int = 0) -> Any:
    if depth < 3 and dice.random() < 0.3:
        inner = [odd_value(dice, depth + 1) for _ in range(dice.randrange(3))]
        return inner if dice.random() < 0.5 else dict(zip("abc", inner, strict=False))
    return dice.choice((*TEXTS, *LABELS))


def odd_lines(dice: random.Random, name: str) -> bytes:
    """Any JSON, a value a line, some of it with the task's names."""
    names = (*TASKS[name].columns, "label", "x")
    rows = [{dice.choice(names): odd_value(dice) for _ in range(4)} if dice.random() < 0.8 else odd_value(dice)
            for _ in range(dice.randrange(1, 6))]
    return "\n".join(map(json.dumps, rows)).encode()


def odd_parquet(dice: random.Random, name: str) -> bytes:
    """Columns of any type, with names of labels in the metadata or what looks like it."""
    made: dict[str, pa.Array] = {}
    for column, cells in odd_cells(dice, table(name, "train")).items():
        of = pa.string() if dice.random() < 0.7 else dice.choice(TYPES)
        try:
            made[column.encode(errors="replace").decode()] = pa.array(cells, of)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError, ValueError):  # no cells of this type
            made[column.encode(errors="replace").decode()] = pa.array([None] * 3, of)
    if dice.random() < 0.5:
        indices = [dice.choice((0, 0, 1, 1, -1, 2)) for _ in range(3)]
        made["label"] = pa.array(indices, dice.choice((pa.int8(), pa.int64(), pa.float64())))
    called = dice.sample(("0", "1", "neg", "pos", *TASKS[name].labels[:2] * 3), dice.randrange(4))
    one: object = {"names": called, "_type": "ClassLabel"} if dice.random() < 0.8 else odd_value(dice)
    about = json.dumps({"info": {"features": {"label": one}}} if dice.random() < 0.9 else odd_value(dice)).encode()
    return columnar(made, {"huggingface": about} if dice.random() < 0.7 else None)


def odd_saved(dice: random.Random, name: str, places: Callable[[str], Path]) -> Files:
    files = dict(saved(name, places(name)))
    for _ in range(dice.randrange(1, 3)):
        path = dice.choice(list(files))
        if dice.random() < 0.8:
            files[path] = broken(dice, files[path])
        else:
            del files[path]
    return files


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[str, Files]], str]:
    """Reads the files of a task as `run` does, and looks at what came of it."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    tokenizer = read_tokenizer(find_backbone("demo"))

    def read(given: tuple[str, Files]) -> str:
        name, files = given
        folder = tmp_path / "data" / name
        shutil.rmtree(folder.parent, ignore_errors=True)
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        try:
            found = read_folder(TASKS[name], str(folder.parent))
        except DataError as error:
            said = str(error)
            assert said.isprintable() and said[-1] in ".?" and 10 < len(said) < 4000, said
            return "refused"
        texts = [text for row in (*found.train, *found.dev) for text in row.texts]
        assert all(len(one.ids) or not one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False))
        assert all(0 <= row.label < len(TASKS[name].labels) and math.isfinite(row.value) for row in found.train)
        assert all(note.isprintable() and note.endswith(".") for note in found.notes), found.notes
        return "taken with notes" if found.notes else "taken"

    return read


def test_any_file_for_text_is_rows_or_a_message(
    reads: Callable[[Any], str], record_property: Callable[..., None]
) -> None:
    def make(dice: random.Random) -> tuple[str, Files]:
        name, ending = dice.choice(NAMES), dice.choice(("tsv", "csv", "jsonl"))
        data = written(odd_cells(dice, table(name, "train")), ending)
        data = dice.choice((lambda: data, lambda: broken(dice, data), lambda: broken(dice, data),
                            lambda: recoded(dice, data), lambda: odd_lines(dice, name)))()
        return name, {f"train.{ending}": data, "dev.tsv": written(table(name, "dev"), "tsv")}

    ends = hunt("data files", make, reads, record_property, share=0.6)
    assert set(ends) >= {"taken", "refused"} or sum(ends.values()) < 100


def test_any_parquet_file_is_rows_or_a_message(
    reads: Callable[[Any], str], record_property: Callable[..., None]
) -> None:
    def make(dice: random.Random) -> tuple[str, Files]:
        name = dice.choice(NAMES)
        data = odd_parquet(dice, name)
        return name, {"train.parquet": broken(dice, data) if dice.random() < 0.4 else data,
                      "dev.tsv": written(table(name, "dev"), "tsv")}

    hunt("data files", make, reads, record_property, share=0.25)


def test_any_saved_data_set_is_rows_or_a_message(
    reads: Callable[[Any], str], tmp_path_factory: pytest.TempPathFactory, record_property: Callable[..., None]
) -> None:
    datasets.disable_progress_bars()
    place = tmp_path_factory.mktemp("saved")

    def make(dice: random.Random) -> tuple[str, Files]:
        name = dice.choice(NAMES)
        return name, odd_saved(dice, name, lambda name: place / name)

    hunt("data files", make, reads, record_property, share=0.15)
