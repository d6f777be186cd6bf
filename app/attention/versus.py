"""Two runs (or means over seeds) compared: sources matched, their difference, how alike they are. Pure.

K tasks · S sources. Both have the same tasks and the same number of sources.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.show.captions import literal
from app.show.weights import Weights
from compt_core.analysis.matching import order_like
from compt_core.analysis.relatedness import ranked, similarity

_ALIKE = 0.02  # mean absolute difference of two weights below which they are called alike


@dataclass(frozen=True)
class Comparison:
    """`second` with its sources in the order nearest to `first`, and how far apart the two are.

    gap          second minus first [K, S]
    apart        mean absolute difference of a weight
    unmatched    the same, as the mean over all orders of the second's sources
    correlation  Spearman's, between the similarities of all pairs of tasks in the two; None where undefined
    """

    first: Weights
    second: Weights
    gap: np.ndarray
    apart: float
    unmatched: float
    correlation: float | None


def compare(first: Weights, second: Weights) -> Comparison:
    """Puts the sources of `second` in the order nearest to `first` and compares the two."""
    order = order_like(first.values, second.values)
    own = Weights(second.tasks, second.values[:, order], None if second.half is None else second.half[:, order],
                  second.each[:, :, order], second.families)
    gap = own.values - first.values
    return Comparison(first, own, gap, float(np.abs(gap).mean()),
                      float(np.abs(first.values[:, :, None] - second.values[:, None, :]).mean()),
                      _correlation(first, second))


def _correlation(first: Weights, second: Weights) -> float | None:
    """The order of sources does not matter here: the similarities of tasks are ranked, as the mean over runs."""
    pairs = np.triu_indices(len(first.tasks), k=1)
    one, two = (ranked(np.mean([similarity(each) for each in side.each], axis=0)[pairs]) for side in (first, second))
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return None
    return float(np.corrcoef(one, two)[0, 1])


def gap(found: Comparison) -> Weights:
    """The difference in the shape that weights.frame takes."""
    return Weights(found.first.tasks, found.gap, None, found.gap[None], found.first.families)


def sentences(found: Comparison) -> list[str]:
    """How far apart the two are, and how much of their likeness comes from matching alone."""
    if found.apart < _ALIKE:
        lines = [f"The two are alike: weights differ by {found.apart:.3f} on average."]
    else:
        k, s = np.unravel_index(np.abs(found.gap).argmax(), found.gap.shape)
        lines = [f"Weights differ by {found.apart:.2f} on average, and most for **{literal(found.first.tasks[k])}** "
                 f"and source s{s}: {found.first.values[k, s]:.2f} against {found.second.values[k, s]:.2f}."]
    lines.append("The second's sources are put in the order that brings the two closest, which by itself makes them "
                 f"more alike. Over all orders, the mean difference is {found.unmatched:.2f}.")
    if found.correlation is None:
        lines.append("It cannot be told whether the same tasks are alike in both: in one of them all pairs of tasks "
                     "are equally similar, or there are too few pairs.")
    else:
        strength = "hardly" if found.correlation < 0.3 else "partly" if found.correlation < 0.7 else "largely"
        lines.append(f"Tasks that are similar in one are {strength} so in the other: over all pairs of tasks, the rank "
                     f"correlation of the two similarities is {found.correlation:.2f}. This needs no matching.")
    return lines
