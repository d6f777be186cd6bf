"""TensorBoard: a folder of event files for each run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from compt_core.trackers.tracker import Subject, picture_of, scores_of, table_of


class TensorBoard:
    """Writes into ``FOLDER/EXPERIMENT/NAME``."""

    def __init__(self, folder: Path):
        self._folder, self._open = folder, dict[str, SummaryWriter]()

    def start(self, subject: Subject) -> None:
        """Settings and the way back as text."""
        writer = SummaryWriter(str(self._folder / subject.experiment / subject.name))
        self._open[subject.run] = writer
        writer.add_text("link", subject.link)
        writer.add_text("settings", _markdown(["setting", "value"], list(subject.settings.items())))

    def log(self, subject: Subject, step: int, values: Mapping[str, float]) -> None:
        """A point for each value."""
        for name, value in values.items():
            self._open[subject.run].add_scalar(name, value, step)

    def end(self, subject: Subject, state: str, result: Mapping[str, Any] | None) -> None:
        """Scores, weights and gates as a table, weights as a picture."""
        writer = self._open.pop(subject.run)
        if result is not None:
            for name, value in scores_of(result).items():
                writer.add_scalar(name, value, subject_steps(subject))
            writer.add_text("table", _markdown(*table_of(subject, result)))
            if weights := result.get("attention"):
                writer.add_image("attention", np.asarray(picture_of(weights)), dataformats="HW")
        writer.add_text("state", state)
        writer.close()

    def close(self) -> None:
        """Closes what is open."""
        for writer in self._open.values():
            writer.close()


def subject_steps(subject: Subject) -> int:
    """The step at which scores stand."""
    return int(subject.config.get("steps") or 0)


def _markdown(columns: list[str], rows: list[Any]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in line) + " |"
                     for line in lines)
