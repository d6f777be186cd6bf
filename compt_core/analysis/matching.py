"""Brings the sources of different runs into one order, because their own order is arbitrary.

n runs · K tasks · S sources. Two runs that learned the same thing may number their sources differently, so attention
must be matched before it is averaged. The Hungarian algorithm (Kuhn, Naval Research Logistics Quarterly 2, 1955;
scipy's ``linear_sum_assignment``) finds the order that brings two matrices closest. Only numpy and scipy; no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ROUNDS = 50  # most rounds of matching to the mean; it settles after a few


def order_like(reference: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """The order [S] of the columns of `attention` [K, S] that brings them closest to `reference` [K, S]."""
    from scipy.optimize import linear_sum_assignment  # takes a third of a second, so it is loaded only when needed

    distance = ((reference[:, :, None] - attention[:, None, :]) ** 2).sum(0)  # [S of reference, S]
    return np.asarray(linear_sum_assignment(distance)[1])


def matched(attentions: Sequence[np.ndarray]) -> np.ndarray:
    """Attention [n, K, S] of the runs with their sources in one order, the order of the most typical run.

    Each run is matched to the run that all others are closest to, then to the mean of all, until nothing moves. The
    order that a run's sources had does not matter, except for ties and for the choice of the typical run.
    """
    runs = [np.asarray(one, dtype=float) for one in attentions]
    costs = [sum(float(((one - other[:, order_like(one, other)]) ** 2).sum()) for other in runs) for one in runs]
    reference = runs[int(np.argmin(costs))]
    orders: list[list[int]] = []
    for _ in range(ROUNDS):
        before, orders = orders, [order_like(reference, one).tolist() for one in runs]
        if orders == before:
            break
        reference = np.mean([one[:, order] for one, order in zip(runs, orders, strict=True)], axis=0)
    return np.stack([one[:, order] for one, order in zip(runs, orders, strict=True)])
