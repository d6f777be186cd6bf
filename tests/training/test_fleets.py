"""A run in a fleet is the run alone: whatever its fleet-mates, however the rows are cut into passes."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compt_core.methods.table import METHODS
from compt_core.planning.data import load_data
from compt_core.settings.config import RunConfig
from compt_core.tasks.batches import collate
from compt_core.training import passes
from compt_core.training.fleet import build_fleet
from compt_core.training.loop import train
from compt_core.training.passes import forward_backward
from compt_core.training.plan import plan_run

STEPS = 50
TASKS = ("sst2", "mrpc", "rte", "mnli")


def runs(most: int) -> st.SearchStrategy[list[dict]]:
    """Settings of runs that differ in whatever a fleet lets them differ in; the prompt encoder is on."""
    one = st.fixed_dictionaries({
        "method": st.sampled_from(list(METHODS)), "sources": st.integers(1, 3),
        "normalizer": st.sampled_from(["auto", "sigmoid", "softmax", "sparsemax", "entmax15"]),
        "form": st.sampled_from(["mean", "gated_sum", "sum"]), "prompt_length": st.integers(1, 4),
        "encoder": st.sampled_from(["residual", "mlp"]), "encoder_hidden": st.sampled_from([5, 9]),
        "shots": st.integers(3, 9), "batch": st.integers(3, 9), "seed": st.integers(0, 99),
        "steps": st.sampled_from([30, 17]), "clip": st.sampled_from([0.1, 1.0]),
        "lr_source": st.sampled_from([0.01, 0.1]), "lr_attention": st.sampled_from([0.05, 0.3]),
        "tasks": st.integers(2, len(TASKS)).map(lambda k: TASKS[:k]),
    })
    return st.lists(one, min_size=2, max_size=most)


def trained(backbone, configs: dict[str, RunConfig]):
    """(run -> final parameters, run -> losses of every step)."""
    plans = {run: plan_run(c, load_data(c.tasks, c.data_dir, backbone.files), backbone.tokenizer)
             for run, c in configs.items()}
    fleet, losses = build_fleet(configs, backbone), {run: [] for run in configs}
    train(fleet, plans, lambda e: losses[e.run].append(e.values[0]) if e.kind == "loss" else None,
          lambda run: "keep", lambda run, state, error: None)
    return {run: fleet.state(run) for run in configs}, losses


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs(3), st.sampled_from([30, 100, 4096]))
def test_any_run_of_any_fleet_in_any_parts_equals_the_run_alone(backbone64, glue_dir, grid, tokens) -> None:
    configs = {f"run {i}": RunConfig(**one, data_dir=str(glue_dir)) for i, one in enumerate(grid)}
    backbone64.rooms["train"].tokens = tokens
    together, losses = trained(backbone64, configs)
    backbone64.rooms["train"].tokens = 4096
    for run, config in configs.items():
        alone, own = trained(backbone64, {run: config})
        assert losses[run] == pytest.approx(own[run], rel=1e-5)
        for name, tensor in alone[run].items():
            distance = (together[run][name] - tensor).norm() / tensor.norm().clamp_min(1e-9)
            assert distance < 1e-5, (name, config)


FLEET = [
    {"method": "pt", "prompt_length": 3}, {"method": "mst", "seed": 1}, {"method": "spp", "normalizer": "entmax15"},
    {"method": "spp", "sources": 3, "normalizer": "sparsemax", "seed": 2}, {"method": "scp", "batch": 5},
]


def single(glue_dir) -> dict[str, RunConfig]:
    return {f"run {i}": RunConfig(**{"tasks": TASKS, "shots": 8, "steps": STEPS, "batch": 8, "encoder_hidden": 9,
                                     "sources": 2, "data_dir": str(glue_dir)} | one) for i, one in enumerate(FLEET)}


def test_in_float32_the_first_step_is_that_of_the_run_alone(backbone, glue_dir) -> None:
    def step(configs):
        plans = {r: plan_run(c, load_data(c.tasks, c.data_dir, backbone.files), backbone.tokenizer)
                 for r, c in configs.items()}
        fleet = build_fleet(configs, backbone)
        losses = forward_backward(fleet, [(r, e) for r in configs for e in plans[r].batch(0)],
                                  dict.fromkeys(configs, 0), plans)
        return fleet, losses

    configs = single(glue_dir)
    fleet, losses = step(configs)
    for run, config in configs.items():
        solo, own = step({run: config})
        assert losses.of(run, len(TASKS))[0] == pytest.approx(own.of(run, len(TASKS))[0], rel=1e-5)
        (block, r), (alone, _) = fleet.slot[run], solo.slot[run]
        for name, tensor in alone.parameters.items():
            assert (block.parameters[name].grad[r] - tensor.grad[0]).norm() <= 1e-5 * tensor.grad[0].norm()


def test_in_float32_a_fleet_moves_a_run_no_farther_than_padding_does(backbone, glue_dir, monkeypatch) -> None:
    """Training amplifies rounding: 50 steps later two runs that differ in the last bit of one sum lie apart.

    The measure of what that means is a run against itself with padding that its mask hides.
    """
    def flat(states) -> torch.Tensor:
        return torch.cat([tensor.flatten() for tensor in states.values()])

    configs = single(glue_dir)
    together, _ = trained(backbone, configs)
    by_fleet, by_padding = [], []
    for run, config in configs.items():
        alone = flat(trained(backbone, {run: config})[0][run])
        by_fleet.append(((flat(together[run]) - alone).norm() / alone.norm()).item())
        for extra in (3, 8, 17):
            with monkeypatch.context() as patched:
                patched.setattr(passes, "collate", functools.partial(collate, extra=extra))
                padded = flat(trained(backbone, {run: config})[0][run])
            by_padding.append(((padded - alone).norm() / alone.norm()).item())
    assert np.mean(by_fleet) <= max(by_padding)
    assert max(by_fleet) < 1e-2
