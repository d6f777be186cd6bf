"""Tasks that a person brought: kept whole or not at all, found again, replaced, forgotten."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from compt_core.errors import ConfigError, DataError
from compt_core.tasks import own
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.definition import read
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import KEPT, Files, Task
from compt_core.tasks.table import TASKS

ROWS = b"text,label\n" + b"".join(b"some text %d,%s\n" % (i, b"ab"[i % 2: i % 2 + 1]) for i in range(20))
TASK = Task("mine", "own", "mine", ("text",), ("a", "b"), indexed=False, files=Files("/gone", "rows.csv"))


def folder(path: Path, name: str = "task.yaml", called: str = "mine") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "rows.csv").write_bytes(ROWS)
    (path / name).write_text(f"name: {called}\ntexts: [text]\nlabel: label\nlabels: [a, b]\ndata: {{file: rows.csv}}\n")
    return path / name


def there(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "tasks").iterdir()) if (home / "tasks").exists() else []


def test_a_kept_task_is_known_with_its_rows_until_it_is_forgotten(home: Path, tmp_path: Path) -> None:
    assert dict(own.kept()) == {}
    task = own.keep_folder(read(folder(tmp_path / "data")))
    shutil.rmtree(tmp_path / "data")
    assert task.files == Files(KEPT, "rows.csv") and own.kept()["mine"] == own.known()["mine"] == task
    data = load_task(task, None)
    assert len(data.train) + len(data.dev) == 20
    assert set(own.known()) == {*TASKS, "mine"} and there(home) == ["mine"]
    moved = tmp_path / "moved"
    shutil.move(home, moved)
    own.tasks_folder().parent.mkdir()
    shutil.move(moved / "tasks", home / "tasks")
    assert load_task(own.kept()["mine"], None).digest == data.digest
    own.forget("mine")
    assert dict(own.kept()) == {} and there(home) == []
    with pytest.raises(DataError, match="There is no kept task 'mine'"):
        own.forget("mine")


def test_a_name_that_is_taken_is_refused_and_replaced_only_if_asked(home: Path) -> None:
    own.keep(TASK, {"rows.csv": ROWS})
    with pytest.raises(DataError, match="There is a kept task 'mine' already"):
        own.keep(TASK, {"rows.csv": b""})
    assert (home / "tasks" / "mine" / "rows.csv").read_bytes() == ROWS
    own.keep(replace(TASK, title="New"), {"rows.csv": ROWS + b"more,a\n"}, replaces=True)
    assert own.kept()["mine"].title == "New" and there(home) == ["mine"]
    assert len(load_task(own.kept()["mine"], None).train) + len(load_task(own.kept()["mine"], None).dev) == 21
    with pytest.raises(DataError, match="taken by a bundled task"):
        own.keep(replace(TASK, name="sst2"), {"rows.csv": ROWS})


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("replaces", [False, True])
def test_an_interrupted_write_leaves_what_was_there(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, replaces: bool
) -> None:
    if replaces:
        own.keep(TASK, {"rows.csv": ROWS})

    def fail(path: Path, target: Path, *, rename=Path.rename) -> Path:
        if target.parent.name == "tasks" and path.parent.name.startswith(".task-") and path.name == "mine":
            raise error
        return rename(path, target)

    for what, does in (("write_text", lambda *_, **__: (_ for _ in ()).throw(error)), ("rename", fail)):
        with monkeypatch.context() as broken:
            broken.setattr(Path, what, does)
            with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else DataError):
                own.keep(replace(TASK, title="New"), {"rows.csv": ROWS}, replaces=replaces)
        assert there(home) == (["mine"] if replaces else [])
        assert not replaces or (own.kept()["mine"].title == "" and load_task(own.kept()["mine"], None).train)


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from compt_core.tasks import own
rename, when, seen = Path.rename, int(sys.argv[1]), []
def killed(path, target):
    seen.append(path)
    if len(seen) == when:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)
Path.rename = killed
own.keep(replace(own.kept()["mine"], title="New"), {"rows.csv": b"text,label\\none,a\\ntwo,b\\n"}, replaces=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("when", [1, 2, 3])
@pytest.mark.parametrize("look", ["kept", "keep", "forget"])
def test_a_process_killed_while_it_replaces_a_task_loses_neither(home: Path, when: int, look: str) -> None:
    """Before the old one is moved aside, before the new one takes its place, and after that."""
    own.keep(TASK, {"rows.csv": ROWS})
    done = subprocess.run([sys.executable, "-c", KILLED, str(when)], timeout=100, check=False)
    assert done.returncode == (-signal.SIGKILL if when < 3 else 0)
    if look == "keep":
        with pytest.raises(DataError, match="There is a kept task 'mine' already"):
            own.keep(TASK, {"rows.csv": ROWS})
    if look == "forget":
        own.forget("mine")
        assert there(home) == [] and not own.kept()
        return
    assert own.kept()["mine"].title == ("" if when < 3 else "New")
    assert ((home / "tasks" / "mine" / "rows.csv").read_bytes() == ROWS) == (when < 3)
    own.keep(replace(TASK, name="other"), {"rows.csv": ROWS})
    assert there(home) == ["mine", "other"]


@pytest.mark.parametrize("name", ["", "..", "../mine", "Mine", "1a", "a" * 41, "a/b", "a\0", "é", ".hidden"])
def test_hostile_names_are_refused(home: Path, name: str) -> None:
    with pytest.raises(DataError, match="The name of a task must have"):
        own.keep(replace(TASK, name=name), {"rows.csv": ROWS})
    with pytest.raises(DataError, match="There is no kept task"):
        own.forget(name)
    assert there(home) == []


@pytest.mark.parametrize("file", ["", ".", "..", "../rows.csv", "a/rows.csv", "/tmp/rows.csv", "a\0b", "task.yaml",
                                  "x\\y", "x" * 300])
def test_hostile_names_of_files_are_refused(home: Path, file: str) -> None:
    with pytest.raises(DataError):
        own.keep(TASK, {file: ROWS})
    assert there(home) == []


def test_a_definition_that_could_not_be_read_again_is_not_kept(home: Path) -> None:
    with pytest.raises(ConfigError):
        own.keep(replace(TASK, labels=("a", "\ud800")), {"rows.csv": ROWS})
    assert there(home) == []


def test_a_kept_folder_that_was_changed_by_hand_is_told_and_hides_nothing(home: Path) -> None:
    own.keep(TASK, {"rows.csv": ROWS})
    folder(home / "tasks" / "other", called="sst2")
    folder(home / "tasks" / "sst2", called="sst2")
    folder(home / "tasks" / "wrong", called="mine")
    (home / "tasks" / "broken").mkdir()
    (home / "tasks" / "broken" / "task.yaml").write_text("name: [")
    problems = list[str]()
    assert list(own.kept(problems)) == ["mine"] and own.known()["sst2"] is TASKS["sst2"]
    assert len(problems) == 4 and all(said.endswith(".") and "cannot be used" in said for said in problems)
    own.forget("broken")
    assert not (home / "tasks" / "broken").exists()


def test_files_that_are_gone_are_a_sentence(home: Path, tmp_path: Path) -> None:
    task = read(folder(tmp_path / "data"))
    (tmp_path / "data" / "rows.csv").unlink()
    with pytest.raises(DataError, match=r"The file '.*rows.csv' of task 'mine' is not there\."):
        load_task(task, None)
    with pytest.raises(DataError, match="cannot be read"):
        own.keep_folder(task)
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(DataError, match="The files of task 'mine' are gone"):
        load_task(task, None)


def test_only_the_files_of_a_definition_are_looked_at(home: Path, tmp_path: Path) -> None:
    task = read(folder(tmp_path / "data"))
    data = load_task(task, None)
    (tmp_path / "data" / "unrelated").mkdir()
    (tmp_path / "data" / "unrelated" / "x.csv").write_text("x")
    assert load_task(task, None) is data
    (tmp_path / "data" / "rows.csv").write_bytes(ROWS + b"more,a\n")
    assert load_task(task, None) is not data


# --- the tasks of an experiment


def test_an_experiment_knows_bundled_kept_given_and_found_tasks(home: Path, tmp_path: Path) -> None:
    own.keep(TASK, {"rows.csv": ROWS})
    given = folder(tmp_path / "given", "g.yaml", "given")
    folder(tmp_path / "data" / "defined", called="defined")
    (tmp_path / "data" / "found").mkdir()
    (tmp_path / "data" / "found" / "train.csv").write_bytes(ROWS)
    said = list[str]()
    tasks = own.catalogue(("sst2", "mine", "given", "defined", "found"), str(tmp_path / "data"), [given], said.append)
    assert isinstance(tasks, Catalogue) and {"sst2", "mine", "given", "defined", "found"} <= set(tasks)
    assert tasks["found"].labels == ("a", "b") and said[0].startswith("Task 'found': the text is 'text'")
    assert "defined" not in own.catalogue(("sst2",), str(tmp_path / "data"))
    assert "nothing" not in own.catalogue(("nothing", "../given"), str(tmp_path / "data"))


def test_every_problem_of_the_tasks_is_told(home: Path, tmp_path: Path) -> None:
    folder(tmp_path / "one", called="sst2")
    folder(tmp_path / "data" / "two", called="other")
    (tmp_path / "data" / "three").mkdir()
    with pytest.raises(ConfigError) as caught:
        own.catalogue(("two", "three"), str(tmp_path / "data"), [tmp_path / "one" / "task.yaml"])
    assert [issue.message.split("'")[0] for issue in caught.value.issues] == ["The task file ", "The task file ",
                                                                              "The folder "]


def test_a_kept_task_before_a_folder_of_the_same_name_is_said(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mine"
    folder.mkdir(parents=True)
    (folder / "all.csv").write_text("text,label\n" + "".join(f"some text {i},{'ab'[i % 2]}\n" for i in range(20)))
    own.keep_folder(own.guess_folder("mine", folder).task)
    said = list[str]()
    own.catalogue(["mine"], str(tmp_path / "data"), say=said.append)
    assert len(said) == 1 and "is the kept one with its own rows" in said[0]


def test_a_data_folder_may_begin_with_a_tilde_and_a_name_that_no_disk_takes_is_no_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "data" / "mine").mkdir(parents=True)
    (tmp_path / "data" / "mine" / "all.csv").write_text("text,label\na good day,yes\na bad day,no\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert own.catalogue(["mine"], "~/data")["mine"].columns == ("text",)
    assert "mine" not in own.catalogue(["mine"], "x" * 5000) and "mine" not in own.catalogue(["mine"], "a\0b")
