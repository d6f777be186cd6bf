"""Means over tasks of their primary scores, and intervals over seeds.

Does not load scikit-learn, and loads scipy only for an interval, so that a table is shown at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev

CORRELATIONS = frozenset({"matthews", "pearson", "spearman"})  # a constant prediction already scores 0 in these
Scores = Mapping[str, Mapping[str, float | None]]  # task -> metric -> value, None where undefined


def mean_primary(tasks: Scores, primary: Mapping[str, str]) -> float:
    """Mean over tasks of each task's primary metric; an undefined score counts as 0."""
    return fmean(tasks[task].get(primary[task]) or 0.0 for task in tasks)


def mean_normalised(tasks: Scores, primary: Mapping[str, str], majority: Scores) -> float:
    """Like :func:`mean_primary`, but with each score rescaled so that the majority class is 0 and a perfect score is 1.

    Scores below the majority are negative; correlations stay as they are. A task whose majority class is already
    perfect counts as 0: its scored rows all have one label, so nothing can be above chance.
    """
    rescaled = []
    for task in tasks:
        value, chance = ((of[task].get(primary[task]) or 0.0) for of in (tasks, majority))
        if primary[task] in CORRELATIONS:
            rescaled.append(value)
        else:
            rescaled.append(0.0 if chance >= 1 else (value - chance) / (1 - chance))
    return fmean(rescaled)


def half_width(values: Sequence[float]) -> float | None:
    """Half the width of the 95% t-interval of the mean of `values`; None for fewer than two."""
    if len(values) < 2:
        return None
    return t_quantile(len(values)) * stdev(values) / math.sqrt(len(values))


def half_width_over_rows(share: float, other: float, rows: int) -> float:
    """Half the width of the 95% interval of the difference of two accuracies (0 to 1), each of `rows` dev rows.

    The normal approximation for independent shares. Two answers to the same row tend to agree, so it is a little wide.
    """
    return 1.96 * math.sqrt((share * (1 - share) + other * (1 - other)) / rows)


@lru_cache(maxsize=256)
def t_quantile(n: int) -> float:
    """Half of the 95% t-interval of n values, in standard errors."""
    from scipy import stats  # slow to load, and one seed needs none

    return float(stats.t.ppf(0.975, n - 1))


@dataclass(frozen=True)
class Paired:
    """Mean difference of paired values, half of its 95% t-interval, and the p of the two-sided paired t-test.

    p is NaN if all differences are the same number other than 0: without spread there is no test.
    """

    mean: float
    half: float
    p: float
    n: int


def paired(own: Sequence[float], base: Sequence[float]) -> Paired:
    """`own` minus `base`, value by value (seed by seed). Raises ValueError for fewer than two pairs."""
    from scipy import stats

    gaps = [high - low for high, low in zip(own, base, strict=True)]
    half = half_width(gaps)
    if half is None:
        raise ValueError("A paired test needs at least two pairs.")
    same = max(gaps) - min(gaps) < 1e-12  # no spread except rounding: scipy would warn and return NaN
    p = (1.0 if abs(gaps[0]) < 1e-12 else math.nan) if same else float(stats.ttest_rel(own, base).pvalue)
    return Paired(fmean(gaps), half, p, len(gaps))


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm, Scandinavian Journal of Statistics 6, 1979), in the given order."""
    corrected, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = highest
    return corrected
