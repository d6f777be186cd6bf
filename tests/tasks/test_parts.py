"""Names of files: which are training and dev rows, which are parts of one table, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset

from compt_core.errors import DataError
from compt_core.tasks import own
from compt_core.tasks.files import load_task
from compt_core.tasks.folders import guess_folder
from compt_core.tasks.parts import parts_of
from compt_core.tasks.spec import Task


def write(folder: Path, *names: str) -> None:
    """Files whose texts tell their name."""
    folder.mkdir(exist_ok=True)
    for name in names:
        lines = "".join(f"{name} text {i},{'ab'[i % 2]}\n" for i in range(6))
        (folder / name).write_text("text,label\n" + (lines.replace(",", "\t") if name.endswith("tsv") else lines))
        if name.endswith("tsv"):
            (folder / name).write_text((folder / name).read_text().replace("text,label", "text\tlabel"))


def read(task: Task) -> tuple[set[str], set[str]]:
    """The files that the training and the dev rows are from."""
    data = load_task(task, None)
    return {row.texts[0].split()[0] for row in data.train}, {row.texts[0].split()[0] for row in data.dev}


@pytest.mark.parametrize(("names", "train", "dev", "more"), [
    (("SICK_train.tsv", "SICK_dev.tsv"), "SICK_train.tsv", "SICK_dev.tsv", ()),
    (("SICK_train.tsv", "SICK_trial.tsv", "SICK_test.tsv"), "SICK_train.tsv", "SICK_trial.tsv", ("SICK_test.tsv",)),
    (("train.csv", "trial.csv"), "train.csv", "trial.csv", ()),
    (("rte.train.csv", "rte.val.csv"), "rte.train.csv", "rte.val.csv", ()),
    (("train.csv", "train_old.csv", "test.csv", "notes.txt"), "train.csv", "test.csv", ("notes.txt", "train_old.csv")),
    (("train.csv", "dev_matched.csv", "dev_mismatched.csv"), "train.csv", "dev_matched.csv", ("dev_mismatched.csv",)),
    (("Training-1.csv", "Development-1.csv"), "Training-1.csv", "Development-1.csv", ()),
    (("train.csv", "dev.csv", "validation.csv", "val.csv"), "train.csv", "dev.csv", ("val.csv", "validation.csv")),
    (("train-00000-of-00001.csv", "test-00000-of-00001.csv"), "train-00000-of-00001.csv", "test-00000-of-00001.csv",
     ()),
])
def test_files_are_known_by_the_words_in_their_names(tmp_path: Path, names: tuple[str, ...], train: str, dev: str,
                                                     more: tuple[str, ...]) -> None:
    write(tmp_path / "x", *names)
    guess = guess_folder("x", tmp_path / "x")
    assert read(guess.task) == ({train}, {dev})
    assert [one for one in guess.said if one.startswith("Not read")] == [
        f"Not read: {', '.join(map(repr, more))}. Only one file with training rows and one with dev rows are."
    ] * bool(more)


@pytest.mark.parametrize(("names", "said"), [
    (("a_train.csv", "b_train.csv", "dev.csv"),
     "has several files that may hold the training rows: 'a_train.csv', 'b_train.csv'. Keep one of them there"),
    (("train.csv", "a_dev.csv", "b.dev.csv"), "may hold the dev rows: 'a_dev.csv', 'b.dev.csv'."),
    (("train.csv", "train.tsv"), "may hold the training rows: 'train.csv', 'train.tsv'."),
    (("train_dev.csv", "more.csv"), "must have a train file or a single file"),
    (("train-00000-of-00002.csv",),
     "train-00001-of-00002.csv' is not there, but 'train-00000-of-00002.csv' is one of 2"),
])
def test_names_that_do_not_say_it_are_one_sentence(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    write(tmp_path / "x", *names)
    with pytest.raises(DataError) as caught:
        guess_folder("x", tmp_path / "x")
    assert said in str(caught.value) and str(caught.value).endswith(".")


def test_parts_are_read_in_order_as_one_table_and_kept_together(home: Path, tmp_path: Path) -> None:
    folder, start = tmp_path / "x", 0
    folder.mkdir()
    for name in ("train-00000-of-00003", "train-00001-of-00003", "train-00002-of-00003", "validation-00000-of-00001"):
        Dataset.from_dict({"text": [f"some text {start + i}" for i in range(5)],
                           "label": [i % 2 for i in range(5)]}).to_parquet(folder / f"{name}.parquet")
        start += 5
    guess = guess_folder("x", folder)
    assert not any(one.startswith("Not read") for one in guess.said) and guess.task.files is not None
    assert guess.task.files.train == "train-00000-of-00003.parquet" and len(guess.task.files.names) == 4
    data = load_task(guess.task, None)
    assert [row.texts[0] for row in data.train] == [f"some text {i}" for i in range(15)]
    assert [row.texts[0] for row in data.dev] == [f"some text {i}" for i in range(15, 20)]
    kept = own.keep_folder(guess.task)
    assert load_task(kept, None).digest == data.digest and len(list((home / "tasks" / "x").iterdir())) == 5
    (home / "tasks" / "x" / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(DataError, match=r"'.*train-00001-of-00003.parquet' of task 'x' is not there\."):
        load_task(kept, None)


def test_a_row_of_a_part_is_named_by_its_own_file_and_line(tmp_path: Path) -> None:
    write(tmp_path / "x", "all-0-of-2.csv", "all-1-of-2.csv")
    task = guess_folder("x", tmp_path / "x").task
    assert sum(map(len, read(task))) > 1
    with (tmp_path / "x" / "all-1-of-2.csv").open("a") as file:
        file.write("more,c\n")
    with pytest.raises(DataError, match=r"'.*all-1-of-2.csv', line 8 must be one of 'a', 'b'\. Got 'c'"):
        load_task(task, None)
    (tmp_path / "x" / "all-1-of-2.csv").write_text("words,label\nx,a\n")
    with pytest.raises(DataError, match=r"'.*all-1-of-2.csv' must have the columns and the label names of "):
        guess_folder("x", tmp_path / "x")


def test_a_name_that_only_looks_like_a_part_stands_for_itself() -> None:
    for name in ("train.csv", "a-0-of-1.csv", "a-0-of-0.csv", "a-0-of-999999.csv", "-0-of-2.csv", "a-0-of-2"):
        assert parts_of(name) == (name,)
    assert parts_of("a-1-of-2.csv") == ("a-1-of-2.csv", "a-2-of-2.csv")
