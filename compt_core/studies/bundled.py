"""What studies found that come with the project: their readings and scores, without runs. Loads no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compt_core.studies.study import Figure, Raw, Reading, Study

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "studies"


@dataclass(frozen=True)
class Bundled:
    """The reading of a study that was run in full.

    command   what makes it again
    runs      how many runs it is made of
    settings  those of its first part
    minutes   how long all parts trained, in minutes, and `where`: what they trained on
    """

    reading: Reading
    command: str
    runs: int
    settings: Raw
    minutes: float
    where: str


def bundled(study: Study) -> Bundled | None:
    """What comes with the project for a study; None where nothing does."""
    file = FOLDER / f"{study.name}.json"
    if not file.is_file():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    return Bundled(reading(found), found["command"], len(found["scores"]), found["settings"], found["minutes"],
                   found["where"])


def reading(found: dict[str, Any]) -> Reading:
    """The reading in what `python -m compt_core study NAME --json FILE` wrote."""
    figures = tuple(Figure(one["name"], one["title"], one["kind"], tuple(one["columns"]),
                           tuple(tuple(row) for row in one["rows"]), one["reading"]) for one in found["figures"])
    return Reading(tuple(found["reading"]), figures, found["numbers"])
