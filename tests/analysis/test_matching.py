"""Sources in one order: whatever the runs' own, as near to each other as any order brings them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compt_core.analysis.matching import matched, order_like


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 5))
def test_the_order_is_the_best_of_all(seed, tasks, sources):
    rng = np.random.default_rng(seed)
    one, two = rng.random((2, tasks, sources))
    best = min(((one - two[:, list(order)]) ** 2).sum() for order in itertools.permutations(range(sources)))
    assert ((one - two[:, order_like(one, two)]) ** 2).sum() == pytest.approx(best)


@given(st.integers(0, 10_000))
def test_runs_that_differ_by_their_numbering_and_little_noise_come_out_alike(seed):
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(4, 0.2), size=7)
    runs = [(truth + rng.normal(0, 1e-3, truth.shape))[:, rng.permutation(4)] for _ in range(6)]
    found = matched(runs)
    assert np.ptp(found, axis=0).max() < 0.02
    assert sorted(found.mean(0).sum(0)) == pytest.approx(sorted(truth.sum(0)), abs=0.02)


def test_one_run_stays_as_it_is_and_weights_only_change_places():
    rng = np.random.default_rng(3)
    runs = rng.random((5, 3, 4))
    assert np.array_equal(matched(runs[:1]), runs[:1])
    for before, after in zip(runs, matched(runs), strict=True):
        assert sorted(map(tuple, before.T)) == sorted(map(tuple, after.T))


def test_matching_is_no_worse_than_leaving_them():
    runs = np.random.default_rng(5).dirichlet(np.ones(8), size=(10, 12))
    assert matched(runs).var(0).sum() < runs.var(0).sum()
