"""A task as YAML: what is written is read again, a wrong line is a sentence, labels agree over all kinds of files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from pyarrow import parquet

from compt_core.errors import ConfigError
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.catalogue import read as read_catalogue
from compt_core.tasks.definition import parse, read, read_text, written
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import Files, Question, Task

LEAST = "name: mine\ntexts: [text]\nlabel: kind\nlabels: {a: low, b: high}\n"
ODD = ["yes", "no", "on", "True", "true", "null", "~", "1", "1.0", "01", "1e5", "0x10", "1:30", "2020-01-01", "a: b",
       "# c", "- d", "é", "日本", "'q'", '"', "{", "[x]", "&a", "*a", "!t", "|", ">", "%", "@", "x\ny", ".5", "-", "?"]
WORDS = st.one_of(st.sampled_from(ODD), st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]),
                                               min_size=1, max_size=12)).map(lambda word: " ".join(word.split())).filter(
    lambda word: word and word == word.strip())


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """A definition as a person might write it, with words that YAML could take for something else."""
    columns = draw(st.lists(WORDS, min_size=1, max_size=3, unique=True))
    label = draw(WORDS.filter(lambda word: word not in columns))
    keys = draw(st.lists(WORDS, min_size=2, max_size=5, unique=True))
    given: dict[str, Any] = {"name": draw(st.from_regex(r"[a-z][a-z0-9_.-]{0,10}", fullmatch=True)), "label": label}
    given["texts"] = dict.fromkeys(columns, "text") if draw(st.booleans()) else columns
    if draw(st.booleans()):
        low, step = draw(st.integers(-5, 5)), draw(st.sampled_from([0.1, 0.2, 0.25, 0.5, 1, 2]))
        given["numbers"] = {"from": low, "to": low + step * draw(st.integers(1, 30)), "step": step}
    else:
        words = draw(st.lists(WORDS, min_size=len(keys), max_size=len(keys), unique=True))
        given["labels"] = dict(zip(keys, words, strict=True))
        given["metrics"] = draw(st.lists(st.sampled_from(["accuracy", "macro_f1", "f1"]), max_size=3, unique=True))
        if "f1" in given["metrics"]:
            given["positive"] = draw(st.sampled_from([*keys, *words]))
    for field in ("title", "description", "source", "licence", "family", "prefix", "native_prefix"):
        if draw(st.booleans()):
            given[field] = draw(WORDS)
    given["leave_out"] = draw(st.lists(WORDS.filter(lambda word: word not in keys), max_size=2, unique=True))
    if draw(st.booleans()):
        given["question"] = {"text": draw(WORDS)}
    files = ({"train": "a.csv", "dev": "b.csv"}, {"file": "x.jsonl", "share": 0.3, "seed": 4}, {"saved": True},
             {"saved": True, "train": "one", "dev": "two"}, {"hub": "user/name", "configuration": "x", "dev": "test"})
    if draw(st.booleans()):
        given["data"] = draw(st.sampled_from(files))
    return given


@given(definitions())
@settings(max_examples=150)
def test_what_is_written_is_read_again(given: dict[str, Any]) -> None:
    try:
        task = parse(given, "/there", "It")
    except ConfigError:  # two words that are the same label, as "1" and "1.0" are
        assume(False)
    again = read_text(written(task), "/there")
    assert again == task and written(again) == written(task)
    assert read_catalogue(json.loads(json.dumps(Catalogue({task.name: task}).written())))[task.name] == task


def test_all_that_a_definition_may_hold(tmp_path: Path) -> None:
    text = LEAST + """
