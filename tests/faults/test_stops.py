"""Orderly and disorderly ends beside kill -9: SIGTERM, a full disk, broken files, a locked store, a jumping clock."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compt_core.errors import DiskError, StoreError
from compt_core.runs import schema
from compt_core.runs.drain import drain
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker
from compt_core.settings.config import Experiment, build_experiment

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120
SOON = 30  # seconds in which a stop has happened also where all cores are busy; about one where they are not


def small(**settings: Any) -> Experiment:
    return build_experiment({"tasks": ["demo-mood", "demo-follows"], "batch": 4, "eval_rows": 20, "methods": ["spp"],
                             "steps": 12, **settings}, preset="demo")


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(("command", "number", "code"), [
    ("worker", signal.SIGINT, 0), ("worker", signal.SIGHUP, 0), ("run", signal.SIGTERM, 143),
    ("run", signal.SIGHUP, 129)])
def test_a_signal_stops_training_soon_with_a_checkpoint(home: Path, command: str, number: int, code: int) -> None:
    store = Store(home)
    words = ["--tasks", "demo-mood,demo-follows", "--methods", "pt,spp", "--steps", "100000", "--set", "batch=4"]
    if command == "worker":
        store.submit(small(steps=100_000, methods=["pt", "spp"]))
        words = []
    with subprocess.Popen([sys.executable, "-m", "compt_core", command, *words], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as trainer:
        try:
            wait_for(lambda: bool(found := store.runs()) and all(run.step > 20 for run in found))
            for _ in range(2 if number == signal.SIGHUP else 1):  # a terminal that closes may say so twice
                trainer.send_signal(number)
            out, err = trainer.communicate(timeout=SOON)
        finally:
            trainer.kill()  # what is left of it after a failure; the block would wait for its end for ever
    assert (trainer.returncode, out, len(err.splitlines())) == (code, "", 1)
    left = store.runs()
    assert {run.state for run in left} == {"interrupted"}
    assert {run.checkpoint for run in left} == {run.step for run in left}
    if command == "run":
        assert f"Experiment {left[0].experiment} is kept: {len(left)} interrupted." in err
    else:
        assert " starts: " in (home / "worker.log").read_text()


def test_a_full_disk_costs_checkpoints_and_then_the_result_but_no_training(
    store: Store, monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = store.runs(store.submit(small()))[0].id
    really, full = os.fsync, threading.Event()

    def fsync(file: int) -> None:
        if full.is_set():
            raise OSError(28, "No space left on device")
        really(file)

    monkeypatch.setenv("COMPT_CHECKPOINT_SECONDS", "0")
    monkeypatch.setattr(os, "fsync", fsync)
    full.set()
    Worker(store).work_once()
    failed = store.run(run)
    assert (failed.state, failed.error_type, failed.step) == ("failed", "DiskError", 12)
    assert "No space left on device. Free some space" in (failed.error_message or "")
    assert "no checkpoint: The file" in store.log(run)
    full.clear()
    store.requeue(run)
    Worker(store).work_once()
    assert store.run(run).state == "completed"


def test_a_full_database_interrupts_and_the_worker_goes_on_once_there_is_room(store: Store) -> None:
    identity = store.submit(small(steps=400, methods=["pt", "spp"]))
    with store._database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    limit = schema.event.listens_for(store._database._engine, "connect")

    @limit
    def _small(raw: Any, _record: Any) -> None:
        raw.execute(f"PRAGMA max_page_count = {pages + 2 if full.is_set() else 2**30}")

    full, stop = threading.Event(), threading.Event()
    full.set()
    store.close()
    with pytest.raises(DiskError, match=r"cannot be written: database or disk is full\. Free some space"):
        Worker(store).run(stop)
    full.clear()
    store.close()
    records = drain(store, identity, lambda runs: None)  # the next lease: swept, queued again, trained
    assert [record.state for record in records] == ["completed", "completed"]


@pytest.mark.parametrize("spoil", [
    lambda path: path.write_bytes(path.read_bytes()[:100]), lambda path: path.write_bytes(b""), Path.unlink,
])
def test_a_spoilt_checkpoint_costs_time_only(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    from compt_core.training.fleet_run import train_fleet

    calm, store = Store(tmp_path / "calm"), Store(tmp_path / "spoilt")
    whole, run = (one.runs(one.submit(small()))[0].id for one in (calm, store))
    Worker(calm).work_once()
    stop = threading.Event()

    def train(configs: Any, on_event: Any, control: Any, **more: Any) -> Any:
        def stopping(event: Any) -> None:
            on_event(event)
            if getattr(event, "step", 0) == 5:
                stop.set()

        return train_fleet(configs, stopping, control, **more)

    Worker(store, train).work_once(stop)
    left = store.run(run)
    assert (left.state, left.checkpoint) == ("interrupted", 5)
    spoil(store.home / "artifacts" / run / "checkpoint-5.safetensors")
    store.requeue(run)
    Worker(store).work_once()
    assert "starts from the beginning: The file" in store.log(run)
    assert store.run(run).state == "completed"
    assert all(np.array_equal(array, store.prompts(run)[name]) for name, array in calm.prompts(whole).items())


def test_a_backbone_that_is_gone_is_a_sentence(store: Store, tiny_t5: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backbone"
    shutil.copytree(tiny_t5, folder)
    run = store.runs(store.submit(small(backbone=str(folder))))[0].id
    shutil.rmtree(folder)
    Worker(store).work_once()
    failed = store.run(run)
    assert (failed.state, failed.error_type) == ("failed", "BackboneError")
    assert str(folder) in (failed.error_message or "") and "Traceback" in (failed.traceback or "")


def test_a_writer_waits_for_a_locked_store_and_then_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect(store.home / "compt.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.2)
    with pytest.raises(StoreError, match=r"cannot be used: .*database is locked"):
        Store(store.home)
    assert store.experiments() == []  # readers never wait
    other.rollback()
    other.close()
    assert store.submit(small())


def test_a_clock_that_jumps_back_changes_no_order_and_no_state(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.submit(small(steps=2))
    monkeypatch.setattr(time, "time", lambda: 1.0)
    second = store.submit(small(steps=2))
    assert [record.id for record in store.experiments()] == [second, first]
    worker = Worker(store)
    for _ in range(2):
        worker.work_once()
    assert [store.runs(identity)[0].state for identity in (first, second)] == ["completed", "completed"]


def test_a_cancel_takes_effect_within_two_steps(store: Store) -> None:
    from compt_core.training.fleet_run import train_fleet

    run = store.runs(store.submit(small(steps=100_000, methods=["pt"])))[0].id
    taken = 0

    def train(configs: Any, on_event: Any, control: Any, **more: Any) -> Any:
        def counted(event: Any) -> None:
            nonlocal taken
            taken = max(taken, event.step)
            on_event(event)

        return train_fleet(configs, counted, control, **more)

    worker = threading.Thread(target=Worker(store, train).work_once)
    worker.start()
    wait_for(lambda: taken > 20)
    store.request(run, "cancel")
    asked = taken
    worker.join(SECONDS)
    assert taken <= asked + 2
    assert store.run(run).state == "cancelled"
