"""Tasks that a person brought: kept in the home, found in a data folder, or given as a file. Loads no torch.

A kept task is a folder ``COMPT_HOME/tasks/NAME`` with task.yaml and its data files. It appears whole or not at all.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from compt_core.errors import ComptError, ConfigError, DataError, Issue, quoted
from compt_core.home import home_folder
from compt_core.scratch import ASIDE, clear, scratch
from compt_core.tasks import definition
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.definition import FILE
from compt_core.tasks.folders import guess_folder as guess_folder
from compt_core.tasks.spec import HOME, KEPT, OWN, Task
from compt_core.tasks.table import TASKS

_LOOKED_AT = 200  # files of a folder, in search of a definition


def tasks_folder() -> Path:
    """Where tasks are kept, a folder each."""
    return home_folder() / "tasks"


def folder_of(task: Task) -> Path:
    """The folder of the files of a person's own task."""
    assert task.files is not None
    folder = task.files.folder
    if folder.startswith(HOME):
        return home_folder() / folder.removeprefix(HOME)
    return tasks_folder() / task.name if folder == KEPT else Path(folder)


def kept(problems: list[str] | None = None) -> Catalogue:
    """The kept tasks by name; a folder whose definition cannot be read adds a sentence to `problems`."""
    _put_back()
    found = {}
    for path in sorted(tasks_folder().glob(f"*/{FILE}")) if tasks_folder().is_dir() else ():
        try:
            task = _read(path, path.stat().st_mtime_ns)
            if task.name != path.parent.name or task.name in TASKS:
                raise DataError(f"Its definition must have the name of its folder, which is no bundled task's. Got "
                                f"'{task.name}' instead.")
            found[task.name] = replace(task, files=replace(task.files, folder=KEPT)) if task.files else task
        except (ComptError, OSError) as error:
            if problems is not None:
                problems.append(f"The kept task in '{path.parent}' cannot be used. {error}")
    return Catalogue(found)


def known(problems: list[str] | None = None) -> Catalogue:
    """The bundled tasks and the kept ones."""
    return Catalogue({**TASKS, **kept(problems)})


def catalogue(names: Collection[str], data_dir: str | None = None, files: Sequence[Path] = (),
              say: Callable[[str], None] = lambda _: None) -> Catalogue:
    """The tasks that an experiment on `names` can use: bundled and kept ones, those that `files` define, and those that
    are found in `data_dir`: a folder NAME with task.yaml, or without one if no other task has that name.

    What was inferred goes to `say`, a sentence each. Raises ConfigError and DataError.
    """
    found, problems, defined = dict(known()), list[Issue](), set[str]()
    for path in files:
        task = definition.read(path)
        defined.add(task.name)
        if task.name in TASKS:
            problems.append(Issue("tasks", f"The task file '{path}' must not take the name of a bundled task. Got "
                                           f"'{task.name}'; give it another name."))
        found[task.name] = task
    for name in names:
        folder = Path(os.path.expanduser(data_dir or "")) / name
        if not data_dir or name in defined or not definition.NAME.fullmatch(name) or not os.path.isdir(folder):
            continue  # os.path: a name that no disk takes is no folder either, and no error
        try:
            if (folder / FILE).is_file():
                task = definition.read(folder / FILE)
                if task.name != name or name in TASKS:
                    raise DataError(f"The task file '{folder / FILE}' must have the name of its folder, which is no "
                                    f"bundled task's. Got '{task.name}'.")
                found[name] = task
            elif name not in found:
                guess = guess_folder(name, folder)
                for sentence in guess.said:
                    say(sentence)
                found[name] = guess.task
            elif name not in TASKS:
                say(f"Task '{name}' is the kept one with its own rows; the folder '{folder}' is not read. Give that "
                    "folder another name, or a task.yaml.")
        except ConfigError as error:
            problems += error.issues
        except DataError as error:
            problems.append(Issue("tasks", str(error)))
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return Catalogue(found)


