"""The Attention page's numbers: steps, means of matched sources, order of tasks, spread, relatedness."""

from dataclasses import replace

import numpy as np
import pytest

from app.show import frames, weights
from compt_core.settings.presets import DEMO_TASKS
from compt_core.tasks.table import CATALOGUE


@pytest.fixture
def runs(lab, store):
    return frames.with_result(store.runs(lab.finished(seeds=[0, 1, 2])), "attention")


def changed(run, attention):
    return replace(run, result={**run.result, "attention": np.asarray(attention).tolist()})


def test_tasks_and_sources_keep_their_places(runs):
    run = runs[0]
    frame = weights.frame(weights.single(run), run.config["tasks"])
    stored = run.result["attention"]
    assert list(frame["value"]) == [weight for row in stored for weight in row]
    turned = weights.frame(weights.single(run), run.config["tasks"][::-1])
    assert list(turned["value"]) == [weight for row in stored[::-1] for weight in row]
    assert list(turned["row"].unique()) == list(run.config["tasks"][::-1])


def test_seeds_of_a_run_differ_by_the_seed_alone(runs):
    assert [(run.method, run.seed) for run in weights.seeds_of(runs[0], runs)] == [("spp", 0), ("spp", 1), ("spp", 2)]


def test_the_mean_is_of_matched_sources_with_its_interval(runs):
    base = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    own = [changed(runs[0], base), changed(runs[1], base[:, [2, 0, 1]]), changed(runs[2], base[:, [1, 2, 0]] + 0.03)]
    found = weights.mean(own)
    assert np.allclose(np.sort(found.values.sum(0)), np.sort(base.sum(0) + 0.03))
    assert np.allclose(found.half, found.half[0, 0]) and found.half[0, 0] == pytest.approx(4.303 * 0.03 / 3, rel=1e-3)
    assert np.array_equal(weights.mean(own[:1]).values, base)


def test_every_recorded_step_and_the_trained_weights_last(runs):
    k, s = np.array(runs[0].result["attention"]).shape
    values = np.arange(3 * k * s, dtype=float).reshape(3, k * s)
    kept = weights.shares(runs[0], np.array([0, 5, 9]), values)
    assert list(kept) == ["0", "5", "trained"]
    assert kept["5"].tolist() == values[1].reshape(k, s).tolist()
    assert kept["trained"].tolist() == runs[0].result["attention"]  # not the rounded point of the last step
    assert list(weights.shares(runs[0], np.zeros(0), np.zeros((0, 0)))) == ["trained"]


def test_clustering_puts_alike_tasks_together(runs):
    run = replace(changed(runs[0], [[1, 0], [0, 1], [0.9, 0.1], [0.1, 0.9]]), config={"tasks": ["a", "b", "c", "d"]})
    order = weights.clustered(weights.single(run))
    assert sorted(order) == ["a", "b", "c", "d"]
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset("ac"), frozenset("bd")}


def test_spread_runs_from_one_source_to_uniform(runs):
    one, uniform = (weights.spread(weights.single(changed(runs[0], rows)))
                    for rows in (np.eye(3), np.full((3, 3), 1 / 3)))
    assert one == (pytest.approx(0), 3.0) and uniform == (pytest.approx(1), 3.0)
    assert weights.spread(weights.single(changed(runs[0], [[1, 0, 0]] * 3)))[1] == 1.0


def test_relatedness_is_asked_only_where_families_say_something(runs):
    assert weights.related(("sst2", "cola", "mrpc")) is None  # too few pairs
    assert weights.related(("mine", "yours", "his", "hers")) is None  # no two of one family
    families = np.repeat(np.eye(3), 4, axis=0)
    run = replace(changed(runs[0], families), config={"tasks": list(DEMO_TASKS)}, tasks=CATALOGUE)
    test, plain = weights.relatedness(weights.single(run))
    assert plain.r == pytest.approx(1)
    assert test.r == pytest.approx(1) and test.p == pytest.approx(test.smallest) == pytest.approx(1 / 5775)
