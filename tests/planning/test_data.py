"""The rows of an experiment as its backbone reads them: what is the same to it, what it cannot read, what is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compt_core.analysis.answers import data_of
from compt_core.backbone.files import BackboneFiles
from compt_core.backbone.load import find_backbone
from compt_core.errors import DataError
from compt_core.planning.data import LONGEST, as_read, load_data
from compt_core.tasks.files import digest_of, load_task
from compt_core.tasks.spec import Row, TaskData
from compt_core.tasks.table import CATALOGUE, SUITES, TASKS


def data(name: str, train: list[Any], dev: list[Any], **about: Any) -> TaskData:
    """Rows of a task from their texts, a text alone or several."""
    rows = [tuple(Row(one if isinstance(one, tuple) else (one,), i % 2, float(i % 2)) for i, one in enumerate(part))
            for part in (train, dev)]
    return TaskData(TASKS[name], *rows, digest_of(rows), **about)


@pytest.fixture(scope="module")
def files(tiny_t5: Path) -> BackboneFiles:
    """The tiny T5's: it has no pieces beyond printable ASCII."""
    return find_backbone(str(tiny_t5))


@pytest.mark.parametrize("twin", [
    "the old river", "the  old river", " the old\triver\u00a0", "the\nold\u3000river ",
])
def test_a_training_row_that_stands_in_dev_but_for_white_space_is_left_out(files: BackboneFiles, twin: str) -> None:
    one, = as_read([data("sst2", [twin, "the old cat", "The old river"], ["the old river"])], files)
    assert [row.texts[0] for row in one.train] == ["the old cat", "The old river"]
    assert one.overlap == 1 and one.digest == digest_of((one.train, one.dev))
    assert one.notes == (
        "1 training row of task 'sst2' is also among its own dev rows, so it is not trained on.",)


def test_rows_that_differ_in_what_the_backbone_cannot_write_are_the_same(files: BackboneFiles) -> None:
    given_rows = data("sst2", [f"the {mark} sentence" for mark in ("猫", "犬", "鳥鳥", "cat")], ["the 魚 sentence"])
    assert [row.texts[0] for row in as_read([given_rows], files)[0].train] == ["the cat sentence"]
    demo, = as_read([data("sst2", ["The dog praised a wizard.", "the dog praised a zebra", "the cat praised a cat"],
                          ["the dog praised a dragon"])], find_backbone("demo"))
    assert [row.texts[0] for row in demo.train] == ["the cat praised a cat"]


def test_rows_are_left_out_for_dev_of_every_task_in_any_order_and_counted_by_pair(files: BackboneFiles) -> None:
    mrpc = data("mrpc", [("a", "b"), ("d", "c"), ("e", "f"), ("g", "h")], [("e", "f")], notes=("Read so.",))
    stsb = data("stsb", [("h", "g"), ("a", "c")], [("a", "b"), ("c", "d"), ("e", "f")])
    sst2 = data("sst2", ["a", "b", "a b"], ["a", "c"])  # a text of a pair is not the pair
    found = {one.task.name: one for one in as_read([mrpc, stsb, sst2], files)}
    assert [row.texts for row in found["mrpc"].train] == [("g", "h")]
    assert found["mrpc"].notes == (
        "Read so.",
        "1 training row of task 'mrpc' is also among its own dev rows, so it is not trained on.",
        "3 training rows of task 'mrpc' are also among the dev rows of task 'stsb', so they are not trained on.")
    assert found["mrpc"].overlap == 3  # rows, not pairs of tasks
    assert (found["stsb"].train, found["stsb"].digest) == (stsb.train, stsb.digest)
    assert [row.texts[0] for row in found["sst2"].train] == ["b", "a b"]
    assert [one.dev for one in found.values()] == [mrpc.dev, stsb.dev, sst2.dev]


def test_a_task_alone_keeps_what_stands_in_dev_of_others(files: BackboneFiles) -> None:
    mrpc, stsb = data("mrpc", [("a", "b"), ("c", "d")], [("e", "f")]), data("stsb", [("g", "h")], [("a", "b")])
    assert len(as_read([mrpc], files)[0].train) == 2
    assert len(as_read([mrpc, stsb], files)[0].train) == 1


def test_a_task_of_which_no_training_row_is_left_is_refused(files: BackboneFiles) -> None:
    with pytest.raises(DataError, match="All training rows of task 'mrpc' are dev rows"):
        as_read([data("mrpc", [("a", "b")], [("c", "d")]), data("stsb", [("e", "f")], [("b", "a")])], files)


