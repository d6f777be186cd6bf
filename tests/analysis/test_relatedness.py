"""Task similarity from attention, and Mantel's test against known relatedness."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from compt_core.analysis.relatedness import mantel, ranked, similarity
from compt_core.language.suites import relatedness

TRUTH = np.array(relatedness())  # [12, 12], three families of four
SMALL = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1]], dtype=float)


def noise(seed: int, k: int = 5, s: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(s), size=k)


@given(st.integers(0, 100), st.permutations(range(3)))
def test_renumbering_the_sources_changes_no_similarity(seed: int, order: list[int]) -> None:
    weights = noise(seed)
    assert similarity(weights[:, order]) == pytest.approx(similarity(weights), abs=1e-12)


def test_similarity_is_the_cosine_and_a_task_without_a_source_is_similar_to_none() -> None:
    found = similarity(np.array([[1.0, 0.0], [3.0, 4.0], [0.0, 0.0]]))
    assert found == pytest.approx(np.array([[1, 0.6, 0], [0.6, 1, 0], [0, 0, 0]]))


def test_attention_by_families_has_correlation_one_and_the_smallest_p() -> None:
    found = mantel([similarity(np.repeat(np.eye(3), 4, axis=0))] * 2, TRUTH)
    assert found.each == pytest.approx((1, 1))
    assert found.p == found.smallest == 1 / 5775  # 12! / (4!^3 3!) ways to make three families of four


def test_uniform_attention_says_nothing() -> None:
    found = mantel([similarity(np.full((12, 4), 0.25))], TRUTH)
    assert (found.r, found.p) == (0, 1)


@settings(max_examples=8)  # 120 orders each
@given(st.integers(0, 50))
def test_r_and_p_are_those_of_all_permutations(seed: int) -> None:
    """Against the plain way: scipy's correlation, every one of the 5! orders of the tasks."""
    each = [similarity(noise(seed + run)) for run in (0, 1000)]
    at = np.triu_indices(5, k=1)

    def mean(truth: np.ndarray) -> float:
        return float(np.mean([stats.pearsonr(one[at], truth[at])[0] for one in each]))

    orders = [mean(SMALL[np.ix_(order, order)]) for order in permutations(range(5))]
    found = mantel(each, SMALL)
    assert found.r == pytest.approx(mean(SMALL))
    assert found.p == pytest.approx(np.mean(np.array(orders) >= mean(SMALL) - 1e-9))
    assert found.smallest == 1 / 10  # 5! / (2! 3!)


def test_a_control_that_explains_the_similarity_leaves_nothing() -> None:
    other = np.array([[float(i % 2 == j % 2) for j in range(5)] for i in range(5)])
    alike = 0.3 * other + 0.7 * SMALL
    assert mantel([alike], SMALL).r < 1
    assert mantel([alike], SMALL, [other]).r == pytest.approx(1)
    assert mantel([other], SMALL, [other]).r == 0


def test_a_graded_truth_is_tested_by_random_permutations() -> None:
    graded = SMALL * np.linspace(0.5, 1, 5)[:, None] * np.linspace(0.5, 1, 5)
    found = mantel([graded], graded)
    assert (found.r, found.smallest) == (pytest.approx(1), 1 / 20_000)
    assert 0 < found.p < 0.05


@settings(max_examples=20)
@given(st.integers(0, 50))
def test_of_ranks_it_is_spearmans_correlation(seed: int) -> None:
    graded = similarity(noise(seed + 500))  # a truth of degrees
    each = [similarity(noise(seed + run)) for run in (0, 1000)]
    at = np.triu_indices(5, k=1)
    for truth in (SMALL, graded):
        wanted = [stats.spearmanr(one[at], truth[at])[0] for one in each]
        assert mantel(each, truth, ranks=True).each == pytest.approx(wanted)


def test_ranks_make_p_that_of_all_permutations_too() -> None:
    one = similarity(noise(7))
    at = np.triu_indices(5, k=1)
    true = stats.spearmanr(one[at], SMALL[at])[0]
    orders = [stats.spearmanr(one[at], SMALL[np.ix_(order, order)][at])[0] for order in permutations(range(5))]
    assert mantel([one], SMALL, ranks=True).p == pytest.approx(np.mean(np.array(orders) >= true - 1e-9))


def test_equal_values_share_a_rank() -> None:
    assert ranked(np.array([0.5, 0.1, 0.5, 0.9])).tolist() == [1.5, 0, 1.5, 3]
