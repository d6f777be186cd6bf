"""``run --measure``: one step is timed, an estimate is printed and kept, and nothing is queued."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compt_core.planning.estimate import Pace, Work
from compt_core.runs.lease import Lease
from compt_core.runs.store import Store


def test_an_estimate_is_printed_and_nothing_is_queued(call: Callable[..., Any], home: Path,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(configs: Any, tasks: Any, stopped: Any, tell: Callable[[str], None]) -> Pace:
        tell("timing a training step")
        return Pace("cpu, 2 threads, abc", Work(1, 1e3, 1e4, 1e3), 0.1, 0.1, 1e9, 1e9)

    monkeypatch.setattr("compt_core.cli.measure.measurer", lambda threads: measure)
    done = call("run", "--preset", "first-1", "--measure")
    assert done.code == 0 and "timing a training step" in done.err
    for said in ("1 run in 1 fleet would take", "GB of memory", "measured just now (cpu, 2 threads)",
                 "Nothing was queued"):
        assert said in done.out
    store = Store(home)
    assert store.runs() == [] and len(store.paces()) == 1
    lease = Lease(home)
    assert lease.acquire()  # given back
    lease.release()
    store.close()


def test_nothing_is_measured_while_another_process_may_train(call: Callable[..., Any], home: Path) -> None:
    store = Store(home)
    other = Lease(home)
    assert other.acquire()
    done = call("run", "--preset", "first-1", "--measure")
    assert done.code == 1 and "Another process trains" in done.err and not done.out
    other.release()
    assert store.paces() == []
    store.close()


@pytest.mark.parametrize("command", ["delete", "cancel", "pause"])
def test_a_command_for_a_run_says_that_an_id_is_an_experiments_or_nobodys(
        call: Callable[..., Any], home: Path, command: str) -> None:
    from compt_core.settings.config import build_experiment

    store = Store(home)
    identity = store.submit(build_experiment({}, preset="first-1"))
    assert f"'{identity}' is an experiment" in call(command, identity).err
    assert "neither a run nor an experiment 'aaaaaaaaaa'" in call(command, "aaaaaaaaaa").err
    assert len(store.runs(identity)) == 1
    store.close()
