"""Two runs (or means over seeds) side by side: sources matched, difference, how alike. Pure.

K tasks · S sources. Both are of the same tasks and have as many sources.
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
    correlation  Spearman's, of the two similarities of tasks over all pairs of tasks; None where undefined
    """

    first: Weights
    second: Weights
    gap: np.ndarray
    apart: float
    unmatched: float
    correlation: float | None


def compare(first: Weights, second: Weights) -> Comparison:
    """Brings the sources of `second` into the order of `first`'s and compares."""
    order = order_like(first.values, second.values)
    own = Weights(second.tasks, second.values[:, order], None if second.half is None else second.half[:, order],
                  second.each[:, :, order], second.families)
    gap = own.values - first.values
    return Comparison(first, own, gap, float(np.abs(gap).mean()),
                      float(np.abs(first.values[:, :, None] - second.values[:, None, :]).mean()),
                      _correlation(first, second))


def _correlation(first: Weights, second: Weights) -> float | None:
    """Sources need no order here: each run gives a similarity of tasks, whose mean over runs is ranked."""
    pairs = np.triu_indices(len(first.tasks), k=1)
    one, two = (ranked(np.mean([similarity(each) for each in side.each], axis=0)[pairs]) for side in (first, second))
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return None
    return float(np.corrcoef(one, two)[0, 1])


def gap(found: Comparison) -> Weights:
    """The difference in the shape that weights.frame takes."""
    return Weights(found.first.tasks, found.gap, None, found.gap[None], found.first.families)


def sentences(found: Comparison) -> list[str]:
    """How far apart the two are, or that they are alike, and what of that comes by matching alone."""
    if found.apart < _ALIKE:
        lines = [f"The two are alike: a weight differs by {found.apart:.3f} on average."]
    else:
        k, s = np.unravel_index(np.abs(found.gap).argmax(), found.gap.shape)
        lines = [f"A weight differs by {found.apart:.2f} on average, most for **{literal(found.first.tasks[k])}** and "
                 f"source s{s}: {found.first.values[k, s]:.2f} against {found.second.values[k, s]:.2f}."]
    lines.append("The second's sources are in the order that brings the two nearest, so some likeness comes of itself: "
                 f"over all orders the mean difference is {found.unmatched:.2f}.")
    if found.correlation is None:
        lines.append("Whether the same tasks are alike in both cannot be told: all pairs are equally similar in one, "
                     "or there are too few.")
    else:
        strength = "hardly" if found.correlation < 0.3 else "partly" if found.correlation < 0.7 else "largely"
        lines.append(f"Tasks that are similar in one are {strength} so in the other: rank correlation of the two "
                     f"similarities over all pairs of tasks {found.correlation:.2f}, which needs no matching.")
    return lines
