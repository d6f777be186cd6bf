"""Scores against their definitions written out, and what is undefined."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compt_core.scoring.metrics import METRICS, score
from compt_core.scoring.statistics import half_width, holm, mean_normalised, mean_primary, paired

GOLD, PREDICTED = [1, 1, 1, 0, 0, 1, 0, 0, 0, 1], [1, 0, 1, 0, 1, 1, 0, 0, 0, 0]
LABELS = st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 2)), min_size=1, max_size=40)


def test_scores_of_two_labels_are_the_textbooks() -> None:
    tp, fp, fn, tn = 3, 1, 2, 4
    assert score("accuracy", GOLD, PREDICTED) == pytest.approx((tp + tn) / 10)
    assert score("f1", GOLD, PREDICTED) == pytest.approx(2 * tp / (2 * tp + fp + fn))
    root = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert score("matthews", GOLD, PREDICTED) == pytest.approx((tp * tn - fp * fn) / root)


def pearson(x: Sequence[float], y: Sequence[float]) -> float:
    mx, my = sum(x) / len(x), sum(y) / len(y)
    top = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return top / math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))


def test_correlations_are_the_textbooks() -> None:
    gold, predicted = [0.0, 1.2, 3.4, 5.0, 2.714], [0.2, 1.0, 5.0, 3.0, 2.0]
    assert score("pearson", gold, predicted) == pytest.approx(pearson(gold, predicted))
    assert score("spearman", gold, predicted) == pytest.approx(pearson([1, 2, 4, 5, 3], [1, 2, 5, 4, 3]))


def test_ties_share_their_rank() -> None:
    assert score("spearman", [1, 2, 3, 4], [1, 1, 2, 2]) == pytest.approx(pearson([1, 2, 3, 4], [1.5, 1.5, 3.5, 3.5]))


@given(LABELS)
@settings(max_examples=30)
def test_scores_stay_in_their_range_and_are_never_nan(pairs: list[tuple[int, int]]) -> None:
    gold, predicted = zip(*pairs, strict=True)
    for name in METRICS:
        value = score(name, gold, predicted)
        constant = len(set(gold)) == 1 or len(set(predicted)) == 1
        if name in ("accuracy", "f1", "macro_f1"):
            assert value is not None
            assert 0 <= value <= 1
        else:
            assert (value is None) == constant
            assert value is None or -1.000001 <= value <= 1.000001


@given(LABELS)
@settings(max_examples=30)
def test_the_order_of_rows_does_not_matter(pairs: list[tuple[int, int]]) -> None:
    for name in METRICS:
        forth, back = (score(name, *zip(*rows, strict=True)) for rows in (pairs, pairs[::-1]))
        assert forth == pytest.approx(back) if forth is not None else back is None


@pytest.mark.parametrize("name", ["matthews", "pearson", "spearman"])
def test_a_correlation_with_a_constant_is_undefined(name: str) -> None:
    assert score(name, [1, 0, 1], [1, 1, 1]) is None
    assert score(name, [1, 1, 1], [1, 0, 1]) is None
    assert score(name, [1], [1]) is None
    assert score(name, [0, 1, 0], [2.5, 2.5 + 4e-16, 2.5]) is None  # constant but for rounding


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_of_what_is_no_number_is_undefined(name: str, bad: float) -> None:
    assert score(name, [0, 1, 1], [bad, 0, 1]) is score(name, [bad, 0, 1], [0, 1, 1]) is None


def test_what_double_precision_cannot_hold_is_undefined() -> None:
    with np.errstate(over="ignore"):
        assert score("pearson", [1e-320, 1e308, 1e308, 1e-320], [1e-200, 2e-320, 1e308, 5e-324]) is None


def test_f1_is_of_the_second_label_and_0_where_nothing_is_found() -> None:
    assert score("f1", [1, 1, 0], [0, 0, 0]) == 0
    assert score("f1", [0, 0], [0, 0]) == 0
    assert score("f1", [1, 0], [-1, -1]) == 0
    assert score("f1", [0, 1], [1, 1]) == pytest.approx(2 / 3)


def test_an_unreadable_answer_counts_as_wrong() -> None:
    assert score("accuracy", [0, 1, 1, 0], [0, -1, 1, -1]) == 0.5


def test_an_unknown_metric_or_no_rows_is_an_error() -> None:
    with pytest.raises(KeyError):
        score("bleu", [1, 0], [1, 0])
    with pytest.raises(ValueError, match="at least one row"):
        score("accuracy", [], [])


# --- means


TASKS = {"cola": {"accuracy": 0.8, "matthews": None}, "stsb": {"pearson": None, "spearman": None},
         "rte": {"accuracy": 0.4}}
PRIMARY = {"cola": "accuracy", "stsb": "pearson", "rte": "accuracy"}
MAJORITY = {"cola": {"accuracy": 0.7}, "stsb": {"pearson": None}, "rte": {"accuracy": 0.5}}


def test_the_mean_is_of_primary_metrics_and_counts_undefined_as_0() -> None:
    assert mean_primary(TASKS, PRIMARY) == pytest.approx((0.8 + 0 + 0.4) / 3)


def test_the_normalised_mean_puts_the_majority_at_0_and_perfection_at_1() -> None:
    assert mean_normalised(TASKS, PRIMARY, MAJORITY) == pytest.approx((0.1 / 0.3 + 0 - 0.1 / 0.5) / 3)
    assert mean_normalised(MAJORITY, PRIMARY, MAJORITY) == 0
    perfect = {"cola": {"accuracy": 1.0}, "stsb": {"pearson": 1.0}, "rte": {"accuracy": 1.0}}
    assert mean_normalised(perfect, PRIMARY, MAJORITY) == 1


@pytest.mark.parametrize("accuracy", [1.0, 0.6, 0.0])
def test_where_the_majority_is_perfect_nothing_is_above_chance(accuracy: float) -> None:
    assert mean_normalised({"rte": {"accuracy": accuracy}}, PRIMARY, {"rte": {"accuracy": 1.0}}) == 0


def test_the_interval_is_students() -> None:
    half = half_width([0.1, 0.2, 0.6])  # variance 0.07; t of the textbooks for 2 degrees of freedom: 4.303
    assert half == pytest.approx(4.303 * math.sqrt(0.07 / 3), rel=1e-4)
    assert half_width([0.4, 0.4]) == 0
    assert half_width([0.4]) is half_width([]) is None


@pytest.mark.slow
def test_means_load_neither_scikit_learn_nor_scipy() -> None:
    code = ("import sys, compt_core.exchange.report; "
            "print([m for m in ('sklearn', 'scipy', 'torch') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], text=True,
                          capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_paired_test_is_the_textbooks_t_on_the_differences() -> None:
    found = paired([0.5, 0.7, 0.9], [0.4, 0.5, 0.3])  # differences .1 .2 .6: mean .3, variance .07
    half = 4.303 * math.sqrt(0.07 / 3)
    assert (found.n, found.mean, found.half) == (3, pytest.approx(0.3), pytest.approx(half, abs=1e-4))
    assert 0.05 < found.p < 0.2  # t = 1.964 on 2 degrees of freedom
    assert found.p == pytest.approx(1 - 1.964 / math.sqrt(1.964**2 + 2), abs=1e-3)  # the closed form for 2
    assert math.isnan(paired([0.5, 0.5], [0.25, 0.25]).p) and paired([0.5, 0.5], [0.5, 0.5]).p == 1
    with pytest.raises(ValueError, match="two pairs"):
        paired([1.0], [0.0])


def test_holm_multiplies_the_smallest_p_by_all_and_never_swaps_an_order() -> None:
    assert holm([0.01, 0.04]) == pytest.approx([0.02, 0.04])
    assert holm([0.04, 0.03, 0.001]) == pytest.approx([0.06, 0.06, 0.003])
    assert holm([0.9, 0.8]) == [1, 1] and holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_lies_between_no_correction_and_bonferroni_in_any_order(values: list[float]) -> None:
    found = holm(values)
    assert all(p <= corrected <= min(1, len(values) * p) + 1e-12 for p, corrected in zip(values, found, strict=True))
    assert holm(values[::-1]) == found[::-1]
