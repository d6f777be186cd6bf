"""Edited prompts: nothing changes by itself, and every intervention is what its formula says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compt_core.errors import ConfigError, StoreError
from compt_core.methods.table import METHODS
from compt_core.runs.record import State
from compt_core.whatif.compose import changed
from compt_core.whatif.edit import ALL, Edit, read
from compt_core.whatif.inside import as_trained, edited
from compt_core.whatif.trained import taken_apart

COMPOSED = ("mean", "gated_sum", "sum", "fixed", "sparse", "one", "scp")
FIRST, LAST = "demo-rte", "demo-mnli"
HALF = np.float32(0.5)


def after(run, text):
    return changed(run, read(text, run))


@pytest.mark.parametrize("name", [*COMPOSED, *(name for name in METHODS if not METHODS[name].composed)])
def test_no_intervention_changes_no_task(apart, name):
    run = apart(name)
    assert changed(run, Edit()) == {} and edited(run, Edit()).alpha is not None


@pytest.mark.parametrize("name", COMPOSED)
def test_the_run_s_own_weights_and_gates_written_out_compose_what_was_stored(apart, name):
    run = apart(name)
    from compt_core.whatif import compose

    for k in range(len(run.tasks)):
        assert np.abs(compose._composed(run, as_trained(run), k) - run.composed[k]).max() < 1e-5


@pytest.mark.parametrize("renormalise", [False, True])
@pytest.mark.parametrize("name", [*COMPOSED])
def test_muting_a_source_of_weight_0_changes_nothing(apart, name, renormalise):
    run = apart(name)
    kill = read(f"row={','.join(['0'] + ['.25'] * (run.weights.shape[1] - 1))}", run) if run.weights.shape[1] > 1 \
        else read("row=0", run)
    muted = read(f"row={','.join(['0'] + ['.25'] * (run.weights.shape[1] - 1))};mute=s0"
                 f"{';renormalise=on' if renormalise else ''}", run)
    one, two = changed(run, kill), changed(run, muted)
    assert one.keys() == two.keys() and all(np.array_equal(one[task], two[task]) for task in one)


def test_a_source_that_training_left_at_0_can_be_muted_without_a_trace(apart):
    run = apart("sparse")
    zero = [(k, s) for k, s in zip(*np.nonzero(run.weights == 0), strict=True)]
    assert zero, "sparsemax left no weight at 0: give the fixture a larger learning rate"
    for k, s in zero:
        assert after(run, f"mute:{run.tasks[k]}=s{s};renormalise=on") == {}


@pytest.mark.parametrize("name", ["mean", "sparse", "fixed"])
def test_alpha_only_is_the_private_prompt_alone(apart, name):
    run = apart(name)
    found = after(run, "beta=0")
    assert list(found) == list(run.tasks)
    for k, task in enumerate(run.tasks):
        assert np.array_equal(found[task], run.private[k])


@pytest.mark.parametrize("name", ["gated_sum", "sum", "one", "scp"])
def test_where_alpha_scales_the_private_prompt_alpha_1_alone_is_that_prompt(apart, name):
    run = apart(name)
    found = after(run, "beta=0;alpha=1")
    assert all(np.array_equal(found[task], run.private[k]) for k, task in enumerate(run.tasks))


@pytest.mark.parametrize("name", COMPOSED)
def test_beta_only_is_the_mix_of_sources_alone(apart, name):
    run = apart(name)
    found = after(run, "alpha=0;beta=1")
    for k, task in enumerate(run.tasks):
        mix = np.einsum("s,sph->ph", run.weights[k], run.source)
        assert np.allclose(found[task], mix, atol=1e-5)


@pytest.mark.parametrize("text", ["alpha=0;beta=0", "mute=s0,s1,s2,s3;alpha=0", "row=0,0,0,0;alpha=0"])
@pytest.mark.parametrize("name", ["mean", "scp"])
def test_an_edit_that_leaves_nothing_is_a_sentence(apart, name, text):
    with pytest.raises(ConfigError, match="must leave something of the prompt"):
        after(apart(name), text)


def test_a_concatenated_part_that_training_held_at_0_stays_where_it_was(apart):
    """Its vectors of zeros were in front of every row that was scored; what is mixed into them cannot matter."""
    run = apart("scp")
    zeros = replace(run, beta=np.zeros_like(run.beta))
    assert after(zeros, "mute=s0") == {} and after(zeros, "row=uniform") == {}
    found = after(zeros, "alpha=.5")
    assert {len(prompt) for prompt in found.values()} == {6}
    assert all(not prompt[:3].any() and prompt[3:].any() for prompt in found.values())


def test_one_task_is_taken_out_of_a_row_for_all(apart):
    run = apart("mean")
    found = after(run, f"row=s0;row:{LAST}=trained")
    assert set(found) == set(run.tasks) - {LAST}


def test_gates_of_one_task_leave_the_others_alone(apart):
    run = apart("gated_sum")
    found = after(run, f"alpha:{LAST}=.25")
    k = run.tasks.index(LAST)
    assert list(found) == [LAST]
    assert np.allclose(found[LAST], np.einsum("s,sph->ph", run.weights[k], run.source) + 0.25 * run.private[k],
                       atol=1e-5)


def test_rows_are_uniform_one_source_another_task_s_or_written_out(apart):
    run = apart("mean")
    for text, row in (("row=uniform", [0.25] * 4), ("row=s2", [0, 0, 1, 0]), ("row=.1,.2,.3,.4", [0.1, 0.2, 0.3, 0.4])):
        assert np.allclose(edited(run, read(text, run)).weights, [row] * 3)
    of_another = edited(run, read(f"row:{FIRST}={LAST}", run)).weights
    assert np.array_equal(of_another[run.tasks.index(FIRST)], run.weights[run.tasks.index(LAST)])
    assert np.array_equal(of_another[1:], run.weights[1:])


def test_two_tasks_trade_rows_whatever_the_order(apart):
    run = apart("mean")
    weights = edited(run, read(f"row:{FIRST}={LAST};row:{LAST}={FIRST}", run)).weights
    one, two = run.tasks.index(FIRST), run.tasks.index(LAST)
    assert np.array_equal(weights[[one, two]], run.weights[[two, one]])


def test_muting_keeps_or_scales_the_rest(apart):
    run = apart("mean")
    cut = edited(run, read("mute=s1,s3", run)).weights
    assert np.array_equal(cut[:, [0, 2]], run.weights[:, [0, 2]]) and not cut[:, [1, 3]].any()
    scaled = edited(run, read("mute=s1,s3;renormalise=on", run)).weights
    assert np.allclose(scaled.sum(1), 1, atol=1e-6) and np.allclose(scaled[:, 0] / scaled[:, 2], cut[:, 0] / cut[:, 2])


def test_muting_every_source_leaves_the_private_part(apart):
    run = apart("gated_sum")
    found = after(run, "mute=s0,s1,s2,s3;renormalise=on;alpha=1")
    assert all(np.array_equal(found[task], run.private[k]) for k, task in enumerate(run.tasks))


def test_private_prompts_are_swapped(apart):
    run = apart("pt")
    found = after(run, f"swap:{FIRST}={LAST}")
    assert set(found) == {FIRST, LAST}
    assert np.array_equal(found[FIRST], run.composed[run.tasks.index(LAST)])


def test_another_normaliser_takes_the_learned_logits(apart):
    run = apart("mean")
    weights = edited(run, read("normalizer=sigmoid", run)).weights
    assert np.allclose(weights, 1 / (1 + np.exp(-run.logits)), atol=1e-6)


def test_a_concatenated_part_at_gate_0_is_left_out(apart):
    run = apart("scp")
    assert {len(prompt) for prompt in after(run, "beta=0").values()} == {3}
    assert {len(prompt) for prompt in after(run, "beta=.5").values()} == {6}


def test_a_blend_goes_from_one_run_to_the_other(apart):
    one, two = apart("mean"), apart("gated_sum")
    whole = changed(one, Edit(blend=(two.run, 1.0)), two)
    assert all(np.array_equal(whole[task], two.composed[k]) for k, task in enumerate(two.tasks))
    half = changed(one, Edit(blend=(two.run, 0.5)), two)
    assert all(np.allclose(half[task], HALF * (one.composed[k] + two.composed[k])) for k, task in enumerate(one.tasks))


def test_a_blend_of_unequal_prompts_is_a_sentence(apart):
    one, two = apart("mean"), apart("scp")
    short = changed(two, Edit(beta={ALL: 0.0}))
    assert len(short[FIRST]) == 3
    with pytest.raises(ConfigError, match=r"prompts of the same size\. Got 3 vectors of 64 numbers"):
        changed(two, Edit(beta={ALL: 0.0}, blend=(one.run, 0.5)), one)


def test_a_run_that_has_not_completed_cannot_be_taken_apart(finished, shelf):
    run = replace(finished("pt"), state=State.FAILED)
    with pytest.raises(StoreError, match="only a completed run"):
        taken_apart(run, {})
    with pytest.raises(StoreError, match="Train the run again"):
        taken_apart(finished("pt"), {})
