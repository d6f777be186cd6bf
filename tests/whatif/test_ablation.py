"""The ablation table: the same numbers as edits one by one, exactly nothing for weight 0, and what ranks can say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from compt_core.analysis.answers import scored_rows
from compt_core.errors import ConfigError
from compt_core.methods.table import METHODS
from compt_core.whatif.ablation import ablate, prompts_of, shifted
from compt_core.whatif.apply import apply
from compt_core.whatif.compose import changed
from compt_core.whatif.edit import ALL, Edit
from compt_core.whatif.effects import PROBABILITY, SCORE, Effects, over, relation


@pytest.fixture(scope="session")
def table(shelf, finished):
    """The table of a run by its name in the other fixtures, made once."""
    from compt_core.whatif.trained import taken_apart

    made = {}

    def make(name, **options):
        key = name, *options.items()
        if key not in made:
            run = finished(name)
            made[key] = ablate(run, taken_apart(run, shelf.prompts(run.id)), shelf.scores(run.id), **options)
        return made[key]

    return make


@pytest.mark.parametrize("renormalise", [False, True])
@pytest.mark.parametrize("name", ["mean", "scp"])
def test_a_cell_is_what_its_edit_does_alone(shelf, finished, apart, table, name, renormalise):
    run, trained, found = finished(name), apart(name), table(name, renormalise=renormalise)
    edits = [Edit(mute={ALL: (s,)}, renormalise=renormalise) for s in range(trained.weights.shape[1])]
    edits += [Edit(alpha={ALL: 0.0}), Edit(beta={ALL: 0.0})]
    columns = [*found.muted[SCORE].change.T, found.private_off[SCORE].change, found.shared_off[SCORE].change]
    assert len(columns) == trained.weights.shape[1] + 2
    for edit, column in zip(edits, columns, strict=True):
        single = dict(apply(run, shelf.scores(run.id), {}, changed(trained, edit)))
        assert column == pytest.approx([single[task].change.difference for task in found.tasks], abs=1e-7)


def test_a_run_scored_in_another_arithmetic_is_compared_with_its_trained_prompt_scored_anew(shelf, finished, apart,
                                                                                            table):
    run, trained, found = finished("mean"), apart("mean"), table("mean")
    there = replace(run, versions={**run.versions, "backbone": {**run.versions["backbone"], "dtype": "bfloat16"}})
    wrong = {task: -one for task, one in shelf.scores(run.id).items()}  # as far off as can be
    again = ablate(there, trained, wrong)
    assert np.array_equal(again.muted[SCORE].change, found.muted[SCORE].change)
    assert not np.array_equal(ablate(run, trained, wrong).muted[SCORE].change, found.muted[SCORE].change)


def test_the_log_probability_is_that_of_the_right_label_among_the_label_words(shelf, finished, apart, table):
    run, trained, found = finished("mean"), apart("mean"), table("mean")
    k = trained.tasks.index("demo-mnli")
    prompts = changed(trained, Edit(mute={ALL: (1,)}))
    (_, single), = apply(run, shelf.scores(run.id), {}, prompts, ["demo-mnli"])
    gold = [row.label for row in scored_rows(run, "demo-mnli")]
    before, after = (np.log(np.exp(one) / np.exp(one).sum(1, keepdims=True))[range(len(gold)), gold]
                     for one in (shelf.scores(run.id)["demo-mnli"].astype(float), single.scores.astype(float)))
    effect = found.muted[PROBABILITY]
    assert found.before[PROBABILITY][k] == pytest.approx(before.mean(), abs=1e-4)
    assert effect.change[k, 1] == pytest.approx((after - before).mean(), abs=1e-4)
    test = stats.ttest_rel(after, before)
    assert effect.p[k, 1] == pytest.approx(test.pvalue, rel=0.02)
    assert (effect.low[k, 1], effect.high[k, 1]) == pytest.approx(tuple(test.confidence_interval()), abs=1e-4)


@pytest.mark.parametrize("renormalise", [False, True])
def test_a_source_of_weight_0_has_no_effect_at_all(table, renormalise):
    found = table("sparse", renormalise=renormalise, control=True)
    zero = found.weights == 0
    assert zero.any() and not zero.all()
    for effects in (found.muted, found.shifted):
        for measure in (SCORE, PROBABILITY):
            one = effects[measure]
            assert not one.change[zero].any() and np.isnan(one.low[zero]).all() and (one.p[zero] == 1).all()
    assert found.muted[PROBABILITY].change[~zero].any()


def test_the_control_moves_the_prompt_as_far_as_muting_does(apart):
    run = apart("gated_sum")
    prompts = prompts_of(run, control=True)["demo-rte"]
    own = run.composed[run.tasks.index("demo-rte")]
    for s in range(4):
        one, two = prompts[f"muted {s}"] - own, prompts[f"shifted {s}"] - own
        assert np.linalg.norm(one, axis=1) == pytest.approx(np.linalg.norm(two, axis=1), rel=1e-3)
        assert abs((one * two).sum()) < 0.5 * np.linalg.norm(one) * np.linalg.norm(two)
    assert np.array_equal(shifted(own, prompts["muted 1"], "a"), shifted(own, prompts["muted 1"], "a"))
    assert "shifted 0" not in prompts_of(run)["demo-rte"]


def test_a_part_that_is_all_there_is_cannot_be_switched_off(apart):
    run = apart("fixed")
    only_shared = prompts_of(replace(run, alpha=np.zeros_like(run.alpha)))
    assert all("private off" not in one and "shared off" not in one for one in only_shared.values())
    assert all("shared off" in one for one in prompts_of(run).values())


@pytest.mark.parametrize("name", [name for name in METHODS if not METHODS[name].composed])
def test_a_run_without_attention_is_one_sentence(shelf, finished, apart, name):
    with pytest.raises(ConfigError, match="needs a run with attention over sources"):
        ablate(finished(name), apart(name), shelf.scores(finished(name).id))


def test_progress_is_told_and_a_stop_is_heard(shelf, finished, apart):
    run, told = finished("sum"), []
    ablate(run, apart("sum"), shelf.scores(run.id), progress=lambda done, of: told.append((done, of)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert ablate(run, apart("sum"), shelf.scores(run.id), going=lambda: len(told) < 5,
                  progress=lambda done, of: told.append((done, of))) is None
    assert told[4:] == [(0, 3)]


def test_uniform_weights_have_no_order(table):
    found = table("fixed")
    assert relation(found.weights, np.abs(found.muted[PROBABILITY].change)) is None


def test_the_rank_correlation_is_spearman_s_over_the_cells_that_have_a_weight():
    weights = np.array([[0.5, 0.3, 0.2, 0.0], [0.1, 0.6, 0.3, 0.0], [0.25, 0.25, 0.25, 0.25]])
    effect = np.array([[0.3, 0.2, 0.4, 0.0], [0.0, 0.9, 0.1, 0.0], [0.5, 0.1, 0.0, 0.0]])
    found = relation(weights, effect)
    kept = weights > 0
    assert found.r == pytest.approx(stats.spearmanr(weights[kept], effect[kept]).statistic)
    assert found.within == pytest.approx(np.mean([stats.spearmanr(weights[k, :3], effect[k, :3]).statistic
                                                  for k in (0, 1)]))
    assert (found.cells, found.tasks) == (10, 2)


def test_a_perfect_order_within_tasks_is_beyond_chance_and_what_tasks_differ_in_is_not_counted():
    draw = np.random.default_rng(1)
    weights = draw.dirichlet(np.ones(4), 12)
    same = relation(weights, weights ** 2)
    assert [same.r, same.within] == pytest.approx([1, 1]) and max(same.p, same.within_p) < 0.001
    level = np.arange(12)[:, None] + np.zeros((1, 4))  # tasks with larger weights have larger effects, sources do not
    between = relation(weights + 10 * level, draw.random((12, 4)) + 10 * level)
    assert between.r > 0.9 and between.p > 0.01


def test_p_is_as_often_small_as_it_says_where_nothing_is_related():
    draw = np.random.default_rng(2)
    found = [relation(draw.dirichlet(np.ones(4), 8), draw.normal(size=(8, 1)) + draw.normal(size=(8, 4)), 300)
             for _ in range(200)]
    for values in ([one.p for one in found], [one.within_p for one in found]):
        assert 0.43 < np.mean(values) < 0.57 and 0.05 <= np.mean(np.array(values) < 0.1) <= 0.16


def test_holm_goes_over_all_cells_that_have_a_p():
    p = np.array([[0.01, math.nan], [0.04, 1.0]])
    found = Effects(p, p, p, p).corrected
    assert found[0, 0] == pytest.approx(0.03) and found[1, 0] == pytest.approx(0.08) and np.isnan(found[0, 1])


def test_runs_are_averaged_with_what_they_have():
    found = over([0.2, None, 0.4, math.nan])
    assert found.mean == pytest.approx(0.3) and len(found.each) == 2
    assert found.half == pytest.approx(stats.t.ppf(0.975, 1) * 0.1)
    assert over([None]) is None and over([0.5]).half is None
