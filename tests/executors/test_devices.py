"""A fleet on several devices: every run trains once, as it would on one, and hooks are never called at once."""

import threading

import pytest

from compt_core.errors import DataError
from compt_core.executors import gpus
from compt_core.settings.config import RunConfig
from compt_core.training.fleet_run import shared_backbone, train_fleet


@pytest.fixture
def configs(backbone, glue_dir):
    shared = {"tasks": ("sst2", "rte"), "shots": 4, "steps": 3, "batch": 5, "eval_rows": 6, "encoder_hidden": 9,
              "data_dir": str(glue_dir), "backbone": backbone.files.ref}
    return {f"{m} {seed}": RunConfig(method=m, seed=seed, **shared) for m in ("pt", "mst", "spp") for seed in (0, 1)}


def test_runs_are_dealt_in_turn(configs):
    dealt = gpus.deal(configs, ["cuda:0", "cuda:1"])
    assert {device: list(own) for device, own in dealt.items()} == {
        "cuda:0": ["pt 0", "mst 0", "spp 0"], "cuda:1": ["pt 1", "mst 1", "spp 1"]}
    few = dict(list(configs.items())[:1])
    assert list(gpus.deal(few, ["cuda:0", "cuda:1"])) == ["cuda:0"]


def test_every_run_ends_as_on_one_device(configs):
    inside, ends, events = threading.Lock(), [], []

    def alone(call):
        def guarded(*values):
            assert inside.acquire(blocking=False)
            try:
                return call(*values)
            finally:
                inside.release()
        return guarded

    # two devices of one kind: two loaded backbones, as on two GPUs
    outcomes = gpus.train_on(["cpu", "cpu:0"], configs, alone(events.append), alone(lambda run: "keep"),
                                on_outcome=alone(lambda run, outcome: ends.append(run)))
    assert set(outcomes) == set(ends) == set(configs) == {event.run for event in events}
    backbone = shared_backbone(configs["pt 0"].backbone, "cpu")
    together = train_fleet(configs, lambda event: None, lambda run: "keep", backbone=backbone)
    for run in configs:
        assert outcomes[run].state == "completed"
        assert outcomes[run].result["tasks"] == together[run].result["tasks"]


def test_an_error_of_one_device_waits_for_the_others(configs, monkeypatch):
    inner, ended = gpus.train_fleet, []

    def train(share, *hooks, **more):
        if "pt 0" in share:
            raise DataError("The data are gone.")
        done = inner(share, *hooks, **more)
        ended.extend(done)
        return done

    monkeypatch.setattr(gpus, "train_fleet", train)
    with pytest.raises(DataError, match="The data are gone"):
        gpus.train_on(["cpu", "cpu:0"], configs, lambda event: None, lambda run: "keep",
                         on_outcome=lambda run, outcome: None)
    assert ended == ["pt 1", "mst 1", "spp 1"]
