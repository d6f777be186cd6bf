"""Trackio: a project there for each experiment here, in TRACKIO_DIR or a folder in the home."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from compt_core.trackers.tracker import Subject, picture_of, scores_of, table_of


class Trackio:
    """Several runs at once: Trackio itself would end one when another begins."""

    def __init__(self, folder: Path):
        os.environ.setdefault("TRACKIO_DIR", str(folder))  # read when it is imported
        import trackio
        from trackio import context_vars

        self._trackio, self._current, self._runs = trackio, context_vars.current_run, dict[str, Any]()

    def start(self, subject: Subject) -> None:
        """A run with its settings."""
        self._current.set(None)
        with redirect_stdout(sys.stderr):  # what it prints is no result of ours
            self._runs[subject.run] = self._trackio.init(
                f"compt-{subject.experiment}", name=subject.name, config={**subject.settings, "link": subject.link},
                embed=False, auto_log_gpu=False, auto_log_cpu=False)

    def log(self, subject: Subject, step: int, values: Mapping[str, float]) -> None:
        """One record with all values of a step."""
        self._runs[subject.run].log(dict(values), step=step)

    def end(self, subject: Subject, state: str, result: Mapping[str, Any] | None) -> None:
        """Scores, and weights and gates as a table and a picture."""
        run = self._runs.pop(subject.run)
        if result is not None:
            import pandas as pd

            columns, rows = table_of(subject, result)
            found: dict[str, Any] = {**scores_of(result),
                                     "tasks": self._trackio.Table(dataframe=pd.DataFrame(rows, columns=columns))}
            if weights := result.get("attention"):
                found["attention"] = self._trackio.Image(picture_of(weights),
                                                         caption=f"tasks: {', '.join(subject.tasks)}")
            run.log(found)
        with redirect_stdout(sys.stderr):
            run.finish()

    def close(self) -> None:
        """Ends what is open."""
        with redirect_stdout(sys.stderr):
            for run in self._runs.values():
                run.finish()
