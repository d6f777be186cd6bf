"""Rows of a task from a folder: every format, every slip, and what is left out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from datasets import Dataset
from pyarrow import parquet

from compt_core.errors import DataError
from compt_core.tasks import readers
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import Row, TaskData
from compt_core.tasks.table import TASKS

RTE = [("a cat sits", "a cat", "entailment"), ("it rains", "it snows", "1"), ("he ran", "he moved", "0"),
       ("x", "y", "-1")]
EXPECTED = (Row(("a cat sits", "a cat"), 0, 0.0), Row(("it rains", "it snows"), 1, 1.0),
            Row(("he ran", "he moved"), 0, 0.0))
COLUMNS = ("sentence1", "sentence2", "label")
DEV = [("p", "q", "entailment"), ("r", "s", "not_entailment")]


def write(file: Path, rows: list[tuple], columns: tuple[str, ...] = COLUMNS) -> None:
    """`rows` in the format of the file's ending, in a new folder where needed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        parquet.write_table(pa.table({c: [row[i] for row in rows] for i, c in enumerate(columns)}), file)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
    else:
        mark = {".tsv": "\t", ".csv": ","}[file.suffix]
        file.write_text("".join(mark.join(map(str, row)) + "\n" for row in (columns, *rows)))


def load(folder: Path, task: str = "rte") -> TaskData:
    return load_task(TASKS[task], str(folder))


def problem(folder: Path, task: str = "rte") -> str:
    with pytest.raises(DataError) as caught:
        load(folder, task)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("train", ["tsv", "csv", "jsonl", "parquet"])
