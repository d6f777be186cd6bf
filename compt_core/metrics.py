"""Scores of predictions, 0–1 or −1–1; undefined scores are None. Pure, on scikit-learn and scipy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats
from sklearn import metrics as sk

from compt_core.means import CORRELATIONS
from compt_core.means import mean_normalised as mean_normalised
from compt_core.means import mean_primary as mean_primary

METRICS = ("accuracy", "f1", "matthews", "pearson", "spearman")


def score(name: str, gold: Sequence[float], predicted: Sequence[float]) -> float | None:
    """One score of `predicted` against `gold` (label indices, or numbers for pearson and spearman).

    f1 takes index 1 as the positive label. None where the score is undefined: a correlation with a
    side that is constant but for rounding. Raises KeyError for an unknown metric and ValueError for no rows.
    """
    if not len(gold):
        raise ValueError("A score needs at least one row.")
    y, p = np.asarray(gold), np.asarray(predicted)
    if name in CORRELATIONS and (_constant(y) or _constant(p)):
        return None
    compute = {
        "accuracy": lambda: sk.accuracy_score(y, p),
        "f1": lambda: sk.f1_score(y == 1, p == 1, zero_division=0.0),
        "matthews": lambda: sk.matthews_corrcoef(y, p),
        "pearson": lambda: stats.pearsonr(y, p).statistic,
        "spearman": lambda: stats.spearmanr(y, p).statistic,
    }[name]
    return float(compute())


def _constant(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())
