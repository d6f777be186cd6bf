"""What a tracker is told, and what it must do with it. Loads no tracker and no torch.

K tasks · S sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from compt_core.errors import plural
from compt_core.training.events import Event

if TYPE_CHECKING:
    from PIL.Image import Image

_CELL = 28  # px of a weight in an image


@dataclass(frozen=True)
class Subject:
    """A run that is followed: its id, its experiment's, its row of the comparison, and its settings."""

    run: str
    experiment: str
    row: str
    config: Mapping[str, Any]

    @property
    def tasks(self) -> Sequence[str]:
        """The names of its tasks, in the order of every matrix."""
        return list(self.config["tasks"])

    @property
    def name(self) -> str:
        """For lists: row, shots, seed and id."""
        return f"{self.row} {plural(self.config['shots'], 'shot')} seed {self.config['seed']} {self.run}"

    @property
    def settings(self) -> dict[str, str]:
        """Its settings as text, without empty ones."""
        return {name: str(value) for name, value in self.config.items() if value not in (None, "", (), [])}

    @property
    def link(self) -> str:
        """How to find it in ComPT Lab."""
        return f"Run {self.run} of experiment {self.experiment}: python -m compt_core show {self.run}, or the page " \
               f"/runs?experiment={self.experiment} of the dashboard"


class Tracker(Protocol):
    """One tracker. All calls come from one thread; whatever it raises ends it and nothing else."""

    def start(self, subject: Subject) -> None:
        """A run has begun."""
        ...

    def log(self, subject: Subject, step: int, values: Mapping[str, float]) -> None:
        """Measured values of a step, by name."""
        ...

    def end(self, subject: Subject, state: str, result: Mapping[str, Any] | None) -> None:
        """A run has ended; its result if it is completed."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


def values_of(event: Event, tasks: Sequence[str]) -> dict[str, float]:
    """Name -> value of an event's finite numbers: ``loss``, ``task_loss/TASK``, ``attention/TASK/s0``,
    ``alpha/TASK``."""
    numbers, count = np.asarray(event.values, dtype=float), len(tasks)
    if event.kind == "loss":
        names = ["loss"]
    elif event.kind == "attention":
        names = [f"attention/{task}/s{s}" for task in tasks for s in range(len(numbers) // count)]
    elif event.kind == "gates":
        names = [f"{gate}/{task}" for gate in ("alpha", "beta") for task in tasks]
    elif event.kind == "prompts":  # a sketch for the page Prompt space
        return {}
    else:
        names = [f"{event.kind}/{task}" for task in tasks]
    return {name: float(value) for name, value in zip(names, numbers, strict=True) if np.isfinite(value)}


def scores_of(result: Mapping[str, Any]) -> dict[str, float]:
    """``score/TASK/METRIC`` -> dev score, and their mean, of a completed run."""
    found = {f"score/{task}/{metric}": float(value) for task, metrics in result["tasks"].items()
             for metric, value in metrics.items() if value is not None}
    return {**found, "score/mean": float(result["mean"])}


def table_of(subject: Subject, result: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """(column names, rows): each task's first score, weights over the sources and gates, where there are any."""
    columns, rows = ["task", "score"], [[task, next(iter(result["tasks"][task].values()))] for task in subject.tasks]
    if weights := result.get("attention"):
        columns += [f"s{s}" for s in range(len(weights[0]))]
        rows = [[*row, *own] for row, own in zip(rows, weights, strict=True)]
    for gate in ("alpha", "beta"):
        if result.get(gate):
            columns.append(gate)
            rows = [[*row, value] for row, value in zip(rows, result[gate], strict=True)]
    return columns, rows


def picture_of(weights: Sequence[Sequence[float]]) -> Image:
    """Attention weights [K, S] as a grey picture, white for 0; a row for each task."""
    from PIL import Image

    shades = 255 - (np.clip(np.asarray(weights, dtype=float), 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(np.kron(shades, np.ones((_CELL, _CELL), dtype=np.uint8)))