def keep(task: Task, files: Mapping[str, bytes], replaces: bool = False) -> Task:
    """Keeps a task with its data files (name -> contents) in the home, and returns it as kept.

    Raises DataError where the name is taken and `replaces` is false, or where the home cannot take it; then nothing is
    changed.
    """
    name, home, text = definition.check_name(task.name), tasks_folder(), definition.written(task)
    if wrong := next((file for file in files if not definition.is_file_name(file) or file == FILE), None):
        raise DataError(f"A data file of task '{name}' must have a plain name other than {FILE}. Got {quoted(wrong)}; "
                        "rename it.")
    definition.read_text(text)  # what could not be read again must not be kept
    if name in TASKS:
        raise DataError(f"The name '{name}' is taken by a bundled task. Choose another name.")
    _put_back()
    target = home / name
    if target.exists() and not replaces:
        raise DataError(f"There is a kept task '{name}' already. Choose another name, or delete it first.")
    try:
        home.mkdir(parents=True, exist_ok=True)
        with scratch(home, "task") as room:
            made = room / name
            made.mkdir()
            for file, content in files.items():
                (made / file).write_bytes(content)
            (made / FILE).write_text(text, encoding="utf-8")
            before = room / ASIDE / name
            if target.exists():
                before.parent.mkdir()
                target.rename(before)
            try:
                made.rename(target)
            except BaseException:  # Ctrl+C as well; after a kill, _put_back does it
                if before.exists():
                    before.rename(target)
                raise
    except OSError as error:
        raise DataError(f"The task '{name}' cannot be kept in '{home}': {error.strerror or error}. Free some disk "
                        "space or repair the folder, then try again.") from None
    return kept()[name]


def _put_back() -> None:
    """Puts a kept task back that a killed process had moved aside to replace it."""
    if any(tasks_folder().glob(f".task-*/{ASIDE}/*")):  # otherwise nothing is locked
        clear(tasks_folder(), "task")


def keep_folder(task: Task) -> Task:
    """As :func:`keep`, with the files that its definition names. Raises DataError."""
    if task.files is None:
        return keep(task, {})
    if not task.files.train:
        raise DataError(f"The data of task '{task.name}' is a folder that save_to_disk wrote, which cannot be kept. "
                        "Write it as .parquet or .jsonl files, or use it with --data-dir.")
    try:
        return keep(task, {name: (folder_of(task) / name).read_bytes() for name in task.files.names})
    except OSError as error:
        raise DataError(f"The files of task '{task.name}' cannot be read: {error.strerror}.") from None


def name_of(folder: Path) -> str:
    """A task name made of a folder's name; "" where none can be."""
    plain = re.sub(r"[^a-z0-9_.-]+", "-", folder.resolve().name.lower()).lstrip("-._0123456789")
    return plain[:40].rstrip("-._")


def forget(name: str) -> None:
    """Deletes a kept task. Raises DataError where there is none."""
    if name not in kept() and not (definition.NAME.fullmatch(name) and (tasks_folder() / name).is_dir()):
        raise DataError(f"There is no kept task '{name}'.")
    try:
        with scratch(tasks_folder(), "task") as room:  # out of sight in one step
            (tasks_folder() / name).rename(room / name)
            shutil.rmtree(room / name, ignore_errors=True)
    except OSError as error:
        raise DataError(f"The task '{name}' in '{tasks_folder()}' cannot be deleted: {error.strerror}. Repair the "
                        "folder, then try again.") from None


@dataclass(frozen=True)
class Ways:
    """How a command names the own tasks of an experiment: the `files` that it must give with --task; names of tasks
    that are kept or bundled under the same name with `another` meaning, and of those that are nowhere (`gone`)."""

    files: tuple[Path, ...] = ()
    another: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def ways(tasks: Mapping[str, Task], data_dir: str | None) -> Ways:
    """How a command finds the `tasks` of a stored experiment again, with its `data_dir`."""
    now, files, another, gone = known(), list[Path](), list[str](), list[str]()
    for name, task in tasks.items():
        same = name in now and now[name].meaning == task.meaning
        if task.suite != OWN or same or _in_data(task, data_dir):
            continue
        if (file := file_of(task)) is not None:
            files.append(file)
        else:
            (another if name in now else gone).append(name)
    return Ways(tuple(files), tuple(another), tuple(gone))


def file_of(task: Task) -> Path | None:
    """The definition of a task in the folder of its files; None where there is none that means the same."""
    if task.files is None or not folder_of(task).is_dir():
        return None
    for path in sorted(folder_of(task).iterdir(), key=lambda path: path.name != FILE)[:_LOOKED_AT]:
        if path.suffix.lower() in (".yaml", ".yml") and path.is_file():
            with suppress(ComptError, OSError, ValueError):
                found = definition.read(path)
                if found.files and replace(found.meaning, files=replace(found.files, folder=task.files.folder)) == \
                        task.meaning:
                    return path
    return None


def _in_data(task: Task, data_dir: str | None) -> bool:
    """Whether a data folder defines the task, or it is guessed from what is there."""
    folder = Path(data_dir or "") / task.name
    if not data_dir or not folder.is_dir():
        return False
    if not (folder / FILE).is_file():
        return task.files is not None and folder_of(task) == folder.resolve()
    with suppress(ComptError, OSError):
        return definition.read(folder / FILE).meaning == task.meaning
    return False


@lru_cache(maxsize=256)
def _read(path: Path, _changed: int) -> Task:
    return definition.read(path)
