"""Means over tasks of their primary scores. Loads neither scikit-learn nor scipy, so that a table is shown at once."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

CORRELATIONS = frozenset({"matthews", "pearson", "spearman"})  # a constant prediction is 0 there already
Scores = Mapping[str, Mapping[str, float | None]]  # task -> metric -> value, None where undefined


def mean_primary(tasks: Scores, primary: Mapping[str, str]) -> float:
    """Mean over tasks of each task's primary metric; an undefined score counts 0."""
    return fmean(tasks[task][primary[task]] or 0.0 for task in tasks)


def mean_normalised(tasks: Scores, primary: Mapping[str, str], majority: Scores) -> float:
    """As :func:`mean_primary`, each score rescaled so that the majority class scores 0 and perfect 1.

    Correlations stay as they are, and so does a score whose majority class is perfect already.
    """
    rescaled = []
    for task in tasks:
        value, chance = tasks[task][primary[task]] or 0.0, majority[task][primary[task]] or 0.0
        rescaled.append(value if primary[task] in CORRELATIONS or chance >= 1 else (value - chance) / (1 - chance))
    return fmean(rescaled)