@pytest.mark.parametrize("dev", ["dev.tsv", "validation.jsonl", "validation.csv", "dev.parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, train: str, dev: str) -> None:
    write(tmp_path / "rte" / f"train.{train}", RTE)
    write(tmp_path / "rte" / dev, DEV)
    data = load(tmp_path)
    assert data.train == EXPECTED
    assert [row.label for row in data.dev] == [0, 1]
    assert data.skipped == {"train": 1, "dev": 0}
    assert data.overlap == 0


def test_labels_may_be_numbers_of_any_type(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.parquet", [("a", "b", 0.0), ("c", "d", 1.0), ("e", "f", -1.0)])
    write(tmp_path / "rte" / "dev.jsonl", [("g", "h", 0), ("i", "j", 1), ("k", "l", -1)])
    data = load(tmp_path)
    assert [row.label for row in data.train] == [row.label for row in data.dev] == [0, 1]
    assert data.skipped == {"train": 1, "dev": 1}


def test_the_order_of_columns_and_further_columns_do_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.tsv", [("1", "7", "b", "a")], ("label", "idx", "sentence2", "sentence1"))
    write(tmp_path / "rte" / "dev.tsv", DEV)
    assert load(tmp_path).train == (Row(("a", "b"), 1, 1.0),)


def test_training_rows_that_stand_in_dev_are_left_out_and_counted(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.tsv", [*RTE, ("p", "q", "not_entailment"), ("q", "p", "entailment")])
    write(tmp_path / "rte" / "dev.tsv", DEV)
    data = load(tmp_path)
    assert data.train == (*EXPECTED, Row(("q", "p"), 0, 0.0))
    assert data.overlap == 1
    write(tmp_path / "rte" / "train.tsv", DEV)
    assert "has only rows that are in its dev data as well. Give other rows to train on." in problem(tmp_path)


def test_a_changed_file_is_read_again_an_unchanged_one_is_not(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.tsv", RTE)
    write(tmp_path / "rte" / "dev.tsv", DEV)
    first = load(tmp_path)
    assert load(tmp_path) is first
    write(tmp_path / "rte" / "train.tsv", RTE[:2])
    changed = load(tmp_path)
    assert len(changed.train) == 2
    assert changed.digest != first.digest
    file = tmp_path / "rte" / "dev.tsv"
    file.write_text(file.read_text().replace("p\t", "z\t"))  # as many bytes as before
    os.utime(file, ns=(1, 1))
    assert load(tmp_path).dev[0].texts[0] == "z"


def test_the_digest_is_of_texts_and_labels_alone(tmp_path: Path) -> None:
    for folder, rows in (("one", RTE), ("two", RTE[:3]), ("three", [*RTE[:2], ("he ran", "he moved", "1")])):
        write(tmp_path / folder / "rte" / "train.tsv", rows)
        write(tmp_path / folder / "rte" / "dev.tsv", DEV)
    one, two, three = (load(tmp_path / folder).digest for folder in ("one", "two", "three"))
    assert one == two != three


def test_made_up_glue_loads(glue_dir: Path) -> None:
    for name in ("cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte"):
        data = load(glue_dir, name)
        assert (len(data.train), len(data.dev)) == (48, 20)
        assert len(data.train[0].texts) == len(TASKS[name].columns)


def test_demo_tasks_need_no_files(tmp_path: Path) -> None:
    data = load(tmp_path / "nowhere", "demo-mood")
    assert (len(data.train), len(data.dev)) == (2000, 300)
    assert not {row.texts for row in data.train} & {row.texts for row in data.dev}
    assert data is not load(tmp_path, "demo-echo")


# --- what is wrong


def test_a_missing_folder_says_what_to_put_there(tmp_path: Path) -> None:
    assert problem(tmp_path) == (
        f"The data folder '{tmp_path}' has no folder for the task 'rte'. "
        "Put rte/train and rte/dev files (.tsv, .csv, .jsonl, .parquet, .xlsx) there.")


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.tsv", RTE)
    assert problem(tmp_path) == (f"The folder '{tmp_path / 'rte'}' has no dev or validation file. "
                                 "Expected dev.{tsv,csv,jsonl,parquet,xlsx}.")


@pytest.mark.parametrize("other", ["validation.tsv", "dev.csv"])
def test_two_files_for_one_split_are_one_too_many(tmp_path: Path, other: str) -> None:
    write(tmp_path / "rte" / "train.tsv", RTE)
    write(tmp_path / "rte" / "dev.tsv", DEV)
    write(tmp_path / "rte" / other, DEV)
    assert f"has several dev files: dev.tsv, {other}. Keep one." in problem(tmp_path)


def test_missing_columns_are_named_with_those_there(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.tsv", [("a", "b")], ("sentence1", "lable"))
    write(tmp_path / "rte" / "dev.tsv", DEV)
    assert problem(tmp_path) == (
        f"The data of task 'rte' in '{tmp_path / 'rte' / 'train.tsv'}' has no column 'sentence2' and no column "
        "'label'. It has: 'sentence1', 'lable'.")


def test_a_wrong_separator_shows_in_one_short_line(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.tsv", [("x" * 5000,)], ("y" * 5000,))
    write(tmp_path / "rte" / "dev.tsv", DEV)
    assert len(problem(tmp_path)) < 500


def test_an_unknown_label_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.tsv", [*RTE, ("a", "b", "entailed")])
    write(tmp_path / "rte" / "dev.tsv", DEV)
    assert problem(tmp_path) == (
        f"The label of task 'rte' in '{tmp_path / 'rte' / 'train.tsv'}', line 6 must be one of 'entailment', "
        "'not_entailment', or its index 0 to 1. Got 'entailed' instead. Did you mean 'entailment'?")


def test_rows_without_any_label_are_no_data(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.tsv", RTE)
    write(tmp_path / "rte" / "dev.tsv", [("a", "b", "-1")])
    assert "The dev data of task 'rte' in" in problem(tmp_path)
    assert "has no labelled row." in problem(tmp_path)


@pytest.mark.parametrize(("cell", "got"), [(5, "5"), (["a"], "['a']")])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_text_that_is_none_is_named_with_its_place(tmp_path: Path, cell: object, got: str, ending: str) -> None:
    rows = [("a", cell, "0")] if ending == "parquet" else [("a", "b", "0"), ("a", cell, "0")]
    write(tmp_path / "rte" / f"train.{ending}", rows)
    write(tmp_path / "rte" / "dev.tsv", DEV)
    place = "line 2" if ending == "jsonl" else "row 1"
    assert problem(tmp_path) == (f"The column 'sentence2' of task 'rte' in '{tmp_path / 'rte'}/train.{ending}', "
                                 f"{place} must be text. Got {got} instead.")


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl", "parquet"])
def test_a_missing_text_is_an_empty_one_in_every_format_and_noted(tmp_path: Path, ending: str) -> None:
    nothing = "" if ending in ("tsv", "csv") else None
    write(tmp_path / "rte" / f"train.{ending}", [("a", "b", "0"), ("c", nothing, "1"), ("d", nothing, "0")])
    write(tmp_path / "rte" / "dev.tsv", DEV)
    data = load(tmp_path)
    assert [row.texts[1] for row in data.train] == ["b", "", ""]
    line = {"parquet": "row 2", "jsonl": "line 2"}.get(ending, "line 3")
    assert data.notes == (f"2 of 3 train rows of task 'rte' have no text in the column 'sentence2', the first in "
                          f"'{tmp_path}/rte/train.{ending}', {line}.",)


def test_what_is_wrong_in_both_files_is_told_together(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.tsv", [("a", "b", "yes"), ("c", "d", "no"), ("e", "f", "no"), ("g", "h", "1")])
    write(tmp_path / "rte" / "dev.tsv", DEV, ("sentence1", " sentence2", "label"))
    train, dev = tmp_path / "rte" / "train.tsv", tmp_path / "rte" / "dev.tsv"
    assert problem(tmp_path) == (
        f"The label of task 'rte' in '{train}', line 2 must be one of 'entailment', 'not_entailment', or its index 0 "
        "to 1. Got 'yes' instead. 'no' in line 3 is not a label of it either. 1 more row is wrong in the same way. "
        f"The data of task 'rte' in '{dev}' has no column 'sentence2'. It has: 'sentence1', ' sentence2', 'label'.")
    train.write_text("sentence1\tsentence2\tlabel\na\n")
    assert "line 2, must have 3 cells" in problem(tmp_path) and "has no column 'sentence2'" in problem(tmp_path)


def test_a_data_set_saved_without_its_other_split_is_called_so(tmp_path: Path) -> None:
    Dataset.from_dict({"label": [0]}).save_to_disk(tmp_path / "rte")
    assert problem(tmp_path) == (f"The folder '{tmp_path}/rte' holds a single data set written by save_to_disk. "
                                 f"Save train and dev together, as one DatasetDict, into '{tmp_path}/rte'.")
    Dataset.from_dict({"label": [0]}).save_to_disk(tmp_path / "b" / "rte" / "validation")
    write(tmp_path / "b" / "rte" / "train.tsv", RTE)
    assert f"The folder '{tmp_path}/b/rte/validation' holds a single data set" in problem(tmp_path / "b")


def test_truth_values_are_no_labels(tmp_path: Path) -> None:
    write(tmp_path / "rte" / "train.jsonl", [("a", "b", 1), ("c", "d", True)])
    write(tmp_path / "rte" / "dev.tsv", DEV)
    assert "line 2 must be one of" in problem(tmp_path)
    assert "Got True instead." in problem(tmp_path)


def test_impossible_paths_are_sentences(tmp_path: Path) -> None:
    assert "File name too long" in problem(Path("x" * 5000))
    assert "has no folder for the task 'rte'" in problem(tmp_path / "no")
    (tmp_path / "rte").write_text("a file, no folder")
    assert "has no folder for the task 'rte'" in problem(tmp_path)


def test_lines_that_would_unpack_to_a_huge_table_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MOST_CELLS", 30)
    path = tmp_path / "train.jsonl"
    path.write_text('{"a": 1, "b": 2, "c": 3}\n' + "{}\n" * 9)
    assert len(readers.read_file(path).columns["b"]) == 10
    path.write_text('{"a": 1, "b": 2, "c": 3}\n' + "{}\n" * 10)
    with pytest.raises(DataError, match="11 lines with 3 different names, which makes more than 30 cells"):
        readers.read_file(path)


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl", "parquet"])
def test_columns_that_are_not_used_are_named(tmp_path: Path, ending: str) -> None:
    wic = ("word", *COLUMNS, "start 1")
    write(tmp_path / "rte" / f"train.{ending}", [("w", *row, "1") for row in RTE[:3]], wic)
    write(tmp_path / "rte" / f"dev.{ending}", [(*row, "2") for row in DEV], (*COLUMNS, "idx"))
    assert load(tmp_path).notes == (
        "The data of task 'rte' has 3 columns that are not used: 'word', 'start 1', 'idx'.",)
    write(tmp_path / "rte" / f"train.{ending}", RTE[:3])
    assert load(tmp_path).notes == ("The data of task 'rte' has a column that is not used: 'idx'.",)


def test_of_many_unused_columns_some_are_named(tmp_path: Path) -> None:
    names = tuple(f"c{'x' * 99}{number}" for number in range(300))
    write(tmp_path / "rte" / "train.csv", [(*RTE[0], *names)], (*COLUMNS, *names))
    write(tmp_path / "rte" / "dev.csv", DEV)
    note, = load(tmp_path).notes
    assert note.startswith("The data of task 'rte' has 300 columns that are not used: 'cxxx")
    assert note.endswith("' and 292 more.") and len(note) < 600