title: Tickets
description: Whether a ticket is urgent.
source: my own
licence: mine
family: tickets
leave_out: [c, 7]
metrics: [f1, accuracy]
positive: a
prefix: urgency
native_prefix: old
question: {text: 'How urgent?', fields: [ticket], answers: [very, not at all]}
data: {file: all.csv, share: 0.25, seed: 3}
"""
    (tmp_path / "task.yaml").write_text(text)
    assert read(tmp_path / "task.yaml") == Task(
        "mine", "own", "tickets", ("text",), ("high", "low"), ("f1", "accuracy"), native="old",
        question=Question("How urgent?", ("ticket",), ("not at all", "very")), label_column="kind",
        aliases=(("b", "high"), ("a", "low")), title="Tickets", description="Whether a ticket is urgent.",
        source="my own", licence="mine", word="urgency", indexed=False, left_out=("c", "7"),
        files=Files(str(tmp_path), "all.csv", share=0.25, seed=3))


@pytest.mark.parametrize(("change", "said"), [
    ("name: mine\n", "Got 'name' twice"),
    ("nome: mine\n", "must not have 'nome', which nothing reads"),
    ("title: [a]\n", "'title"), ("metrics: [bleu]\n", "'metrics.0' is not as it must be"),
    ("metrics: [pearson]\n", "'metrics' of such a task must be among accuracy"),
    ("numbers: {from: 0, to: 4, step: 1}\n", "must have either 'labels' or 'numbers'"),
    ("positive: c\n", "'positive' must be one of the labels. Got 'c'"),
    ("leave_out: [a]\n", "'leave_out' must name other labels than 'labels'. Got 'a' in both"),
    ("question: {text: x, answers: [y]}\n", "'question' must have as many answers"),
    ("question: {text: x, fields: [y, z]}\n", "'question' must have as many fields"),
    ("question: {}\n", "lacks the line 'question.text'"),
    ("data: {train: a.csv}\n", "must have 'dev' beside 'train'"), ("data: {}\n", "'data' must have 'train' and 'dev'"),
    ("data: {file: ../a.csv}\n", "must name files beside this one, without a folder. Got '../a.csv'"),
    ("data: {file: a.csv, hub: x/y}\n", "or 'hub'"), ("data: {file: a.csv, share: 2}\n", "'data.share'"),
    ("data: {file: a.csv, share: half}\n", "'data.share'"), ("data: {saved: no}\n", "'data.saved'"),
    ("title: 'x\n", "is not valid YAML"), ("title: &x y\n", "hold no anchors"),
])
def test_a_wrong_line_is_a_sentence_that_names_file_and_line(tmp_path: Path, change: str, said: str) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(LEAST + change)
    with pytest.raises(ConfigError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"The task file '{path}'") and said in message
    assert message.isprintable() and message.endswith(".") and len(caught.value.issues) == 1


@pytest.mark.parametrize(("old", "new", "said"), [
    ("name: mine", "name: Mine!", "'name' must have 1 to 40 lower-case letters"),
    ("name: mine\n", "", "lacks the line 'name'"),
    ("label: kind\n", "", "lacks the line 'label'"), ("[text]", "[]", "'texts"), ("[text]", "[kind]", "another column"),
    ("{a: low, b: high}", "{a: low}", "at least two labels"), ("{a: low, b: high}", "{a: x, b: x}", "a word of its own"),
    ("{a: low, b: high}", "{1: x, 1.0: y}", "name each label once. Got '1'"), ("{a: low, b: high}", "5", "'labels"),
    ("{a: low, b: high}", "{'': x, b: y}", "Got an empty one"), ("[text]", "[text, text]", "name each column once"),
    ("labels: {a: low, b: high}", "numbers: {from: 1, to: 0, step: 1}", "from a number to a larger one"),
    ("labels: {a: low, b: high}", "numbers: {from: 0, to: .nan, step: 1}", "'numbers.to'"),
])
def test_a_line_that_is_not_as_it_must_be_is_a_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "task.yaml"
    assert old in LEAST
    path.write_text(LEAST.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"The task file '{path}'") and said in message and message.isprintable()


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "no.yaml", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(ConfigError, match=r"The task file '.*' cannot be read: "):
            read(path)


# --- labels in all kinds of files


def table(path: Path, labels: list[Any]) -> None:
    texts = [f"text {path.stem} {i}" for i in range(len(labels))]
    if path.suffix == ".parquet":
        parquet.write_table(pa.table({"text": texts, "kind": labels}), path)
    elif path.suffix == ".xlsx":
        book = Workbook()
        for row in [("text", "kind"), *zip(texts, labels, strict=True)]:
            book.active.append(row)
        book.save(path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": t, "kind": k}) + "\n" for t, k in zip(texts, labels, strict=True)))
    else:
        mark = "," if path.suffix == ".csv" else "\t"
        path.write_text(f"text{mark}kind\n" + "".join(
            f"{t}{mark}{'' if k is None else k}\n" for t, k in zip(texts, labels, strict=True)))


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet", "xlsx"])
@pytest.mark.parametrize(("labels", "lines"), [
    ([True, False, True, None], "{true: x, false: y}"), ([True, False, True, None], "{True: x, FALSE: y}"),
    ([1, 0, 1, None], "{1: x, 0: y}"), ([1.0, 0.0, 1.0, None], "{1: x, 0: y}"),
    ([1.0, 0.0, 1.0, None], "{1.0: x, 0.0: y}"), ([1, 0, 1, None], "{'1': x, '0': y}"),
    (["yes", "no", "yes", None], "{yes: x, no: y}"), (["on", "off", "on", None], "{on: x, off: y}"),
    (["TRUE", "FALSE", "TRUE", None], "{true: x, false: y}"), (["010", "1e3", "010", None], "{010: x, 1e3: y}"),
    ([2.5, 3.5, 2.5, None], "{2.5: x, 3.5: y}"), ([" a", "b ", "a", None], "{a: x, b: y}"),
])
def test_labels_agree_over_all_kinds_of_files(tmp_path: Path, ending: str, labels: list[Any], lines: str) -> None:
    table(tmp_path / f"train.{ending}", labels)
    table(tmp_path / f"dev.{ending}", labels[:2])
    (tmp_path / "task.yaml").write_text(
        f"name: mine\ntexts: [text]\nlabel: kind\nlabels: {lines}\n"
        f"data: {{train: train.{ending}, dev: dev.{ending}}}\n")
    data = load_task(read(tmp_path / "task.yaml"), None)
    assert [row.label for row in data.train] == [0, 1, 0] and data.skipped == {"train": 1, "dev": 0}


def test_names_with_spaces_around_them_are_kept(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("text, kind\none,a\ntwo,b\nthree,a\nfour,b\n")
    text = "name: mine\ntexts: [text]\nlabel: ' kind'\nlabels: [a, b]\ndata: {file: all.csv}\n"
    task = read_text(text, str(tmp_path))
    data = load_task(task, None)
    assert len(data.train) + len(data.dev) == 4
    assert replace(read_text(written(task)), files=task.files) == task
