"""Which runs of an experiment are trained side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

LARGEST_FLEET = 256  # runs


def fleets(runs: Sequence[T]) -> list[Sequence[T]]:
    """Runs of one experiment and backbone, in grid order, divided into those that train side by side."""
    return [runs[start:start + LARGEST_FLEET] for start in range(0, len(runs), LARGEST_FLEET)]
