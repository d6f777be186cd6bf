"""The effects of an edit, as a file. No torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from compt_core.runs.record import RunRecord
from compt_core.whatif.change import Change
from compt_core.whatif.edit import Edit, write

FORMAT = 1


def document(run: RunRecord, edit: Edit, changes: Sequence[Change]) -> str:
    """An edit with all its effects, as JSON: the run, the edit's text, and task -> the fields of its Change (values
    0-1, correlations -1-1, undefined null; rows by their number among the scored dev rows)."""
    return json.dumps({
        "format": FORMAT, "run": run.id, "experiment": run.experiment, "variant": run.variant, "method": run.method,
        "shots": run.shots, "seed": run.seed, "backbone": run.config["backbone"], "edit": write(edit),
        "tasks": {one.task: asdict(one) for one in changes}}, indent=1) + "\n"
