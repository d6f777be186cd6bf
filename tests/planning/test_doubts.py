"""Each doubtful thing about rows is a sentence of its own; rows without any have none."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compt_core.backbone.files import BackboneFiles
from compt_core.backbone.load import find_backbone
from compt_core.planning.check import check
from compt_core.planning.data import as_read
from compt_core.planning.doubts import doubts
from compt_core.settings.config import build_experiment
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.files import load_task
from compt_core.tasks.own import guess_folder
from compt_core.tasks.spec import Row, Task, TaskData

TASK = Task("mine", "own", "mine", ("text",), ("positive", "negative"), indexed=False)


@pytest.fixture(scope="module")
def files(tiny_t5: Path) -> BackboneFiles:
    """The tiny T5's: "positive" and "negative" are a piece each, "not" and "acceptable" as well."""
    return find_backbone(str(tiny_t5))


def data(train: list[Any], dev: list[Any] | None = None, task: Task = TASK, **about: Any) -> TaskData:
    """Rows of (texts, label)."""
    parts = [tuple(Row(texts if isinstance(texts, tuple) else (texts,), label, float(label)) for texts, label in part)
             for part in (train, [(f"the dev {i}", i % len(task.labels)) for i in range(60)] if dev is None else dev)]
    return TaskData(task, *parts, "digest", **about)


def rows(*counts: int) -> list[Any]:
    return [(f"the text {label} {i}", label) for label, count in enumerate(counts) for i in range(count)]


def test_clean_rows_have_no_doubts(files: BackboneFiles) -> None:
    assert doubts(data(rows(40, 30)), files, 16, "neutral", 64) == []
    assert doubts(data(rows(40, 30))) == []


@pytest.mark.parametrize(("found", "said"), [
    (data(rows(40, 30), notes=("The file is odd.",)), "The file is odd."),
    (data(rows(40, 30), skipped={"train": 3, "dev": 1}), "3 train rows and 1 dev row of task 'mine' have no label"),
    (data(rows(40, 30), skipped={"train": 1, "dev": 0}), "1 train row of task 'mine' has no label, or one that is left "
                                                         "out, and is not used"),
    (data(rows(40, 30), overlap=2), "2 training rows of task 'mine' are also among its own dev rows"),
    (data([*rows(40, 30), ("the text 0 1", 0), ("the text 0 1", 0)]), "2 training rows of task 'mine' repeat an earlier "
     "one, text and label: the first is number 71, the same as number 2 ('the text 0 1')."),
    (data(rows(40, 30), [*rows(30, 29), ("the text 1 0", 1)]), "1 dev row of task 'mine' repeats an earlier one"),
    (data(rows(40, 30), rows(20, 20)), "has 40 dev rows, so one row is 2.5 points of accuracy"),
    (data(rows(40, 0)), "No training row of task 'mine' has the label 'negative', so it cannot be learned."),
    (data(rows(40, 30), rows(60)), "No dev row of task 'mine' has the label 'negative', so it is never scored."),
    (data(rows(1000, 17)), "are uneven: 1,000 rows of 'positive', 17 of 'negative'"),
    (data(rows(40, 12)), "Fewer training rows of task 'mine' than 16 shots have the label 'negative' (12)"),
    (data([*rows(2, 2), *((" ", i % 2) for i in range(60))]), "The column 'text' of task 'mine' is empty in 94% of the "
                                                            "training rows."),
    (data([*rows(40, 30), ("the word " * 60, 1)]), "1% of the training rows of task 'mine' are longer than 64 tokens"),
    (data(rows(40, 30), unknown={"dev": (0.02, "猫")}), "no pieces for 2% of the words in the dev rows"),
    (data([*rows(40, 30), ("a 猫", 0)]), "no pieces for less than 1% of the words in the training rows of task 'mine' "
                                        "(such as '猫')"),
    (data(rows(40, 30), task=replace(TASK, labels=("positive", "猫"))), "cannot write the label word '猫'"),
    (data(rows(40, 30), task=replace(TASK, labels=("positive", "not acceptable"))),
     "different numbers of pieces of backbone '{ref}': 'positive' 1, 'not acceptable' 2. Scoring by 'sum' of "
     "log-probabilities favours the short ones, by 'mean' the long ones."),
    (data(rows(40, 30), task=replace(TASK, labels=("not acceptable", "not neutral"))),
     "'not acceptable' and 'not neutral' of task 'mine' begin with the same piece"),
], ids=lambda one: one[:40] if isinstance(one, str) else "rows")
def test_each_doubtful_thing_is_a_sentence(files: BackboneFiles, found: TaskData, said: str) -> None:
    sentences = doubts(found, files, 16, "neutral", 64)
    assert all(one.isprintable() and one.endswith((".", "?")) and len(one) < 500 for one in sentences)
    hits = [one for one in sentences if said.format(ref=files.ref) in one]
    assert len(hits) == 1, sentences
    assert len(sentences) == 1 or {"No training", "has no pieces"} & {one[:11] for one in sentences} or \
        any(word in said for word in ("12", "No dev", "cannot write", "cannot be learned", "1,000", "empty"))


def test_everything_at_once_is_told_once(files: BackboneFiles) -> None:
    task = replace(TASK, labels=("not acceptable", "not neutral", "猫", "positive"))
    found = data([*rows(100, 2), ("the text 0 1", 0), ("a 猫 " * 60, 1)], rows(20), task, skipped={"train": 1},
                 overlap=1, notes=("The file is odd.",))
    sentences = doubts(found, files, 8, "neutral", 64)
    assert len(sentences) == len(set(sentences)) == 14, "\n".join(sentences)


def test_numbers_have_no_doubts_about_labels(files: BackboneFiles) -> None:
    task = replace(TASK, labels=("0.0", "0.5", "1.0"), numeric=True)
    assert doubts(data(rows(100, 1), task=task), files, 16, "neutral", 64) == []
    assert "correlation" in doubts(data(rows(100, 1), rows(9), task=task))[0]


def test_what_leaves_no_room_for_text_is_told(files: BackboneFiles) -> None:
    assert re.search("must leave room for some text", " ".join(doubts(data(rows(40, 30)), files, 16, "neutral", 3)))


def test_the_check_before_a_launch_says_them_once_for_own_tasks_alone(files: BackboneFiles, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    lines = [f"the text {i}\t{'positive' if i % 9 else 'negative'}" for i in range(90)]
    (tmp_path / "mine" / "train.tsv").write_text("\n".join(["text\tlabel\tid", *(f"{line}\t1" for line in lines)]))
    (tmp_path / "mine" / "dev.tsv").write_text("\n".join(["text\tlabel", *lines[:10], "the dev\tpositive"]))
    task = guess_folder("mine", tmp_path / "mine").task
    experiment = build_experiment({"tasks": "mine", "backbone": files.ref, "shots": "8,16", "seeds": "0-4"})
    notes = check(experiment, Catalogue({"mine": task})).notes
    assert len(set(notes)) == len(notes)
    for once in ("'id'", "also among its own dev rows", "are uneven", "than 16 shots", "11 dev rows"):
        assert sum(once in note for note in notes) == 1, notes
    read, = as_read([load_task(task, None)], files)
    assert set(doubts(read, files, 16)) <= set(notes)
