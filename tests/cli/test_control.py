"""cancel, pause, resume and delete: said and done by what is so at that moment, also after a kill."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compt_core.errors import DiskError
from compt_core.runs.existing import existing_store
from compt_core.runs.lease import Lease
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.settings.config import build_experiment
from compt_core.training.events import Checkpoint

Call = Callable[..., Any]
TRAINS = "; start 'python -m compt_core worker' or the dashboard to train"


@pytest.fixture
def runs(store: Store) -> list[RunRecord]:
    """Four runs at step 9, with a checkpoint of step 7; who trained them was killed."""
    identity = store.submit(build_experiment({"seeds": "0-3", "methods": "pt"}, preset="demo"))
    for run in store.claim():
        store.started(run.id, 20, {})
    store.keep_checkpoints({run.id: Checkpoint(7, {}, 0.0, {}) for run in store.runs(identity)})
    return store.runs(identity)


def test_after_a_kill_every_command_is_right_at_once(call: Call, runs: list[RunRecord], home: Path) -> None:
    first, second, third, fourth = (run.id for run in runs)
    assert "running" not in call("show", first).out
    assert call("resume", first) == (0, f"Run {first} is queued and goes on from step 7{TRAINS} it.\n", "")
    assert call("cancel", second) == (0, f"Run {second} is cancelled.\n", "")
    assert call("delete", third) == (0, f"Run {third} is deleted.\n", "")
    assert not (home / "artifacts" / third).exists()
    experiment = runs[0].experiment
    assert call("resume", experiment) == (
        0, f"1 of 3 runs of experiment {experiment} are queued again{TRAINS} them.\n", "")
    assert call("resume", experiment).out == f"0 of 3 runs of experiment {experiment} are queued again.\n"
    listed = call("runs").out
    assert "running" not in listed and "interrupted" not in listed and listed.count("queued") == 2
    assert call("pause", fourth) == (0, f"Run {fourth} is paused.\n", "")


@pytest.mark.parametrize(("command", "says"), [
    ("runs", ""), ("cancel", "is cancelled."), ("pause", "is interrupted."), ("delete", "is deleted."),
    ("resume", "is queued and goes on from step 7"), ("show", '"state": "interrupted"')])
def test_whichever_command_comes_first_sweeps(call: Call, store: Store, runs: list[RunRecord], command: str, says: str,
                                              ) -> None:
    done = call(command, *(() if command == "runs" else (runs[0].id,)))
    assert done.code == 0 and says in done.out
    assert {str(run.state) for run in store.runs(runs[0].experiment)[1:]} == {"interrupted"}
    lease = Lease(store.home)
    assert lease.acquire()  # given back
    lease.release()


def test_while_somebody_trains_they_ask_that_one(call: Call, store: Store, runs: list[RunRecord]) -> None:
    first, second, third, fourth = (run.id for run in runs)
    lease = Lease(store.home)
    assert lease.acquire()
    assert call("resume", first).out == f"Run {first} is running.\n"
    assert call("cancel", second).out == f"Run {second} is running and stops at its next step.\n"
    assert f"Run {third} is deleted as soon as its training has stopped" in call("delete", third).out
    assert call("pause", fourth).out == f"Run {fourth} is running and pauses at its next step.\n"
    assert call("runs").out.count(" running ") == 4
    lease.release()  # and is killed
    left = existing_store().runs(runs[0].experiment)
    assert [str(run.state) for run in left] == ["interrupted", "cancelled", "paused"]


def test_of_many_commands_at_once_each_finds_its_run_ended(home: Path, runs: list[RunRecord]) -> None:
    together, after = threading.Barrier(len(runs)), list[str]()

    def resume(run: str) -> None:
        together.wait(30)
        after.append(existing_store().requeue(run)[0].state)

    threads = [threading.Thread(target=resume, args=(run.id,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert after == ["queued"] * len(runs)


def test_where_nothing_can_be_written_looks_go_on_and_changes_do_not(
    call: Call, runs: list[RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskError("The store cannot be written: database or disk is full.")

    monkeypatch.setattr(Store, "sweep", full)
    for words in (["runs"], ["show", runs[0].id], ["export", runs[0].id, "--format", "json", "--out", "out"]):
        done = call(*words)
        assert done.code == 0, words
        assert done.err.endswith("may have ended. The store cannot be written: database or disk is full.\n"), words
    for command in ("cancel", "pause", "resume", "delete"):
        assert call(command, runs[0].id) == (1, "", "The store cannot be written: database or disk is full.\n")
