"""Stopping and going on changes nothing: whole fleets, single runs, misfits, and when checkpoints are taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from compt_core.methods.table import METHODS
from compt_core.settings.config import RunConfig
from compt_core.training.events import Started
from compt_core.training.fleet_run import train_fleet

TASKS = ("sst2", "rte")


class Memory:
    """A keeper that keeps every step's checkpoints, by the steps at which they were taken."""

    def __init__(self):
        self.kept = []

    def due(self, run):
        return True

    def keep(self, checkpoints):
        self.kept.append(dict(checkpoints))


@pytest.fixture
def configs(glue_dir, tiny_t5):
    def make(**settings):
        shared = {"tasks": TASKS, "shots": 8, "steps": 6, "batch": 5, "encoder_hidden": 9, "sources": 3,
                  "data_dir": str(glue_dir), "backbone": str(tiny_t5)} | settings
        runs = {m: RunConfig(method=m, **shared) for m in METHODS}
        return runs | {"short": runs["spp"].model_copy(update={"steps": 3, "seed": 4}),
                       "plain": runs["spp"].model_copy(update={"encoder": "none", "normalizer": "entmax15"})}
    return make


def fleet(runs, control=lambda run: "keep", **more):
    events = []
    outcomes = train_fleet(runs, events.append, control, **more)
    return outcomes, events


def with_versions(checkpoints, events):
    stands_on = {event.run: event.versions for event in events if isinstance(event, Started)}
    return {run: replace(one, versions=stands_on[run]) for run, one in checkpoints.items()}


def same(one, two):
    assert one.keys() == two.keys()
    for run in one:
        assert one[run].state == two[run].state == "completed"
        for name, tensor in one[run].prompts.items():
            assert np.array_equal(tensor, two[run].prompts[name]), (run, name)
        for task, scores in one[run].scores.items():
            assert np.array_equal(scores, two[run].scores[task]), (run, task)
        assert one[run].result["tasks"] == two[run].result["tasks"]


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.2}, {"select": "best", "batch": 1}])
def test_a_fleet_that_goes_on_from_any_of_its_checkpoints_ends_with_the_same_bits(configs, settings):
    keeper = Memory()
    whole, events = fleet(configs(**settings), keeper=keeper)
    assert [sorted(one.step for one in kept.values()) for kept in keeper.kept[1:3]] == [
        [step] * len(configs()) for step in (1, 2)]
    assert len(keeper.kept) == 7  # of six steps, and of their start
    # What had ended by then is kept with its last step, and is scored again. "short" has three steps.
    for kept in keeper.kept if not settings else keeper.kept[2:4]:
        again, after = fleet(configs(**settings), resume=with_versions(kept, events))
        same(again, whole)
        points = [(e.run, e.kind, e.step, e.values) for e in after if hasattr(e, "values")]
        begun = {run: one.step for run, one in kept.items()}
        assert points == [(e.run, e.kind, e.step, e.values) for e in events
                          if hasattr(e, "values") and e.step > begun[e.run]]


def test_a_checkpoint_is_all_there_is(configs):
    keeper = Memory()
    fleet(configs(), keeper=keeper)
    names = {name.split("/")[0] for name in keeper.kept[2]["spp"].tensors}
    assert names == {"parameter", "first", "second", "count"}
    counts = [keeper.kept[2]["spp"].tensors[f"count/{name}"].tolist() for name in ("source.embedding", "gate.beta")]
    assert counts == [2, [2, 2]]


def test_a_checkpoint_of_a_version_with_one_count_for_all_tasks_goes_on(configs):
    keeper, runs = Memory(), {"spp": configs()["spp"]}
    whole, events = fleet(runs, keeper=keeper)
    kept = with_versions(keeper.kept[2], events)["spp"]
    before = {name: array.max() if name.startswith("count") else array for name, array in kept.tensors.items()}
    versions = {name: about for name, about in kept.versions.items() if name not in ("tasks", "held_out")}
    again, after = fleet(runs, resume={"spp": replace(kept, tensors=before, versions=versions)})
    assert next(event for event in after if isinstance(event, Started)).step == 2
    same(again, whole)


def test_runs_that_pause_leave_their_checkpoint_and_go_on_without_the_others(configs):
    whole, _ = fleet({"spp": configs()["spp"]})
    keeper, asked = Memory(), []

    def control(run):
        asked.append(run)
        return "pause" if run in ("spp", "pt") and asked.count(run) == 4 else "keep"

    keeper.due = lambda run: False
    outcomes, events = fleet(configs(), control, keeper=keeper)
    assert {run: outcome.state for run, outcome in outcomes.items()} == {
        name: "paused" if name in ("pt", "spp") else "completed" for name in configs()}
    assert {run: one.step for run, one in keeper.kept[0].items()} == {"pt": 3, "spp": 3}  # together
    again, after = fleet({"spp": configs()["spp"]}, resume=with_versions({"spp": keeper.kept[0]["spp"]}, events))
    started = next(event for event in after if isinstance(event, Started))
    assert (started.step, started.steps) == (3, 6)
    for name, tensor in whole["spp"].prompts.items():
        assert np.allclose(tensor, again["spp"].prompts[name], atol=1e-5)


@pytest.mark.parametrize("spoil", [
    lambda one: replace(one, versions={**one.versions, "data": {"sst2": "other"}}),
    lambda one: replace(one, versions={}),
    lambda one: replace(one, versions={**one.versions, "tasks": {"sst2": "other label words"}}),
    lambda one: replace(one, versions={**one.versions, "held_out": {"sst2": "other rows"}}),
    lambda one: replace(one, step=7),
    lambda one: replace(one, tensors={k: v for k, v in one.tensors.items() if k != "first/gate.alpha"}),
    lambda one: replace(one, tensors={**one.tensors, "parameter/source.embedding": np.zeros((2, 2))}),
])
def test_a_checkpoint_that_does_not_fit_is_left_and_the_run_begins_again(configs, spoil):
    keeper, runs = Memory(), {"spp": configs()["spp"]}
    whole, events = fleet(runs, keeper=keeper)
    kept = with_versions(keeper.kept[2], events)
    again, after = fleet(runs, resume={"spp": spoil(kept["spp"])})
    same(again, whole)
    assert next(event for event in after if isinstance(event, Started)).step == 0
    assert any("begins again" in getattr(event, "text", "") for event in after)


def test_the_seconds_of_training_add_up_and_a_resumed_fleet_sets_no_pace(configs):
    keeper, runs = Memory(), {"spp": configs()["spp"]}
    whole, events = fleet(runs, keeper=keeper)
    kept = with_versions({"spp": replace(keeper.kept[4]["spp"], seconds=1000.0)}, events)
    again, _ = fleet(runs, resume=kept)
    assert 1000 < again["spp"].result["train_seconds"] < 1000 + whole["spp"].result["train_seconds"] + 60
    assert whole["spp"].result["pace"] is not None and again["spp"].result["pace"] is None


def test_generators_of_torch_play_no_part(configs):
    whole, _ = fleet({"spp": configs(dropout=0.1)["spp"]})
    torch.manual_seed(1234)
    same(fleet({"spp": configs(dropout=0.1)["spp"]})[0], whole)
