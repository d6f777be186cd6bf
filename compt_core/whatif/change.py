"""What an edit did to one task's dev score, with an interval, and the rows whose answer it changed. No torch.

n dev rows · C labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compt_core.scoring.metrics import score
from compt_core.tasks.spec import Row, Task

RESAMPLES = 1000  # of the bootstrap, used if the score is not a share of rows
Z = 1.959964  # two-sided 95% of the normal distribution


@dataclass(frozen=True)
class Change:
    """One task before and after an edit: its primary metric (0-1, correlations -1-1; None if undefined), the interval
    of the difference over the dev rows (None if there is none), and the numbers of the rows whose answer changed, of
    those that became right, and of those that became wrong."""

    task: str
    metric: str
    before: float | None
    after: float | None
    low: float | None
    high: float | None
    flipped: tuple[int, ...] = ()
    gained: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()

    @property
    def difference(self) -> float:
        """After minus before; an undefined score counts 0."""
        return (self.after or 0.0) - (self.before or 0.0)

    @property
    def told(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def compare(task: Task, rows: Sequence[Row], before: np.ndarray, after: np.ndarray) -> Change:
    """Compares predictions [n] before and after on the same rows.

    Accuracy: the interval for a difference of paired proportions by Bonett and Price (Journal of Educational and
    Behavioral Statistics 37, 2012), which has a width even if no answer changed. Other metrics: percentiles of a paired
    bootstrap over rows. Both cover drawing the dev rows again for this one run, not other seeds.
    """
    gold = np.array([row.value for row in rows])
    metric = task.metrics[0]
    old, new = (score(metric, gold.tolist(), one.tolist()) for one in (before, after))
    flipped = np.flatnonzero(before != after)
    if task.numeric:
        low, high = _bootstrap(metric, gold, before, after)
        return Change(task.name, metric, old, new, low, high, tuple(flipped.tolist()))
    right, was = after == gold, before == gold
    gained, lost = np.flatnonzero(right & ~was), np.flatnonzero(was & ~right)
    low, high = proportions(len(gained), len(lost), len(gold)) if metric == "accuracy" else \
        _bootstrap(metric, gold, before, after)
    return Change(task.name, metric, old, new, low, high, *(tuple(one.tolist()) for one in (flipped, gained, lost)))


def proportions(gained: int, lost: int, rows: int) -> tuple[float, float]:
    """95% interval of (gained - lost) / rows: adjusted Wald, with one row added to each (Bonett and Price 2012)."""
    up, down = (gained + 1) / (rows + 2), (lost + 1) / (rows + 2)
    half = Z * math.sqrt((up + down - (up - down) ** 2) / (rows + 2))
    return max(-1.0, up - down - half), min(1.0, up - down + half)


def _bootstrap(metric: str, gold: np.ndarray, before: np.ndarray, after: np.ndarray
               ) -> tuple[float | None, float | None]:
    from scipy.stats import bootstrap  # slow to load

    def difference(rows: np.ndarray, axis: int = -1) -> np.ndarray:
        if metric == "pearson":  # all resamples at once: a hundred times as fast, and a table needs dozens
            return _pearson(gold[rows], after[rows]) - _pearson(gold[rows], before[rows])
        return np.apply_along_axis(one_by_one, axis, rows)

    def one_by_one(rows: np.ndarray) -> float:
        own, base = (score(metric, gold[rows].tolist(), one[rows].tolist()) for one in (after, before))
        return (own or 0.0) - (base or 0.0)

    if len(gold) < 2 or np.array_equal(before, after):
        return None, None
    found = bootstrap((np.arange(len(gold)),), difference, n_resamples=RESAMPLES, method="percentile", vectorized=True,
                      rng=np.random.default_rng(0)).confidence_interval
    return float(found.low), float(found.high)


def _pearson(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Correlation along the last axis, 0 where undefined."""
    one, two = (values - values.mean(-1, keepdims=True) for values in (one, two))
    norms = np.sqrt((one ** 2).sum(-1) * (two ** 2).sum(-1))
    return np.asarray((one * two).sum(-1) / np.where(norms > 1e-12, norms, np.inf))


def points(value: float | None) -> str:
    """A score in points: ``"87.3"``, or ``"undef."`` if there is none."""
    return "undef." if value is None or math.isnan(value) else f"{100 * value:.1f}"


def mean_difference(changes: Sequence[Change]) -> float:
    """Mean over tasks of the differences of their primary scores."""
    return float(np.mean([one.difference for one in changes])) if changes else 0.0
