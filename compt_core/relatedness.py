"""Do attention weights follow which tasks are related? Similarity of attention rows, and Mantel's test.

n runs · K tasks · S sources. The sources of a run have no order, so runs are never averaged weight by
weight: each gives a similarity of tasks, which does not change when its sources are renumbered. Pairs of
tasks are not independent (a task is in K − 1 of them), so significance comes from permuting tasks
(Mantel, Cancer Research 27, 1967), the same permutation for all runs. Numpy alone; no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import factorial, prod

import numpy as np

MOST = 20_000  # arrangements of the truth that are gone through one by one; beyond, as many are drawn
_AT_ONCE = 2000  # arrangements, so that many tasks do not take much memory


@dataclass(frozen=True)
class Mantel:
    """Correlation of task similarities with the truth over all pairs of tasks, as the mean over runs.

    r         mean over runs of Pearson's correlation, or of the partial one given controls
    each      the runs' correlations; a run whose similarities are all alike counts 0
    p         share of the arrangements of the truth with a mean of at least r, the true one included
    smallest  the smallest p that this test can give
    """

    r: float
    each: tuple[float, ...]
    p: float
    smallest: float


def similarity(attention: np.ndarray) -> np.ndarray:
    """Cosine similarity [K, K] of the rows of `attention` [K, S]; a row of zeros is similar to none."""
    norms = np.linalg.norm(attention, axis=1, keepdims=True)
    rows = attention / np.where(norms > 0, norms, 1)
    return np.asarray(rows @ rows.T)


def mantel(similarities: Sequence[np.ndarray], truth: np.ndarray, controls: Sequence[np.ndarray] = ()) -> Mantel:
    """Mantel's test, one-sided, of `similarities` [n, K, K] against `truth` [K, K].

    Both must be symmetric; diagonals are not used. With `controls` [c, K, K] the correlation is partial:
    what the controls explain is taken out of both sides. Where the truth says which tasks form a family
    (1 within, 0 between), every way to deal the tasks to families of these sizes is gone through if there
    are at most MOST, so p is exact; else MOST random permutations stand for all.
    """
    pairs = np.triu_indices(len(truth), k=1)
    left_out = np.stack([np.ones(len(pairs[0])), *(control[pairs] for control in controls)], axis=1)
    basis = np.linalg.qr(left_out)[0]
    own = _standard(np.stack([one[pairs] for one in similarities]), basis)  # [n, pairs]

    each = own @ _standard(truth[pairs][None], basis)[0]
    arranged = _arranged(truth.astype(float).tobytes(), len(truth))  # [m, pairs]
    means = np.concatenate([_standard(some, basis) @ own.mean(axis=0)
                            for some in np.array_split(arranged, len(arranged) // _AT_ONCE + 1)])
    reached = int((means >= each.mean() - 1e-12).sum())
    return Mantel(float(each.mean()), tuple(map(float, each)), reached / len(means), 1 / len(means))


def _standard(rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Rows with what `basis` explains taken out, at length 1; a row of which nothing is left is 0."""
    left = rows - (rows @ basis) @ basis.T
    norms = np.linalg.norm(left, axis=1, keepdims=True)
    return np.where(norms > 1e-9 * np.maximum(1, np.linalg.norm(rows, axis=1, keepdims=True)), left, 0) \
        / np.maximum(norms, 1e-300)


@lru_cache(maxsize=1)  # of the tasks of one experiment, whose runs are tested one after another
def _arranged(truth: bytes, tasks: int) -> np.ndarray:
    """The pairs of tasks [m, pairs] of every matrix that :func:`_arrangements` makes of a truth."""
    pairs = np.triu_indices(tasks, k=1)
    return np.stack([one[pairs] for one in _arrangements(np.frombuffer(truth).reshape(tasks, tasks))])


def _arrangements(truth: np.ndarray) -> Iterator[np.ndarray]:
    """The truth itself and what permutations of the tasks make of it, each matrix once where they are few."""
    families = _families(truth)
    if families is not None and _count(sizes := sorted(map(len, families))) <= MOST:
        for dealt in _deal(tuple(range(len(truth))), tuple(sizes)):
            arranged = np.zeros_like(truth, dtype=float)
            for family in dealt:
                arranged[np.ix_(family, family)] = 1
            yield arranged
        return
    yield truth
    rng = np.random.default_rng(0)
    for _ in range(MOST - 1):
        order = rng.permutation(len(truth))
        yield truth[np.ix_(order, order)]


def _families(truth: np.ndarray) -> list[tuple[int, ...]] | None:
    """The groups that a truth of ones and zeros describes; None where it does not describe any."""
    same = truth + np.eye(len(truth)) > 0
    groups = list(dict.fromkeys(tuple(np.flatnonzero(row).tolist()) for row in same))
    whole = sorted(task for group in groups for task in group) == list(range(len(truth)))
    return groups if whole and set(np.unique(truth)) <= {0, 1} else None


def _count(sizes: Sequence[int]) -> int:
    """Ways to deal tasks to families of these sizes, which have no names."""
    alike = prod(factorial(list(sizes).count(size)) for size in set(sizes))
    return factorial(sum(sizes)) // prod(map(factorial, sizes)) // alike


def _deal(tasks: tuple[int, ...], sizes: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
    """Every way to deal `tasks` to families of these sizes, each once: the first task goes to a family of each size."""
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
