"""Tables as rows: what no tokenizer takes is named with its place, what is odd is a note, not a fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from compt_core.errors import DataError
from compt_core.tasks import rows
from compt_core.tasks.readers import Table
from compt_core.tasks.rows import Rows, read_rows
from compt_core.tasks.table import TASKS


def read(task: str, **columns: Sequence[Any]) -> Rows:
    """The rows of a table in 'x.csv' whose rows begin in lines 2, 4, 6, …"""
    numbers = range(2, 2 + 2 * max(map(len, columns.values())), 2)
    return read_rows(TASKS[task], {"train": Table(columns, "'x.csv'", numbers)})["train"]


def problem(task: str, **columns: Sequence[Any]) -> str:
    with pytest.raises(DataError) as caught:
        read(task, **columns)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("mark", [chr(0xD800), chr(0xDCED), chr(0xDFFF), "\0"])
@pytest.mark.parametrize("text", ["{} x", "é{}", "x" * 10_000 + "{}", "{}"])
def test_half_a_character_and_a_nul_are_named_with_their_line(mark: str, text: str) -> None:
    said = problem("sst2", sentence=["a", text.format(mark)], label=[0, 1])
    assert said == (f"The column 'sentence' of task 'sst2' in 'x.csv', line 4 must be text. Got {mark!r} in it, which "
                    "is not a character; take it out.")


@pytest.mark.parametrize("text", ["😀", "\ufeff", "\uffff", "\x01\x7f", "\u202e", "e\u0301"])
def test_other_odd_characters_are_text(text: str) -> None:
    assert read("sst2", sentence=[text], label=[0]).kept[0].texts == (text,)


def test_names_of_columns_and_labels_are_one_readable_line_whatever_is_in_them() -> None:
    assert r"has no column 'sentence'. It has: '\ud800', 'a\x00\n', 'label'." in problem(
        "sst2", **{"\ud800": ["x"], "a\0\n": ["x"], "label": [1]})
    assert r"Got '\ud800\x00' instead" in problem("sst2", sentence=["x"], label=["\ud800\0"])


def test_a_text_has_an_upper_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_TEXT", 5)
    assert read("sst2", sentence=["12345"], label=[1]).kept
    assert "line 2 must have at most 5 characters. Got 6; cut it." in problem("sst2", sentence=["123456"], label=[1])
    monkeypatch.setattr(rows, "MOST_BYTES", 9)
    assert "'x.csv' have 10 characters, more than 9 in all. Give fewer rows." in problem(
        "sst2", sentence=["12345"] * 2, label=[1, 0])


def test_many_faults_are_three_sentences_and_their_number() -> None:
    assert problem("sst2", sentence=["a", 5, 5, 5, "b"], label=[0, 1, 1, 1, "glad"]) == (
        "The column 'sentence' of task 'sst2' in 'x.csv', line 4 must be text. Got 5 instead. "
        "The label of task 'sst2' in 'x.csv', line 10 must be one of 'negative', 'positive', or its index 0 to 1. "
        "Got 'glad' instead. 2 more rows are wrong in the same way.")
    said = problem("sst2", sentence=["a"] * 9, label=[0, *"abcdefgh"])
    assert said.count("is not a label of it either") == 2 and said.endswith("More rows of 'x.csv' are wrong as well.")


def test_texts_without_anything_in_them_are_noted() -> None:
    found = read("rte", sentence1=["a", " ", "\u200b"], sentence2=["", "\t", None], label=[0, 1, 0])
    assert [row.texts for row in found.kept] == [("a", ""), (" ", "\t"), ("\u200b", "")]
    assert found.notes == (
        "1 of 3 train rows of task 'rte' has no text in the column 'sentence1', the first in 'x.csv', line 4.",
        "3 of 3 train rows of task 'rte' have no text in the column 'sentence2', the first in 'x.csv', line 2.")


@pytest.mark.parametrize(("task", "labels", "note"), [
    ("sst2", [0, 1, 1, 0], "2 texts occur"), ("sst2", [0, 1, 1, 1], "1 text occurs"),
    ("sst2", [0, 1, 0, 1], None), ("sst2", [0, 1, -1, 1], None),
])
def test_equal_texts_with_opposite_labels_are_noted(task: str, labels: list[int], note: str | None) -> None:
    found = read(task, sentence=["one", "two", "one", "two"], label=labels)
    assert found.notes == ((f"{note} in the train data of task 'sst2' with different labels, the first in 'x.csv', "
                            "line 2 and line 6.",) if note else ())


def test_notes_of_the_file_come_first() -> None:
    table = Table({"sentence": ["", "x"], "label": [0, 1]}, "'x.csv'", notes=("It is odd.",))
    assert read_rows(TASKS["sst2"], {"dev": table})["dev"].notes == (
        "It is odd.",
        "1 of 2 dev rows of task 'sst2' has no text in the column 'sentence', the first in 'x.csv', row 1.")


@pytest.mark.parametrize(("cell", "label"), [(1, 0), (1.0, 0), (0, 1), ("entailment", 0), ("1", 1), (-1, None)])
def test_an_index_is_what_the_data_call_it(cell: object, label: int | None) -> None:
    table = Table({"sentence1": "ab", "sentence2": "cd", "label": [cell, 0]}, "'x'",
                  names={"label": ["not_entailment", "entailment"]})
    found = read_rows(TASKS["rte"], {"train": table})["train"]
    assert [row.label for row in found.kept] == ([1] if label is None else [label, 1])


@pytest.mark.parametrize("cell", [2, 7, -2, 0.5, float("inf"), True, None])
def test_an_index_without_a_name_is_none(cell: object) -> None:
    table = Table({"premise": "a", "hypothesis": "b", "label": [cell]}, "'x'",
                  names={"label": ["entailment", "neutral"]})  # 2 would be contradiction
    with pytest.raises(DataError, match="row 1 must be one of 'entailment', 'neutral', 'contradiction'"):
        read_rows(TASKS["mnli"], {"train": table})
