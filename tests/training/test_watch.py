"""Dev scores while training: at which steps, on which rows, and that they change nothing."""

import math

import numpy as np
import pytest

from compt_core.settings.config import RunConfig
from compt_core.training.events import Event
from compt_core.training.fleet_run import train_fleet
from compt_core.training.watch import due

TASKS = ("sst2", "cola", "stsb")


@pytest.fixture
def runs(glue_dir, tiny_t5):
    def make(**settings):
        shared = {"tasks": TASKS, "shots": 8, "batch": 5, "encoder_hidden": 9, "sources": 2,
                  "data_dir": str(glue_dir), "backbone": str(tiny_t5)} | settings
        return {"pt": RunConfig(method="pt", steps=25, **shared), "spp": RunConfig(method="spp", steps=7, **shared)}
    return make


def train(configs):
    events = []
    outcomes = train_fleet(configs, events.append, lambda run: "keep")
    looks = {run: {e.step: e.values for e in events if isinstance(e, Event) and (e.kind, e.run) == ("dev_score", run)}
             for run in configs}
    return outcomes, looks


def test_scored_before_the_first_step_at_ten_steps_and_at_the_end(runs):
    outcomes, looks = train(runs(watch_rows=9, eval_rows=9))
    assert list(looks["pt"]) == [0, 3, 6, 9, 12, 15, 18, 21, 24, 25] and list(looks["spp"]) == list(range(8))
    for run, steps in (("pt", 25), ("spp", 7)):  # all rows that are scored at the end: the same numbers
        final = [outcomes[run].result["tasks"][task][metric]
                 for task, metric in zip(TASKS, ("accuracy", "accuracy", "pearson"), strict=True)]
        shown = [math.nan if value is None else value for value in final]
        assert looks[run][steps] == pytest.approx(shown, nan_ok=True)
    assert any(looks["pt"][0] != values for values in looks["pt"].values())


def test_watching_changes_nothing_and_can_be_left_off(runs):
    watched, looks = train(runs(watch_rows=3))
    alone, none = train(runs(watch_rows=0))
    assert all(looks.values()) and not any(none.values())
    for run in watched:
        for name, tensor in watched[run].prompts.items():
            assert np.array_equal(tensor, alone[run].prompts[name]), (run, name)
        assert watched[run].result["tasks"] == alone[run].result["tasks"]


def test_at_most_as_many_rows_as_are_scored_at_the_end(runs):
    few, looks = train(runs(watch_rows=50, eval_rows=4))
    final = few["pt"].result["tasks"]["sst2"]["accuracy"]
    assert looks["pt"][25][0] == pytest.approx(final)


@pytest.mark.parametrize(("steps", "looks"), [(1, [1]), (10, list(range(1, 11))), (200, list(range(20, 201, 20))),
                                              (11, [2, 4, 6, 8, 10, 11])])
def test_steps_that_are_due(steps, looks):
    assert [step for step in range(1, steps + 1) if due(step, steps)] == looks
