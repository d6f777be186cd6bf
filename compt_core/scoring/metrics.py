"""Scores of predictions, 0–1 or −1–1; undefined scores are None. Pure, using scikit-learn and scipy.

The two take over a second to load, so each is loaded only when its first score is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from compt_core.scoring.statistics import CORRELATIONS
from compt_core.scoring.statistics import mean_normalised as mean_normalised
from compt_core.scoring.statistics import mean_primary as mean_primary

METRICS = ("accuracy", "f1", "macro_f1", "matthews", "pearson", "spearman")


def score(name: str, gold: Sequence[float], predicted: Sequence[float]) -> float | None:
    """One score of `predicted` against `gold` (label indices, or numbers for pearson and spearman).

    f1 takes index 1 as the positive label; macro_f1 is the mean over the labels that occur in `gold`. None
    if the score is undefined: a number on either side is not finite, or
    one side of a correlation is constant (up to rounding) or too large to compute with. Raises KeyError for an unknown
    metric and ValueError for no rows.
    """
    if not len(gold):
        raise ValueError("A score needs at least one row.")
    y, p = np.asarray(gold), np.asarray(predicted)
    if not (np.isfinite(y).all() and np.isfinite(p).all()):
        return None
    if name in CORRELATIONS and (_constant(y) or _constant(p)):
        return None
    if name == "accuracy":
        return float(np.mean(y == p))
    if name in ("f1", "macro_f1", "matthews"):
        from sklearn import metrics

        if name == "macro_f1":
            return float(metrics.f1_score(y, p, labels=np.unique(y), average="macro", zero_division=0.0))
        return float(metrics.matthews_corrcoef(y, p) if name == "matthews"
                     else metrics.f1_score(y == 1, p == 1, zero_division=0.0))
    from scipy import stats

    value = float({"pearson": stats.pearsonr, "spearman": stats.spearmanr}[name](y, p).statistic)
    return value if math.isfinite(value) else None


def _constant(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())
