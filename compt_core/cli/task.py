"""``python -m compt_core task``: what a folder of rows or a data set is as a task, and the tasks that are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from compt_core.cli.options import Once
from compt_core.cli.output import writable, write_file
from compt_core.cli.terminal import console, say
from compt_core.errors import ConfigError, Issue, plural, quoted
from compt_core.planning.doubts import doubts
from compt_core.tasks import folders, own
from compt_core.tasks.definition import NAME_SAID, read, written
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import Task, TaskData

task = typer.Typer(no_args_is_help=True, help="Your own tasks: find out what a folder of rows is, and keep it.")


@task.command("infer", cls=Once)
def infer_task(
    folder: Annotated[Path | None, typer.Argument(help="A folder with train and dev files, or with one file.")] = None,
    hub: Annotated[str | None, typer.Option(help="A data set on the datasets hub, USER/NAME, in place of a folder.")
                   ] = None,
    configuration: Annotated[str | None, typer.Option(help="Which of the data set's configurations.")] = None,
    train: Annotated[str | None, typer.Option(help="The data set's split to train on.")] = None,
    dev: Annotated[str | None, typer.Option(help="The data set's split with dev rows.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the task; default: that of the folder or data set.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the definition here, beside the data as task.yaml, for "
                                                  "example. A file with other contents is left as it is.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the task with its files, so that every command and page "
                                       "knows it.")] = False,
) -> int:
    """Print the definition of a task that is found in a folder or on the hub, and what was taken for what."""
    place = _place(folder, hub, {"configuration": configuration, "train": train, "dev": dev})
    file = writable(out, "--out") if out else None
    named = own.name_of(place) if name is None else name
    if not named and name is None:
        raise ConfigError([Issue("name", f"The name of {quoted(str(place))} cannot be that of a task, which has "
                                         f"{NAME_SAID}. Give one with --name.")])
    guess = folders.guess_hub(named, hub, configuration, train or "", dev or "") if hub else \
        folders.guess_folder(named, place)
    text = written(guess.task)
    if file and file.exists() and not _holds(file, text):
        raise ConfigError([Issue("out", f"The file {quoted(str(out), 200)} of --out is there already, with other "
                                        "contents. Give another name, or delete it first.")])
    for sentence in guess.said:
        say(sentence)
    _say_rows(load_task(guess.task, None))
    if file:
        write_file(file, text)
        beside = guess.task.files is None or file.resolve().parent == place.resolve()
        say(f"Wrote '{file}'. Change it as you like, then use it with 'run --task {file}'." if beside else
            f"Wrote '{file}'. Change it as you like, and put it into '{place}' before you use it: it names files "
            "beside it.")
    else:
        print(text, end="")
    if keep:
        _keep(guess.task)
    return 0


def _place(folder: Path | None, hub: str | None, of_hub: Mapping[str, str | None]) -> Path:
    """The folder, or the data set's name as one. Raises ConfigError unless one of them is given."""
    said = f"the folder {quoted(str(folder))}" if folder else "no folder"
    given = [f"--{option}" for option, value in of_hub.items() if value is not None]
    if (folder is None) == (hub is None):
        raise ConfigError([Issue("hub", "Either a folder or a data set on the hub (--hub USER/NAME) must be given. Got "
                                        f"{'neither' if hub is None else f'{said} and --hub {hub}'}.")])
    if given and hub is None:
        raise ConfigError([Issue("hub", f"The option {given[0]} must stand beside --hub. Got {said}; leave it out, or "
                                        "write a definition that names the files.")])
    return Path(hub) if hub is not None else folder or Path()


def _holds(file: Path, text: str) -> bool:
    try:
        return file.read_bytes() == text.encode()
    except OSError:
        return False


@task.command("keep", cls=Once)
def keep_task(file: Annotated[Path, typer.Argument(help="A definition (YAML) with its data files beside it.")]) -> int:
    """Keep a task with its files in the home, so that every command and page knows it."""
    defined = read(file)
    _say_rows(load_task(defined, None))
    _keep(defined)
    return 0


@task.command("list", cls=Once)
def list_kept() -> int:
    """List the kept tasks."""
    problems = list[str]()
    kept = own.kept(problems)
    say(*problems)
    if not kept:
        print("No task is kept yet. Keep one with 'python -m compt_core task infer FOLDER --keep'.")
        return 0
    table = Table("task", "title", "texts", "label", "labels", box=None, header_style="bold")
    for name, one in kept.items():
        labels = f"{one.labels[0]} to {one.labels[-1]}" if one.numeric else ", ".join(one.labels[:6])
        table.add_row(name, one.title, ", ".join(one.columns), one.label_column, labels)
    console().print(table)
    return 0


@task.command("forget", cls=Once)
def forget_task(name: Annotated[str, typer.Argument(help="A kept task.")]) -> int:
    """Delete a kept task with its files. Stored runs keep their scores and prompts."""
    own.forget(name)
    print(f"Task '{name}' is deleted. Its runs keep their scores; their sentences can no longer be shown.")
    return 0


def with_own(tasks: object, files: Sequence[Path]) -> object:
    """The setting `tasks` with the tasks of `files`: what is given is trained on. Raises ConfigError."""
    names = [read(file).name for file in files]
    if isinstance(tasks, str):
        tasks = [part for one in tasks.split(",") if (part := one.strip())]
    if tasks is None or isinstance(tasks, list | tuple):
        given = list(tasks or ())
        return [*given, *(name for name in names if name not in given)]
    return tasks  # not as it must be, which the check of all settings says


def _say_rows(data: TaskData) -> None:
    say(f"{plural(len(data.train), 'training row')} and {plural(len(data.dev), 'dev row')}.")
    say(*(f"Note: {note}" for note in doubts(data)))


def _keep(defined: Task) -> None:
    kept = own.keep_folder(defined)
    say(f"Task '{kept.name}' is kept. Use it with 'python -m compt_core run --tasks {kept.name}'.")
