"""Weights & Biases: offline unless WANDB_MODE says otherwise; ``wandb sync`` uploads what lies in the home."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from compt_core.trackers.tracker import Subject, picture_of, scores_of, table_of


class WandB:
    """Several runs at once."""

    def __init__(self, folder: Path):
        self._folder, self._runs = folder, dict[str, Any]()

    def start(self, subject: Subject) -> None:
        """A run with its settings, in the project ``compt`` and the experiment's group."""
        mode = os.environ.get("WANDB_MODE", "offline")
        self._runs[subject.run] = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "compt"), group=subject.experiment, name=subject.name,
            id=subject.run, notes=subject.link, config=dict(subject.settings), dir=str(self._folder),
            mode=mode, reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, disable_git=True,
                                    disable_code=True))

    def log(self, subject: Subject, step: int, values: Mapping[str, float]) -> None:
        """One record with all values of a step."""
        self._runs[subject.run].log(dict(values), step=step)

    def end(self, subject: Subject, state: str, result: Mapping[str, Any] | None) -> None:
        """Scores in the summary, weights and gates as a table and a picture."""
        run = self._runs.pop(subject.run)
        if result is not None:
            run.summary.update(scores_of(result))
            columns, rows = table_of(subject, result)
            found: dict[str, Any] = {"tasks": wandb.Table(columns=columns, data=rows)}
            if weights := result.get("attention"):
                found["attention"] = wandb.Image(picture_of(weights), caption=f"tasks: {', '.join(subject.tasks)}")
            run.log(found)
        run.finish(exit_code=0 if state != "failed" else 1)

    def close(self) -> None:
        """Ends what is open."""
        for run in self._runs.values():
            run.finish(exit_code=1)
