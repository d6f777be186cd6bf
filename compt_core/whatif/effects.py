"""What muting each source does to each task, and whether a large weight means a large effect. No torch.

K tasks · S sources · n dev rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from compt_core.analysis.relatedness import ranked
from compt_core.scoring.statistics import half_width, holm

SCORE: Final = "score"  # the task's primary metric, 0-1 or -1-1
PROBABILITY: Final = "log-probability"  # of the right label among the label words, nats, mean over dev rows
MEASURES: Final = (SCORE, PROBABILITY)
PERMUTATIONS = 10_000


@dataclass(frozen=True)
class Effects:
    """Changes of one measure, after minus before: below 0 if what was removed had helped. Arrays of one shape.

    low, high  95% interval for drawing the dev rows again; NaN if there is none or if nothing changed
    p          two-sided p of a change of 0; 1 if nothing changed
    """

    change: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray

    @property
    def corrected(self) -> np.ndarray:
        """p after Holm's correction over all cells; NaN if there is no p."""
        known = ~np.isnan(self.p)
        found = np.full(self.p.shape, math.nan)
        found[known] = holm(self.p[known].tolist())
        return found


def side_by_side(*columns: Effects) -> Effects:
    """Joins effects of shape [K] to effects of shape [K, columns], to be corrected together."""
    return Effects(*(np.stack([getattr(one, name) for one in columns], axis=1)
                     for name in ("change", "low", "high", "p")))


@dataclass(frozen=True)
class Ablation:
    """The table of one run: every source muted in turn, each part switched off, and a control of equal size.

    metrics  the primary metric of each task [K]          weights  attention as used [K, S]
    before   measure -> the score as trained [K]
    muted    measure -> effects of weight 0 for a source [K, S]
    shifted  measure -> effects of moving the prompt as far in a random direction instead; None if not asked for
    private_off, shared_off  measure -> effects of that part's gate at 0 [K]; None if the run has no other part
    renormalise  whether the other weights were scaled so that their sum stayed the same
    A measure that the run does not have (log-probabilities, if texts were generated) is missing from all.
    """

    run: str
    tasks: tuple[str, ...]
    metrics: tuple[str, ...]
    renormalise: bool
    weights: np.ndarray
    before: Mapping[str, np.ndarray]
    muted: Mapping[str, Effects]
    shifted: Mapping[str, Effects] | None
    private_off: Mapping[str, Effects] | None
    shared_off: Mapping[str, Effects] | None


@dataclass(frozen=True)
class Relation:
    """Spearman's rank correlation of weights with sizes of effects, over the cells whose weight is not 0.

    r         over all these cells at once           within    mean over tasks of each task's own correlation
    p, within_p  share of the permutations of sources within each task that reach at least this value
    cells, tasks  how many cells entered r, and how many tasks entered within
    """

    r: float
    p: float
    within: float
    within_p: float
    cells: int
    tasks: int


def relation(weights: np.ndarray, effect: np.ndarray, permutations: int = PERMUTATIONS) -> Relation | None:
    """How well `weights` [K, S] predict which effects [K, S] are large; None if no task has two different weights and
    two different effects, so that there is nothing to rank.

    Cells of weight 0 are left out: muting them changes nothing by construction. Cells of one task share its rows and
    its private prompt, so p comes from permuting the sources within each task, which keeps differences between tasks.
    This assumes that a run's sources are exchangeable within each task; a mean over seeds (`over`) does not.
    """
    rows = [np.flatnonzero((row != 0) & ~np.isnan(effect[k])) for k, row in enumerate(weights)]
    ranks = [(ranked(weights[k, kept]), ranked(effect[k, kept])) for k, kept in enumerate(rows)]
    usable = [k for k, pair in enumerate(ranks) if all(len(one) > 1 and np.ptp(one) > 0 for one in pair)]
    if not usable:
        return None
    at = tuple(np.concatenate(parts) for parts in zip(*((np.full(len(kept), k), kept) for k, kept in enumerate(rows)),
                                                      strict=True))
    weight, size = _unit(ranked(weights[at])), _unit(ranked(effect[at]))
    rng = np.random.default_rng(0)
    orders = [rng.permuted(np.tile(np.arange(len(kept)), (permutations, 1)), axis=1) for kept in rows]
    starts = np.cumsum([0, *map(len, rows)])
    drawn = weight[np.concatenate([order + start for order, start in zip(orders, starts, strict=False)], axis=1)] @ size
    own, other = zip(*(tuple(map(_unit, ranks[k])) for k in usable), strict=True)
    within = float(np.mean([one @ two for one, two in zip(own, other, strict=True)]))
    inner = np.mean([one[orders[k]] @ two for k, one, two in zip(usable, own, other, strict=True)], axis=0)
    r = float(weight @ size)
    return Relation(r, _reached(drawn, r), within, _reached(inner, within), len(weight), len(usable))



@dataclass(frozen=True)
class Over:
    """Mean over runs of the known values, and half of its 95% t-interval (None for fewer than two)."""

    mean: float
    half: float | None
    each: tuple[float, ...]


def over(values: Sequence[float | None]) -> Over | None:
    """The mean over runs (seeds) of one number per run; None if all are unknown."""
    known = tuple(value for value in values if value is not None and not math.isnan(value))
    return Over(float(np.mean(known)), half_width(known), known) if known else None


def _unit(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean()
    return np.asarray(centred / (np.linalg.norm(centred) or 1.0))


def _reached(drawn: np.ndarray, own: float) -> float:
    """p of a permutation test, with the observed order counted as one of them."""
    return (1 + int((drawn >= own - 1e-12).sum())) / (1 + len(drawn))
