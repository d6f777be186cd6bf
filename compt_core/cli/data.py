"""The commands about data: fetch."""

from __future__ import annotations

from typing import Annotated

import typer

from compt_core.cli.options import Once
from compt_core.cli.terminal import say
from compt_core.errors import DataError, nearest, quoted
from compt_core.tasks import selections
from compt_core.tasks.files import all_rows
from compt_core.tasks.table import TASKS

data = typer.Typer(help="Rows of public data sets: fetch.")


@data.callback()
def _group() -> None:
    """Keeps `fetch` a command of its own while it is the only one."""


@data.command(cls=Once)
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="english: 512 training rows and 300 dev rows of eight "
                                                             "tasks, on which the bundled English runs were made.")],
    source: Annotated[str | None, typer.Option("--data-dir", help="Folder with TASK/{train,dev}.* to take the "
                                                                     "rows from. Default: the datasets hub.")] = None,
) -> None:
    """Fetch a fixed selection of rows of public data sets, for the preset of the same name."""
    if name not in selections.NAMES:
        raise DataError(f"The rows to fetch must be those of {' or '.join(map(repr, selections.NAMES))}. Got "
                        f"{quoted(name)} instead.{nearest(name, selections.NAMES)}")
    if source is not None and not source.strip():  # an empty variable in a script; it would mean the current folder
        raise DataError("The option --data-dir must name a folder with TASK/train and TASK/dev files. Got nothing "
                        "instead.")
    if selections.folder(name).is_dir():
        unread = "the hub is not asked" if source is None else f"{source!r} is not read"
        say(f"They are there already, so {unread}.")
    place = selections.fetch(name, TASKS, lambda task: all_rows(task, source), say)
    print(f"The rows of '{name}' are in '{place}'. Use them with 'python -m compt_core run --preset {name}'.")
