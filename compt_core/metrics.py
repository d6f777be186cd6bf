"""Scores of predictions, 0–1 or −1–1; undefined scores are None. Pure, on scikit-learn and scipy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats
from sklearn import metrics as sk

METRICS = ("accuracy", "f1", "matthews", "pearson", "spearman")
CORRELATIONS = frozenset({"matthews", "pearson", "spearman"})  # 0 is chance already


def score(name: str, gold: Sequence[float], predicted: Sequence[float]) -> float | None:
    """One score of `predicted` against `gold` (label indices, or numbers for pearson and spearman).

    f1 takes index 1 as the positive label. None where the score is undefined: a correlation with a
    constant side. Raises KeyError for an unknown metric and ValueError for no rows.
    """
    if not len(gold):
        raise ValueError("A score needs at least one row.")
    y, p = np.asarray(gold), np.asarray(predicted)
    if name in CORRELATIONS and (np.all(y == y[0]) or np.all(p == p[0])):
        return None
    compute = {
        "accuracy": lambda: sk.accuracy_score(y, p),
        "f1": lambda: sk.f1_score(y == 1, p == 1, zero_division=0.0),
        "matthews": lambda: sk.matthews_corrcoef(y, p),
        "pearson": lambda: stats.pearsonr(y, p).statistic,
        "spearman": lambda: stats.spearmanr(y, p).statistic,
    }[name]
    return float(compute())


def mean_primary(tasks: Mapping[str, Mapping[str, float | None]], primary: Mapping[str, str]) -> float:
    """Mean over tasks of each task's primary metric; an undefined score counts 0."""
    return float(np.mean([tasks[task][primary[task]] or 0.0 for task in tasks]))


def mean_normalised(
    tasks: Mapping[str, Mapping[str, float | None]],
    primary: Mapping[str, str],
    majority: Mapping[str, Mapping[str, float | None]],
) -> float:
    """As :func:`mean_primary`, each score rescaled so that the majority class scores 0 and perfect 1.

    Correlations stay as they are: a constant prediction is 0 there already.
    """
    rescaled = []
    for task in tasks:
        value, chance = tasks[task][primary[task]] or 0.0, majority[task][primary[task]] or 0.0
        rescaled.append(value if primary[task] in CORRELATIONS or chance >= 1 else (value - chance) / (1 - chance))
    return float(np.mean(rescaled))
