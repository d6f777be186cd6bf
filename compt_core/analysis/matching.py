"""Sources of different runs, brought into one order: they have none of their own.

n runs · K tasks · S sources. Two runs that learned the same may number their sources differently, so
attention must be matched before it is averaged: the Hungarian algorithm (Kuhn, Naval Research Logistics
Quarterly 2, 1955; scipy's ``linear_sum_assignment``) finds the order that brings two matrices nearest.
Numpy and scipy alone; no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ROUNDS = 50  # of matching to the mean; it settles after a few


def order_like(reference: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """The order [S] of the columns of `attention` [K, S] that brings them nearest to `reference` [K, S]."""
    from scipy.optimize import linear_sum_assignment  # a third of a second, which only who matches is to wait for

    distance = ((reference[:, :, None] - attention[:, None, :]) ** 2).sum(0)  # [S of reference, S]
    return np.asarray(linear_sum_assignment(distance)[1])


def matched(attentions: Sequence[np.ndarray]) -> np.ndarray:
    """Attention [n, K, S] of the runs with their sources in one order, that of the most typical run.

    Each is matched to the run to which all others come nearest, then to the mean of all, until nothing
    moves. The same whatever order the sources of a run had, but for ties and for which run is typical.
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
