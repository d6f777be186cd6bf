"""Scores of edited runs: untouched tasks keep what was stored, touched ones are scored as training scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compt_core.analysis.answers import scored_rows
from compt_core.errors import BackboneError
from compt_core.methods.table import METHODS
from compt_core.scoring.metrics import score
from compt_core.scoring.predictions import predict
from compt_core.tasks.table import TASKS
from compt_core.whatif.apply import apply
from compt_core.whatif.change import Change, _pearson, compare, mean_difference, proportions
from compt_core.whatif.compose import changed
from compt_core.whatif.edit import Edit
from compt_core.whatif.edit import read as read_edit


def scored(shelf, run, prompts):
    return dict(apply(run, shelf.scores(run.id), as_trained(shelf, run), prompts))


def as_trained(shelf, run):
    return dict(zip(run.config["tasks"], shelf.prompts(run.id)["composed"], strict=True))


@pytest.mark.parametrize("name", METHODS)
def test_no_intervention_gives_the_stored_numbers_exactly(shelf, finished, apart, name):
    run = finished(name)
    found = scored(shelf, run, changed(apart(name), Edit()))
    for task, stored in shelf.scores(run.id).items():
        assert found[task].stored and np.array_equal(found[task].scores, stored)
        metric = TASKS[task].metrics[0]
        assert found[task].change.after == found[task].change.before == run.result["tasks"][task][metric]
        assert found[task].change.flipped == () and found[task].change.difference == 0


@pytest.mark.parametrize("name", METHODS)
def test_scoring_the_trained_prompts_again_gives_the_stored_answers(shelf, finished, apart, name):
    run, trained = finished(name), apart(name)
    found = scored(shelf, run, dict(zip(trained.tasks, trained.composed, strict=True)))
    for task, stored in shelf.scores(run.id).items():
        assert not found[task].stored and np.allclose(found[task].scores, stored, atol=2e-4)
        assert np.array_equal(found[task].predicted, predict(TASKS[task], stored))


def test_a_blend_at_1_scores_what_the_other_run_scored(shelf, finished, apart):
    run, other = finished("spp"), finished("gated_sum")
    found = scored(shelf, run, changed(apart("spp"), Edit(blend=(other.id, 1.0)), apart("gated_sum")))
    for task, one in found.items():
        assert one.change.after == pytest.approx(other.result["tasks"][task][TASKS[task].metrics[0]], abs=1e-6)


def test_an_edit_of_one_task_scores_that_task_alone(shelf, finished, apart, monkeypatch):
    run, trained = finished("spp"), apart("spp")
    prompts = changed(trained, read_edit("private:demo-rte=demo-mnli", trained))
    found = scored(shelf, run, prompts)
    assert [task for task, one in found.items() if not one.stored] == ["demo-rte"]
    assert not np.array_equal(found["demo-rte"].scores, shelf.scores(run.id)["demo-rte"])


def test_a_run_of_another_arithmetic_is_compared_with_itself_scored_here(shelf, finished, apart):
    """Scores as a GPU would have left them: what differs by rounding alone must not pass for the edit's doing."""
    run, trained = finished("spp"), apart("spp")
    far = replace(run, versions={**run.versions, "backbone": {**run.backbone, "device": "cuda:0", "dtype": "bfloat16"}})
    strange = {task: -one for task, one in shelf.scores(run.id).items()}
    same = {"demo-rte": trained.composed[trained.tasks.index("demo-rte")]}
    (_, found), = apply(far, strange, as_trained(shelf, run), same, ["demo-rte"])
    assert found.change.flipped == () and found.change.before == run.result["tasks"]["demo-rte"]["accuracy"]
    (_, found), = apply(run, strange, as_trained(shelf, run), same, ["demo-rte"])
    assert found.change.flipped


def test_tasks_that_an_edit_leaves_alone_need_no_data(shelf, finished, apart, monkeypatch):
    from compt_core.whatif import apply as module

    read = []
    monkeypatch.setattr(module, "scored_rows", lambda run, task: read.append(task) or scored_rows(run, task))
    trained = apart("spp")
    scored(shelf, finished("spp"), changed(trained, read_edit("alpha:demo-rte=.1", trained)))
    assert read == ["demo-rte"]


def test_a_backbone_that_has_changed_since_is_refused(shelf, finished, apart):
    run = finished("spp")
    stranger = replace(run, versions={**run.versions, "backbone": {"hash": "0" * 64}})
    with pytest.raises(BackboneError, match="its files have changed"):
        scored(shelf, stranger, {"demo-rte": apart("spp").private[0]})


def rows_of(values):
    from compt_core.tasks.spec import Row

    return [Row(("x",), int(value), float(value)) for value in values]


def test_flips_gains_and_losses():
    found = compare(TASKS["demo-rte"], rows_of([0, 0, 1, 1]), np.array([0, 1, 1, 0]), np.array([0, 0, 0, 0]))
    assert (found.before, found.after) == (0.5, 0.5)
    assert (found.flipped, found.gained, found.lost) == ((1, 2), (1,), (2,))
    assert not found.told


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_the_interval_of_a_change_covers_as_often_as_it_says(share):
    """Bonett and Price's claim, tried: pairs drawn with known chances of a gain and of a loss."""
    draw, rows, hits = np.random.default_rng(3), 60, 0
    for _ in range(2000):
        gained, lost, _rest = draw.multinomial(rows, [0.1 + share, 0.1, 0.8 - share])
        low, high = proportions(int(gained), int(lost), rows)
        hits += low <= share <= high
    assert 0.93 <= hits / 2000 <= 0.985


def test_where_nothing_changed_the_interval_is_no_point():
    low, high = proportions(0, 0, 100)
    assert low == pytest.approx(-high) and 0 < high < 0.05


def test_a_correlation_has_a_bootstrap_interval():
    gold = np.linspace(0, 5, 40)
    rows = [replace(row, value=float(value)) for row, value in zip(rows_of([0] * 40), gold, strict=True)]
    noisy = gold + np.random.default_rng(1).normal(0, 2, 40)
    found = compare(TASKS["demo-stsb"], rows, noisy, gold)
    assert found.after == pytest.approx(1) and found.low is not None and 0 < found.low < found.difference < found.high
    assert found == compare(TASKS["demo-stsb"], rows, noisy, gold)


def test_the_mean_over_tasks_counts_an_undefined_score_as_0():
    changes = [Change("a", "pearson", 0.5, None, None, None), Change("b", "accuracy", 0.5, 0.75, -0.1, 0.6)]
    assert mean_difference(changes) == pytest.approx((-0.5 + 0.25) / 2)


def test_resampled_correlations_are_those_of_the_metric():
    draw = np.random.default_rng(4)
    one, two = draw.normal(size=(5, 30)), draw.normal(size=(5, 30))
    two[3] = 1.7  # undefined, counts 0
    assert _pearson(one, two) == pytest.approx([score("pearson", a, b) or 0.0 for a, b in zip(one, two, strict=True)])
