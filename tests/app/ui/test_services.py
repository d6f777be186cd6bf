"""One store and one worker per process, whatever a visitor does; looks into the store are shared."""

from __future__ import annotations

import dataclasses
import threading
from typing import ClassVar

import pytest
import streamlit as st

from app.ui import services
from compt_core.planning.estimate import Pace, place
from compt_core.settings.config import build_experiment
from compt_core.training.events import Event, Outcome


class Counted:
    """A worker that only counts."""

    made: ClassVar[list[Counted]] = []

    def __init__(self, store, more):
        self.started = self.woken = 0
        Counted.made.append(self)

    def start_thread(self):
        self.started += 1

    def wake(self):
        self.woken += 1


@pytest.fixture
def worker(home, monkeypatch):
    monkeypatch.setattr(services, "Worker", Counted)
    monkeypatch.setattr(services, "_worker", None)
    monkeypatch.setattr(Counted, "made", [])
    monkeypatch.setenv("COMPT_WORKER", "thread")
    yield Counted
    services.store().close()


def test_many_visitors_start_one_worker_and_clearing_the_caches_no_second(worker):
    together = threading.Barrier(4)

    def visit():
        together.wait(30)
        services.ensure_worker()

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    st.cache_resource.clear()
    services.ensure_worker()
    assert [one.started for one in worker.made] == [1]


@pytest.mark.parametrize("mode", ["off", "external"])
def test_another_process_may_train_instead(worker, monkeypatch, mode):
    monkeypatch.setenv("COMPT_WORKER", mode)
    services.ensure_worker()
    assert worker.made == [] and not services.trains_here()


def test_a_submission_wakes_the_worker(worker):
    services.ensure_worker()
    checked, issues = services.check(build_experiment({"steps": 2}, preset="first-1"))
    assert issues == ()
    identity = services.submit(checked)
    assert services.store().experiment(identity).states == {"queued": 1}
    assert worker.made[0].woken == 1


def test_loss_curves_are_read_and_drawn_once_for_all_viewers_and_the_last_ones_whole(lab, store, monkeypatch):
    identity = lab.running()
    reads = []
    inner = type(store).curves
    monkeypatch.setattr(type(store), "curves", lambda *args: reads.append(args[1]) or inner(*args))

    def draw(curves):
        return {run.id: list(steps) for run, steps, _ in curves}

    runs = store.runs(identity)
    seen = [services.drawn(identity, runs, "loss", draw) for _ in range(5)]
    assert seen[0] == {run.id: [0, 1, 2, 3, 4] for run in runs} and seen.count(seen[0]) == 5 and len(reads) == 1
    for run in runs:
        store.write_events([Event(run.id, "loss", 5, (0.1,))])
        store.finish(run.id, Outcome("cancelled"))
    ended = services.drawn(identity, store.runs(identity), "loss", draw)  # at once, however fresh the last one was
    assert ended == {run.id: [0, 1, 2, 3, 4, 5] for run in runs}
    services.store().close()


def test_the_pace_is_measured_from_the_first_look(lab, store):
    run = store.runs(lab.running())[0]
    later = dataclasses.replace(run, step=run.step + 3, heartbeat=run.heartbeat + 6)
    assert services.first_seen(dataclasses.replace(run, step=0)) is None
    assert services.first_seen(run) == services.first_seen(later) == (run.heartbeat, run.step)
    again = dataclasses.replace(later, started=later.heartbeat)  # resumed, and still loading
    assert services.first_seen(again) is None
    again = dataclasses.replace(again, heartbeat=again.started + 5)  # measured anew
    assert services.first_seen(again) == (again.heartbeat, again.step)


def test_the_estimate_goes_by_fleets_of_this_backbone_and_these_threads(store, monkeypatch):
    monkeypatch.setenv("COMPT_WORKER", "thread")
    monkeypatch.setenv("COMPT_THREADS", "3")
    checked, _ = services.check(build_experiment({}, preset="first-1"))
    assert services.estimate(checked) == (None, None)
    seconds = {place("cpu", 3, checked.backbone.digest()): 20.0, place("cpu", 2, checked.backbone.digest()): 500.0,
               place("cpu", 3, "another backbone"): 900.0}
    for where, taken in seconds.items():  # the last fleet is of another backbone
        store.submit(build_experiment({}, preset="first-1"))
        run, = store.claim()
        store.started(run.id, 5, {})
        pace = Pace(where, checked.work, taken, taken / 10, None if taken == 900 else 7e6 * taken)
        store.finish(run.id, Outcome("completed", result={"pace": dataclasses.asdict(pace)}))
    assert [pace.train_seconds for pace in store.paces()] == [900.0, 500.0, 20.0]
    found, memory = services.estimate(checked)
    assert memory == 140e6 + 26 * sum(checked.parameters)
    assert found.fleets == 1
    assert (found.low + found.high) / 2 == pytest.approx(22)
    services.store().close()
