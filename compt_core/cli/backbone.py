"""``python -m compt_core backbone list | check | fetch | convert``: the T5s that can be used. Loads no torch."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from compt_core.backbone import hub
from compt_core.backbone.about import about, size
from compt_core.backbone.config import parameters
from compt_core.backbone.convert import convert
from compt_core.backbone.files import check_contents
from compt_core.backbone.here import on_this_machine
from compt_core.backbone.load import find_backbone
from compt_core.cli.options import Once
from compt_core.cli.terminal import console, say
from compt_core.errors import BackboneError, quoted
from compt_core.tasks.seen import seen_glue

commands = typer.Typer(no_args_is_help=True, help="List, check, fetch and convert the T5s that can be used.")
BAD_INPUT = 2
_STEPS = 10  # lines of progress for a large file, where no person watches
_LARGE = 10_000_000  # bytes

Ref = Annotated[str, typer.Argument(metavar="REF", help="demo, a folder, a hub id, or ID@REVISION.")]


@commands.command("list", cls=Once)
def list_backbones() -> None:
    """List the T5s that are on this machine, in the project and in the hub's cache."""
    table = Table("backbone", "kind", "hidden size", "parameters", "on disk", "trained on GLUE", "can be used",
                  box=None, header_style="bold")
    for one in on_this_machine():
        about_it = ("", "", "") if one.settings is None else (
            one.settings.model_type, f"{one.settings.d_model:,}", f"{parameters(one.settings):,}")
        table.add_row(Text(one.ref), *about_it, size(one.size), seen_glue(one.ref)[0],
                      "no; see 'backbone check'" if one.lacks or one.settings is None else "yes")
    console().print(table)


@commands.command("check", cls=Once)
def check(ref: Ref) -> int:
    """Say what is there, how large it is, its licence, whether it was trained on GLUE, and whether it can be used."""
    found = about(ref)
    table = Table(box=None, show_header=False)
    for what, how in found.rows():
        table.add_row(Text(what, style="bold"), Text(how))
    console().print(table)
    if found.problem:
        say(found.problem)
        return BAD_INPUT
    return 0


@commands.command("fetch", cls=Once)
def fetch(ref: Ref) -> None:
    """Download a model of the hub, so that it can be used without a network, and check all of it."""
    asked = hub.parse(ref)
    if asked is None:
        raise BackboneError(f"Only a hub id can be fetched, such as google-t5/t5-small. Got {quoted(ref, 200)}; a "
                            "folder can be used as it is.")
    try:
        listing = hub.look(asked)
    except hub.Unreachable as error:
        raise BackboneError(f"The backbone '{ref}' could not be fetched from the hub: {error}. Check the network, and "
                            "try again.") from None
    listing.insist()
    total = listing.size(listing.plan)
    say(f"Fetching {len(listing.plan.files)} files of '{ref}' ({hub.told(listing.revision, listing.commit)})"
        f"{'' if total is None else f', {size(total)}'}.")
    hub.fetched(listing, None if sys.stderr.isatty() else _lines())
    files = find_backbone(ref)
    check_contents(files)
    print(f"The backbone '{ref}' is on this machine and can be used: hidden size {files.hidden:,}, {files.revision}.")


def _lines() -> type[Any]:
    """A class like tqdm's that writes plain lines: none for a small file, some for a large one."""
    from tqdm import tqdm

    class Lines(tqdm):  # type: ignore[type-arg]
        said = 0

        def __init__(self, *given: Any, **how: Any) -> None:
            how.pop("name", None)  # of the hub's own class
            super().__init__(*given, **how | {"disable": False, "miniters": 1, "mininterval": 0})

        def display(self, *_: Any, **__: Any) -> bool:
            done = int(_STEPS * self.n / self.total) if self.total else 0
            if (self.total or 0) >= _LARGE and done > self.said:
                self.said = done
                say(f"{self.desc.rstrip(': ')}: {size(int(self.n))} of {size(int(self.total))}")
            return True

        def close(self) -> None:
            self.disable = True  # it has nothing to wipe away

    return Lines


@commands.command("convert", cls=Once)
def convert_command(ref: Ref, out: Annotated[str, typer.Argument(metavar="OUT", help="A new or empty folder.")]
                    ) -> None:
    """Write a model with pickled weights as safetensors into the folder OUT. Nothing in the pickle is run."""
    files = convert(ref, out, say)
    print(f"The backbone '{files.ref}' can be used: hidden size {files.hidden:,}, all weights as safetensors.")
