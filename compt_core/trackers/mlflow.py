"""MLflow: an experiment there for each experiment here, in MLFLOW_TRACKING_URI or a database in the home."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from compt_core.trackers.tracker import Subject, picture_of, scores_of, table_of

_LONGEST = 500  # characters of a parameter that every store of MLflow takes
_AT_ONCE = 900  # metrics of a request; MLflow takes 1,000


class MLflow:
    """Speaks to MLflow through its client, which has no state of its own."""

    def __init__(self, folder: Path):
        where = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / 'mlflow.db'}"
        self._files = None if os.environ.get("MLFLOW_TRACKING_URI") else (folder / "artifacts").as_uri()
        self._client, self._runs = MlflowClient(where), dict[str, str]()

    def start(self, subject: Subject) -> None:
        """A run with its settings as parameters and the way back as its description."""
        name = f"compt-{subject.experiment}"
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name, self._files)
        run = self._client.create_run(experiment, run_name=subject.name, tags={"mlflow.note.content": subject.link,
                                                                               "compt.run": subject.run})
        self._runs[subject.run] = run.info.run_id
        self._client.log_batch(run.info.run_id, params=[Param(key, value[:_LONGEST]) for key, value
                                                        in subject.settings.items()])

    def log(self, subject: Subject, step: int, values: Mapping[str, float]) -> None:
        """A metric for each value."""
        now = int(time.time() * 1000)
        found = [Metric(name, value, now, step) for name, value in values.items()]
        for first in range(0, len(found), _AT_ONCE):
            self._client.log_batch(self._runs[subject.run], metrics=found[first:first + _AT_ONCE])

    def end(self, subject: Subject, state: str, result: Mapping[str, Any] | None) -> None:
        """Scores as metrics, weights and gates as a table and a picture."""
        run = self._runs.pop(subject.run)
        if result is not None:
            now = int(time.time() * 1000)
            self._client.log_batch(run, [Metric(name, value, now, 0) for name, value in scores_of(result).items()],
                                   tags=[RunTag("compt.state", state)])
            columns, rows = table_of(subject, result)
            self._client.log_table(run, {name: [row[i] for row in rows] for i, name in enumerate(columns)},
                                   "tasks.json")
            if weights := result.get("attention"):
                self._client.log_image(run, picture_of(weights), "attention.png")
        self._client.set_terminated(run, "FINISHED" if state == "completed" else "KILLED" if state != "failed"
                                    else "FAILED")

    def close(self) -> None:
        """Nothing is open."""
