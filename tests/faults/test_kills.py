"""kill -9 of the worker at random moments: no run is lost, none hangs, each ends as if nothing had happened.

COMPT_KILLS says how often (default 2, so that a run that went on is killed again; ``make soak`` takes 30).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from compt_core.runs.record import State
from compt_core.runs.store import Store
from compt_core.settings.config import Experiment, build_experiment

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("COMPT_KILLS", "2"))
SECONDS = 300 + 20 * KILLS  # the longest any part may take


@pytest.fixture
def experiment() -> Experiment:
    """Four methods side by side; long enough that every kill meets them at work, with one run that ends early."""
    return build_experiment({
        "tasks": ["demo-mood", "demo-follows", "demo-meaning"], "batch": 8, "eval_rows": 40,
        "steps": 100 + 60 * KILLS, "method_settings": {"mst": {"steps": 60}}}, preset="demo")


@contextmanager
def worker(home: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own that checkpoints as often as it can."""
    with log.open("ab") as out, subprocess.Popen(
            [sys.executable, "-m", "compt_core", "worker"], cwd=ROOT, stdout=out, stderr=out,
            env=os.environ | {"COMPT_HOME": str(home), "COMPT_CHECKPOINT_SECONDS": "0"}) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Until `condition` holds; fails after SECONDS."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_runs_outlive_their_worker(tmp_path: Path, experiment: Experiment) -> None:
    calm, stormy = Store(tmp_path / "calm"), Store(tmp_path / "stormy")
    undisturbed, identity = calm.submit(experiment), stormy.submit(experiment)
    with worker(calm.home, tmp_path / "calm.log"):
        wait_for(lambda: settled(calm, undisturbed), "the undisturbed runs hang")
    dice, log = random.Random(KILLS), tmp_path / "stormy.log"
    resumed_at = []
    for kill in range(KILLS + 1):
        with worker(stormy.home, log) as process:  # it gains the lease of the one that was killed, and sweeps
            if kill:
                wait_for(lambda: State.RUNNING not in stormy.experiment(identity).states, "a run says running for ever")
                left = [run for run in stormy.runs(identity) if run.state == State.INTERRUPTED]
                resumed_at.append({run.checkpoint for run in left if run.method != "mst"})  # its last step came before
                stormy.requeue(*(run.id for run in left))
            if kill == KILLS:
                wait_for(lambda: settled(stormy, identity), "the resumed runs hang")
                break
            wait_for(partial(moved, stormy, identity, kept(stormy, identity)), "no headway")
            time.sleep(dice.uniform(0, 0.7))
            process.kill()
        states = stormy.experiment(identity).states
        assert sum(states.values()) == 4 and not states.keys() & {"failed", "cancelled", "paused"}
    assert any(step for steps in resumed_at for step in steps if step), "no run went on from a checkpoint"
    assert all(len(steps) <= 1 for steps in resumed_at), "runs of a fleet went on from different moments"
    for one, two in zip(calm.runs(undisturbed), stormy.runs(identity), strict=True):
        assert (two.state, two.steps, two.checkpoint) == ("completed", one.steps, None)
        assert one.result is not None and two.result is not None
        assert one.result["tasks"] == two.result["tasks"]
        for name, prompt in calm.prompts(one.id).items():
            assert np.array_equal(prompt, stormy.prompts(two.id)[name]), (one.method, name)
        for kind in ("loss", "task_loss", "attention", "gates", "dev_score", "prompts"):
            for whole, pieced in zip(calm.events(one.id, kind), stormy.events(two.id, kind), strict=True):
                assert np.array_equal(whole, pieced, equal_nan=True), (one.method, kind)
        assert not list((stormy.home / "artifacts" / two.id).glob("checkpoint*"))


def kept(store: Store, experiment: str) -> int:
    return max(run.checkpoint or 0 for run in store.runs(experiment))


def moved(store: Store, experiment: str, before: int) -> bool:
    """Whether there is a checkpoint beyond `before`, or nothing left to do."""
    return kept(store, experiment) > before or settled(store, experiment)


def settled(store: Store, experiment: str) -> bool:
    states = store.experiment(experiment).states
    assert State.FAILED not in states, [run.error_message for run in store.runs(experiment)]
    return states == {"completed": 4}