@given(st.lists(st.text("ab ", max_size=4), min_size=1, max_size=6), st.lists(st.text("ab ", max_size=4), max_size=6))
def test_nothing_else_is_left_out(tiny_t5: Path, train: list[str], dev: list[str]) -> None:
    files = find_backbone(str(tiny_t5))
    one, = as_read([data("sst2", [*train, "the end"], dev)], files)
    words = {tuple(text.split()) for text in dev}
    assert [row.texts[0] for row in one.train] == [text for text in [*train, "the end"]
                                                   if tuple(text.split()) not in words]


def test_long_texts_are_compared_to_the_longest_input(files: BackboneFiles) -> None:
    begins = "the river " * LONGEST
    same, other = begins + "opens", "a " + begins
    train = [begins + "baker", other, " " * 10**6 + "cat", "x" * 10**6]
    one, = as_read([data("sst2", train, [same, "cat", "y" * 10**6])], files)
    assert [row.texts[0][:2] for row in one.train] == ["a ", "xx"]


def test_the_bundled_suites_have_no_overlap_so_their_samples_are_those_of_before() -> None:
    demo = load_data((*SUITES["demo"], *SUITES["demo-glue"]), None, find_backbone("demo"))
    assert all(not one.overlap and not one.notes and not one.unknown for one in demo)


def test_data_are_read_once_while_nothing_changes(files: BackboneFiles, glue_dir: Path) -> None:
    first = load_data(("rte", "cola"), str(glue_dir), files)
    again = load_data(("rte", "cola"), str(glue_dir), find_backbone(files.ref))
    assert all(one is other for one, other in zip(first, again, strict=True))


@pytest.mark.parametrize(("train", "dev", "said"), [
    (0, 0, None), (4, 4, None), (5, 0, "5% of the words in the training rows and 0% of those in the dev rows"),
    (0, 7, "0% of the words in the training rows and 7% of those in the dev rows"),
])
def test_words_without_pieces_are_said_from_a_share_of_one_in_twenty(
    files: BackboneFiles, train: int, dev: int, said: str | None
) -> None:
    rows = [[f"{'猫' if number < lost else ''}{split}{number}" for number in range(100)]
            for split, lost in (("a", train), ("b", dev))]
    one, = as_read([data("sst2", *rows)], files)
    shares = {split: (lost / 100, f"猫{letter}0") for split, letter, lost in (("train", "a", train), ("dev", "b", dev))}
    assert one.unknown == {split: found for split, found in shares.items() if found[0]}
    example = "猫a0" if train else "猫b0"
    assert one.notes == (() if said is None else (
        f"The tokenizer of backbone '{files.ref}' has no pieces for {said} of task 'sst2' (such as '{example}').",))


def test_a_backbone_that_reads_next_to_nothing_leaves_no_row_out(files: BackboneFiles) -> None:
    """The check refuses it; that all rows look alike to it is no fault of theirs."""
    one, = as_read([data("sst2", ["猫", "犬"], ["魚"])], files)
    assert len(one.train) == 2 and one.unknown["train"][0] == 1


def test_the_data_of_a_run_are_found_again_by_its_digest(tiny_t5: Path, tmp_path: Path) -> None:
    """Whether rows were left out as its backbone reads them, or it is of a version that left out equal texts alone."""
    for task, firsts in (("mrpc", (0, 20)), ("stsb", (30, 3))):
        (tmp_path / task).mkdir()
        for split, first in zip(("train", "dev"), firsts, strict=True):
            lines = [f"a {n}\tb {n}\t{n % 2}" for n in range(first, first + 5)]
            (tmp_path / task / f"{split}.tsv").write_text("\n".join(["sentence1\tsentence2\tlabel", *lines]) + "\n")
    raw = [load_task(TASKS[name], str(tmp_path)) for name in ("mrpc", "stsb")]
    read = as_read(raw, find_backbone(str(tiny_t5)))
    assert read[0].digest != raw[0].digest
    config = {"tasks": ["mrpc", "stsb"], "data_dir": str(tmp_path), "backbone": str(tiny_t5)}
    for wanted in (raw, read):
        digests = {"data": {d.task.name: d.digest for d in wanted}}
        run: Any = SimpleNamespace(id="r", config=config, tasks=CATALOGUE, versions=digests)
        assert [data_of(run, one.task.name).train for one in wanted] == [one.train for one in wanted]
    gone: Any = SimpleNamespace(**{**vars(run), "config": config | {"backbone": str(tmp_path / "gone")}})
    with pytest.raises(DataError, match="only its backbone tells"):
        data_of(gone, "mrpc")
    run.versions["data"]["mrpc"] = "other"
    with pytest.raises(DataError, match="are not those that run r was trained"):
        data_of(run, "mrpc")
