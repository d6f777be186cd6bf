"""``task infer|keep|list|forget`` and ``run --task``: what is printed, what is kept, what is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml

from compt_core.tasks.definition import read
from tests.own_tasks import PUBLIC, public_rows

Call = Callable[..., Any]
QUICK = ("--methods", "pt", "--shots", 4, "--steps", 2, "--seeds", 0, "--eval-rows", 6)


def folder(path: Path, name: str, odd: bool = False) -> Path:
    """A folder with one file of rows; if `odd`, with a label that is left out, a missing one and a column too many."""
    (path / name).mkdir(parents=True)
    found = public_rows(name)
    if odd:
        found += [found[0] | {"label": "boat"}, found[1] | {"label": None}]
        found = [row | {"more": 1} for row in found]
    (path / name / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    return path / name


def defined(call: Call, path: Path, name: str) -> Path:
    """The definition that is found in a folder of :func:`folder`, with words that the demo backbone can read and write.
    """
    out = path / "task.yaml"
    assert call("task", "infer", path, "--out", out, "--name", name).code == 0
    given = yaml.safe_load(out.read_text())
    given |= {"prefix": "answer", "texts": dict.fromkeys(given["texts"], "sentence")}
    if "labels" in given:
        given["labels"] = dict(zip(given["labels"], PUBLIC[path.name], strict=False))
    out.write_text(yaml.safe_dump(given))
    return out


def test_what_is_found_is_printed_and_said(call: Call, home: Path, tmp_path: Path) -> None:
    done = call("task", "infer", folder(tmp_path, "cb"))
    assert done.code == 0 and not home.exists()
    given = yaml.safe_load(done.out)
    assert given["name"] == "cb" and given["labels"] == dict(zip(*[PUBLIC["cb"]] * 2, strict=True))
    assert given["data"] == {"file": "rows.jsonl", "share": 0.2, "seed": 0}
    said = done.err.splitlines()
    assert said[0].startswith("Task 'cb': the text is 'premise' and 'hypothesis'; the label is 'label' with 3 labels")
    assert any("dev rows" in line and line.startswith("Note: ") for line in said)
    assert len(said) == len(set(said))


def test_a_task_is_kept_listed_used_and_forgotten(call: Call, home: Path, tmp_path: Path) -> None:
    assert "No task is kept yet" in call("task", "list").out
    assert call("task", "infer", folder(tmp_path, "cb"), "--keep").code == 0
    listed = call("task", "list").out
    assert "cb" in listed and "premise, hypothesis" in listed and "contradiction, entailment, neutral" in listed
    assert "cb" in call("tasks").out
    again = call("task", "infer", tmp_path / "cb", "--keep")
    assert again.code == 2 and "There is a kept task 'cb' already" in again.err
    assert call("task", "forget", "cb").out.startswith("Task 'cb' is deleted.")
    gone = call("task", "forget", "cb")
    assert (gone.code, gone.err) == (2, "There is no kept task 'cb'.\n")
    kept = call("task", "keep", defined(call, tmp_path / "cb", "mine"))
    assert kept.code == 0 and "Task 'mine' is kept." in kept.err and (home / "tasks" / "mine" / "rows.jsonl").is_file()


@pytest.mark.parametrize("words", [("infer", "nowhere"), ("infer", "."), ("keep", "no.yaml"), ("forget", "../x"),
                                   ("infer", "/dev/null"), ("infer", "nowhere", "--name", "No!")])
def test_bad_input_is_a_sentence(call: Call, home: Path, words: tuple[str, ...]) -> None:
    done = call("task", *words)
    assert done.code == 2 and done.out == "" and len(done.err.splitlines()) == 1
    assert not home.exists()


@pytest.mark.parametrize(("called", "named"), [("sts04", "sts04"), ("Reviews (v2)!", "reviews-v2"), ("2020", "")])
def test_a_task_has_its_folders_name_with_its_digits(call: Call, tmp_path: Path, called: str, named: str) -> None:
    done = call("task", "infer", folder(tmp_path, "cb").rename(tmp_path / called))
    if named:
        assert done.code == 0 and done.out.startswith(f"name: {named}\n")
    else:
        assert done.code == 2 and done.err.endswith("beginning with a letter. Give one with --name.\n")


def record(call: Call, out: Path, *words: object) -> tuple[dict[str, Any], str]:
    done = call("run", *QUICK, "--json", out, *words)
    assert done.code == 0, done.err
    run, = json.loads(out.read_text())["runs"]
    return run, done.err


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLIC)
def test_each_schema_trains_on_the_demo_backbone(call: Call, tmp_path: Path, name: str) -> None:
    run, _ = record(call, tmp_path / "out.json", "--task", defined(call, folder(tmp_path, name), name))
    assert list(run["tasks"]) == [name] and run["samples"][name]


@pytest.mark.slow
def test_nothing_is_dropped_silently(call: Call, tmp_path: Path) -> None:
    path = defined(call, folder(tmp_path, "cb", odd=True), "mine")
    given = yaml.safe_load(path.read_text())
    kept = dict(zip(PUBLIC["cb"], ("yes", "no", "neutral"), strict=True))
    path.write_text(yaml.safe_dump(given | {"labels": kept, "leave_out": ["boat"]}))
    run, said = record(call, tmp_path / "out.json", "--task", path)
    assert run["skipped"] == {"mine": {"train": 2}}
    notes = run["data_notes"]
    assert "The data of task 'mine' has a column that is not used: 'more'." in notes
    assert "The train rows of task 'mine' with these labels are left out, as its definition says: 'boat' (1)." in notes
    assert any("70" in note and "set aside as dev rows" in note for note in notes)
    assert all(f"Note: {note}" in said for note in notes if not note.startswith("The sample"))
    assert "2 train rows of task 'mine' have no label, or one that is left out, and are not used." in said
    assert sum(run["eval_rows"].values()) == 6


@pytest.mark.slow
def test_a_given_task_stands_beside_others_and_an_unknown_folder_is_one(call: Call, tmp_path: Path) -> None:
    path = defined(call, folder(tmp_path / "given", "news"), "mine")
    run, _ = record(call, tmp_path / "a.json", "--task", path, "--tasks", "demo-mood")
    assert list(run["tasks"]) == ["demo-mood", "mine"]
    folder(tmp_path / "data", "cb")
    done = call("run", *QUICK, "--tasks", "cb", "--data-dir", tmp_path / "data")
    assert "Task 'cb': the text is 'premise' and 'hypothesis'" in done.err
    assert done.code == 0 or "no pieces" in done.err
    assert read(path).name == "mine"


def test_a_definition_that_is_there_is_not_written_over(call: Call, home: Path, tmp_path: Path) -> None:
    out = folder(tmp_path, "cb") / "task.yaml"
    assert call("task", "infer", tmp_path / "cb", "--out", out).code == 0
    assert call("task", "infer", tmp_path / "cb", "--out", out).code == 0, "it says the same"
    out.write_text(out.read_text() + "title: Mine\n")
    done = call("task", "infer", tmp_path / "cb", "--out", out)
    assert done.code == 2 and done.out == "" and out.read_text().endswith("title: Mine\n")
    assert done.err == f"The file '{out}' of --out is there already, with other contents. Give another name, or " \
                       "delete it first.\n"


@pytest.mark.parametrize(("words", "said"), [
    ((), "Either a folder or a data set on the hub (--hub USER/NAME) must be given. Got neither."),
    ((".", "--hub", "a/b"), "Got the folder '.' and --hub a/b."),
    ((".", "--dev", "test"), "The option --dev must stand beside --hub."),
    (("--hub", "../x"), "A data set on the hub is called NAME or USER/NAME. Got '../x' instead."),
    (("--hub", "user/name"), "The data set 'user/name' could not be loaded from the hub"),
])
def test_a_folder_or_a_data_set_must_be_named(call: Call, home: Path, words: tuple[str, ...], said: str) -> None:
    done = call("task", "infer", *words)
    assert done.code != 0 and done.out == "" and said in done.err and len(done.err.splitlines()) == 1


def test_a_data_set_on_the_hub_is_printed_and_kept(call: Call, home: Path, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    load = datasets.load_dataset
    for split in ("train", "test"):
        (tmp_path / "hub").mkdir(exist_ok=True)
        found = [row | {"premise": f"{split} {row['premise']}"} for row in public_rows("cb", 60)]
        (tmp_path / "hub" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    monkeypatch.setattr(datasets, "load_dataset", lambda path, config: load(
        "json", data_files={split: str(tmp_path / "hub" / f"{split}.jsonl") for split in ("train", "test")},
        cache_dir=str(tmp_path / "cache")))
    done = call("task", "infer", "--hub", "User/My_Set", "--keep", "--train", "test", "--dev", "train")
    assert done.code == 0, done.err
    given = yaml.safe_load(done.out)
    assert given["data"] == {"hub": "User/My_Set", "train": "test", "dev": "train"} and given["name"] == "my_set"
    assert (home / "tasks" / "my_set" / "task.yaml").is_file()
