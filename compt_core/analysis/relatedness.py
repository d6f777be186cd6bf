"""Do attention weights follow which tasks are related? Similarity of attention rows, and Mantel's test.

n runs · K tasks · S sources. The order of a run's sources is arbitrary, so runs are never averaged weight by weight.
Instead each run gives a similarity of tasks, which does not change when its sources are renumbered. Pairs of tasks are
not independent (a task is in K − 1 of them), so significance comes from permuting tasks (Mantel, Cancer Research 27,
1967), with the same permutation for all runs. Only numpy; no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import factorial, prod

import numpy as np

MOST = 20_000  # arrangements of the truth that are all tried; if there are more, this many are drawn at random
_AT_ONCE = 2_000  # arrangements that are correlated together


@dataclass(frozen=True)
class Mantel:
    """Correlation of task similarities with the truth over all pairs of tasks, as the mean over runs.

    r         mean over runs of Pearson's correlation; of ranks if asked, partial if there are controls
    each      the runs' correlations; a run whose similarities are all equal counts as 0
    p         share of the arrangements of the truth with a mean of at least r, the true one included
    smallest  the smallest p that this test can give
    """

    r: float
    each: tuple[float, ...]
    p: float
    smallest: float


def similarity(attention: np.ndarray) -> np.ndarray:
    """Cosine similarity [K, K] of the rows of `attention` [K, S]; a row of zeros is similar to no other."""
    norms = np.linalg.norm(attention, axis=1, keepdims=True)
    rows = attention / np.where(norms > 0, norms, 1)
    return np.asarray(rows @ rows.T)


def helps(scores: np.ndarray) -> np.ndarray:
    """How much two tasks help each other [K, K], symmetric, by the `scores` [K, K] of task j (column) under the prompt
    of task i (row): scores less the means of each column and row. The diagonal is not used and becomes 0."""
    rest = np.where(np.eye(len(scores), dtype=bool), np.nan, scores)
    centred = rest - np.nanmean(rest, 0, keepdims=True) - np.nanmean(rest, 1, keepdims=True) + np.nanmean(rest)
    both = (centred + centred.T) / 2
    np.fill_diagonal(both, 0)
    return both


def mantel(similarities: Sequence[np.ndarray], truth: np.ndarray, controls: Sequence[np.ndarray] = (),
           ranks: bool = False) -> Mantel:
    """Mantel's one-sided test of `similarities` [n, K, K] against `truth` [K, K].

    Both must be symmetric; diagonals are not used. With `ranks` it uses Spearman's rank correlation instead of
    Pearson's. With `controls` [c, K, K] the correlation is partial: what the controls explain is removed from both
    sides. If the truth says which tasks form a family (1 within, 0 between) and there are at most MOST ways to divide
    the tasks into families of these sizes, all are tried and p is exact; otherwise MOST random permutations are used.
    """
    pairs = np.triu_indices(len(truth), k=1)
    left_out = np.stack([np.ones(len(pairs[0])), *(control[pairs] for control in controls)], axis=1)
    basis = np.linalg.qr(left_out)[0]
    rows = np.stack([one[pairs] for one in similarities])  # [n, pairs]
    own = _standard(np.stack([ranked(row) for row in rows]) if ranks else rows, basis)
    arranged = _arrangements(truth, ranks)
    each = own @ _standard(arranged[:1], basis)[0]
    mean = own.mean(0)
    means = np.concatenate([_standard(arranged[i:i + _AT_ONCE], basis) @ mean
                            for i in range(0, len(arranged), _AT_ONCE)])
    reached = int((means >= each.mean() - 1e-12).sum())
    return Mantel(float(each.mean()), tuple(map(float, each)), reached / len(means), 1 / len(means))


def ranked(values: np.ndarray) -> np.ndarray:
    """Ranks of `values` [n] from 0; equal values (up to rounding, 1e-9) share the mean of their ranks."""
    order = np.argsort(values, kind="stable")
    new = np.concatenate([[False], np.diff(values[order]) > 1e-9])
    group = np.cumsum(new)
    places = np.bincount(group, weights=np.arange(len(values))) / np.bincount(group)
    found = np.empty(len(values))
    found[order] = places[group]
    return found


def _standard(rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Rows without what `basis` explains, scaled to length 1; a row with nothing left is 0."""
    left = rows - (rows @ basis) @ basis.T
    norms = np.linalg.norm(left, axis=1, keepdims=True)
    return np.where(norms > 1e-9 * np.maximum(1, np.linalg.norm(rows, axis=1, keepdims=True)), left, 0) \
        / np.maximum(norms, 1e-300)


def _arrangements(truth: np.ndarray, ranks: bool) -> np.ndarray:
    """The truth itself, then its permutations by task, each once if there are few: [N, pairs], as ranks if asked."""
    pairs = np.triu_indices(len(truth), k=1)
    families = _families(truth)
    own = truth[pairs][None].astype(float)  # for ones and zeros, ranks only change the scale, which no correlation sees
    if families is not None and _count(sizes := sorted(map(len, families))) <= MOST:
        others = _all_deals(len(truth), tuple(sizes))
        return np.concatenate([own, others[(others != own).any(1)]])
    graded = np.zeros(truth.shape)
    graded[pairs] = ranked(own[0]) if ranks else own[0]
    graded += graded.T
    rng = np.random.default_rng(0)
    orders = [np.arange(len(truth)), *(rng.permutation(len(truth)) for _ in range(MOST - 1))]
    return np.stack([graded[order[pairs[0]], order[pairs[1]]] for order in orders])


@lru_cache(maxsize=4)
def _all_deals(tasks: int, sizes: tuple[int, ...]) -> np.ndarray:
    """Every way to divide tasks into families of these sizes, as ones within and zeros between [N, pairs]."""
    pairs = np.triu_indices(tasks, k=1)
    found = []
    for dealt in _deal(tuple(range(tasks)), sizes):
        family = np.empty(tasks, dtype=int)
        for number, members in enumerate(dealt):
            family[list(members)] = number
        found.append(family[pairs[0]] == family[pairs[1]])
    return np.stack(found).astype(np.float32)


def _families(truth: np.ndarray) -> list[tuple[int, ...]] | None:
    """The groups that a truth of ones and zeros describes; None if it describes none."""
    same = truth + np.eye(len(truth)) > 0
    groups = list(dict.fromkeys(tuple(np.flatnonzero(row).tolist()) for row in same))
    whole = sorted(task for group in groups for task in group) == list(range(len(truth)))
    return groups if whole and set(np.unique(truth)) <= {0, 1} else None


def _count(sizes: Sequence[int]) -> int:
    """Number of ways to divide tasks into families of these sizes, which have no names."""
    alike = prod(factorial(list(sizes).count(size)) for size in set(sizes))
    return factorial(sum(sizes)) // prod(map(factorial, sizes)) // alike


def _deal(tasks: tuple[int, ...], sizes: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
    """Every way to divide `tasks` into families of these sizes, each once: the first task tries a family of each size.
    """
    if not tasks:
        yield []
    for size in dict.fromkeys(sizes):
        rest_of_sizes = list(sizes)
        rest_of_sizes.remove(size)
        for others in combinations(tasks[1:], size - 1):
            family = (tasks[0], *others)
            left = tuple(task for task in tasks if task not in family)
            for rest in _deal(left, tuple(rest_of_sizes)):
                yield [family, *rest]
