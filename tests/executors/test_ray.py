"""Fleets on a Ray cluster of two nodes: a node is killed while it trains, and all runs end as they do here."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from compt_core.cli import main as cli
from compt_core.errors import ConfigError
from compt_core.executors import ray_tasks
from compt_core.runs.many import train_many
from compt_core.runs.record import RunRecord, State
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker
from compt_core.settings.config import build_experiment

ROOT = Path(__file__).resolve().parents[2]
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is an extra that is not installed here")
SETTINGS = {"tasks": "demo-mood,demo-echo", "methods": ["spp"], "shots": [4], "batch": 4,
            "eval_rows": 10, "watch_rows": 0}


def test_without_ray_the_executor_is_refused_in_a_sentence(home: Path, capsys: pytest.CaptureFixture[str],
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert cli.main(["worker", "--executor", "ray"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "The package 'ray' is not installed" in said and "requirements-ray.txt" in said


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:6379", "127.0.0.1:99999", "x"])
def test_an_address_that_does_not_answer_is_one_sentence_within_ten_seconds(address: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ConfigError, match="No Ray cluster answers at"):
        ray_tasks.connect(address)
    assert time.monotonic() - begun < 10


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Two nodes of one CPU each beside the driver's own, which has none."""
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    monkeypatch.setenv(ray_tasks.CACHE, str(tmp_path / "cache"))
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 200_000_000})
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=100_000_000)
    ray_tasks.connect(made.address)
    yield made
    ray.shutdown()
    made.shutdown()


def submitted(store: Store, count: int, steps: int) -> list[str]:
    return [store.submit(build_experiment({**SETTINGS, "seeds": [seed], "steps": steps}, preset="demo"))
            for seed in range(count)]


def runs_of(store: Store, experiments: list[str]) -> list[RunRecord]:
    return [run for one in experiments for run in store.runs(one)]


def until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)
    return done()


@needs_ray
@pytest.mark.filterwarnings("ignore")
def test_eight_fleets_survive_the_death_of_a_node_and_equal_local_ones(cluster: Any, home: Path, tmp_path: Path,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    store, log = Store(home), list[str]()
    experiments = submitted(store, 8, 150)
    worker, stop = Worker(store, ray_tasks.RayTrain(keep_seconds=1.0, say=log.append)), threading.Event()
    thread = threading.Thread(target=train_many, args=(worker, stop, 4))
    thread.start()
    try:
        assert until(lambda: any(run.checkpoint for run in runs_of(store, experiments)), 120), log
        trained_on = {line.rpartition(" ")[2] for line in log if " on node " in line}
        victim = next(node for node in cluster.worker_nodes if node.node_id[:8] in trained_on)
        cluster.remove_node(victim, allow_graceful=False)
        ended = lambda: all(run.state == State.COMPLETED for run in runs_of(store, experiments))  # noqa: E731
        assert until(ended, 240), (log, [run.state for run in runs_of(store, experiments)])
    finally:
        stop.set()
        thread.join(20)
    lost = [line for line in log if "was lost" in line]
    assert lost and victim.node_id[:8] in trained_on
    texts = [store.log(run.id) for run in runs_of(store, experiments)]
    assert any("it goes on elsewhere from step" in text for text in texts)

    local = Store(tmp_path / "local")
    again = submitted(local, 8, 150)
    here = Worker(local)
    while here.work_once():
        pass
    for one, other in zip(runs_of(store, experiments), runs_of(local, again), strict=True):
        assert one.seed == other.seed and one.result["tasks"] == other.result["tasks"]
        theirs, ours = store.prompts(one.id)["composed"], local.prompts(other.id)["composed"]
        assert abs(theirs - ours).max() < 2e-3


@needs_ray
@pytest.mark.filterwarnings("ignore")
def test_cancel_and_pause_reach_a_fleet_and_a_new_driver_goes_on(cluster: Any, home: Path) -> None:
    store = Store(home)
    first, second = submitted(store, 2, 4000)
    worker, stop = Worker(store, ray_tasks.RayTrain(keep_seconds=0.5)), threading.Event()
    thread = threading.Thread(target=train_many, args=(worker, stop, 2))
    thread.start()
    try:
        assert until(lambda: all(run.step > 3 for run in runs_of(store, [first, second])), 120)
        [one], [two] = store.runs(first), store.runs(second)
        store.request(one.id, "cancel")
        assert until(lambda: store.run(one.id).state == State.CANCELLED, 30)
        store.request(two.id, "pause")
        assert until(lambda: store.run(two.id).state == State.PAUSED, 30)
    finally:
        stop.set()  # the driver ends
        thread.join(20)
    at = store.run(two.id).checkpoint
    assert at and at > 3
    store.requeue(two.id)
    worker, stop = Worker(store, ray_tasks.RayTrain(keep_seconds=0.5)), threading.Event()
    thread = threading.Thread(target=train_many, args=(worker, stop, 2))
    thread.start()
    try:
        assert until(lambda: store.run(two.id).step > at, 60) and f"step {at}" in store.log(two.id)
    finally:
        stop.set()
        thread.join(20)
    assert store.run(two.id).state == State.INTERRUPTED and os.environ["COMPT_HOME"] == str(home)
