"""Prompts over training: at which steps, what is kept of them, and that training is none the wiser."""

import numpy as np
import pytest

from compt_core.composition import geometry
from compt_core.methods.table import METHODS
from compt_core.settings.config import RunConfig
from compt_core.training import fleet_run
from compt_core.training.events import Event

TASKS = ("sst2", "cola", "rte")


@pytest.fixture
def configs(glue_dir, tiny_t5):
    shared = {"tasks": TASKS, "shots": 8, "batch": 5, "encoder_hidden": 9, "sources": 2, "prompt_length": 4,
              "data_dir": str(glue_dir), "backbone": str(tiny_t5), "watch_rows": 0, "eval_rows": 4}
    return {method: RunConfig(method=method, steps=steps, encoder="none" if method == "mst" else "residual", **shared)
            for method, steps in (("pt", 25), ("mst", 3), ("spp", 7), ("scp", 12))}


def train(configs):
    events = []
    outcomes = fleet_run.train_fleet(configs, events.append, lambda run: "keep")
    return outcomes, {run: {e.step: e.values for e in events
                            if isinstance(e, Event) and (e.kind, e.run) == ("prompts", run)} for run in configs}


def test_snapshots_end_with_the_prompts_that_are_kept(configs):
    outcomes, taken = train(configs)
    assert list(taken["pt"]) == [0, 3, 6, 9, 12, 15, 18, 21, 24, 25] and list(taken["spp"]) == list(range(8))
    for run, steps in taken.items():
        prompts = geometry.prompts_of(outcomes[run].prompts, TASKS, repeats=METHODS[configs[run].method].repeats)
        last = list(steps)[-1]
        norms, directions = geometry.unsketched(np.array([steps[0], steps[last]]), len(prompts))
        whole = run != "scp"  # its parts are half as long as what they make up
        assert directions.shape[2] == (4 * 24 if whole else 24)
        rows = geometry.rows([one.vectors for one in prompts], whole)
        np.testing.assert_allclose(norms[1], np.linalg.norm(rows, axis=1), rtol=1e-5)
        np.testing.assert_allclose(directions[1], geometry.directions(rows), atol=1e-5)
        assert np.abs(directions[0] - directions[1]).max() > 1e-3  # they did move


def test_snapshots_change_no_bit_of_a_run(configs, monkeypatch):
    with_them, taken = train(configs)
    monkeypatch.setattr(fleet_run, "snapshots", lambda *_: lambda at: None)
    without, none = train(configs)
    assert all(taken.values()) and not any(none.values())
    for run in configs:
        assert with_them[run].prompts.keys() == without[run].prompts.keys()
        for name, tensor in with_them[run].prompts.items():
            assert np.array_equal(tensor, without[run].prompts[name]), (run, name)
        assert with_them[run].result["tasks"] == without[run].result["tasks"]
