"""Batches into the store, requests out of it: how often, and what wins."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from compt_core.errors import StoreError
from compt_core.runs.reporter import (
    ASK_SECONDS,
    BEAT_SECONDS,
    FLUSH_ITEMS,
    FLUSH_SECONDS,
    KEEP_SHARE,
    TURN_SECONDS,
    Reporter,
)
from compt_core.training.events import Checkpoint, Event, Outcome, Started

ROOT = Path(__file__).resolve().parents[2]


class Watched:
    """The store, with every call of a method that is counted noted by name."""

    def __init__(self, store):
        self._store, self.calls = store, []

    def __getattr__(self, name):
        if name in ("write_events", "requests", "heartbeat"):
            self.calls.append(name)
        return getattr(self._store, name)


@pytest.fixture
def bench(store, grid):
    """A reporter of a fleet of two started runs, its run ids, its store, its clock and its stop."""
    store.submit(grid(seeds=[0, 1]))
    fleet = store.claim()
    clock, stop, watched = [100.0], threading.Event(), Watched(store)
    reporter = Reporter(watched, fleet, stop, clock=lambda: clock[0])
    for record in fleet:
        reporter.on_event(Started(record.id, 10_000, {}))
    watched.calls.clear()
    return reporter, [record.id for record in fleet], watched, clock, stop


def loss(run, step):
    return Event(run, "loss", step, (1.0,))


def test_started_sets_steps_and_versions(store, grid):
    store.submit(grid())
    fleet = store.claim()
    Reporter(store, fleet, threading.Event()).on_event(Started(fleet[0].id, 70, {"torch": "2"}))
    record = store.run(fleet[0].id)
    assert (record.steps, record.versions) == (70, {"torch": "2"})


def test_events_go_in_batches_by_time_or_number(bench):
    reporter, (run, _), store, clock, _ = bench
    reporter.on_event(loss(run, 0))
    clock[0] += FLUSH_SECONDS - 0.01
    reporter.on_event(loss(run, 1))
    assert store.calls == []
    clock[0] += 0.01
    reporter.on_event(loss(run, 2))
    assert store.calls == ["write_events"]
    for step in range(3, 3 + FLUSH_ITEMS):
        reporter.on_event(loss(run, step))
    assert store.calls == ["write_events"] * 2
    assert store.run(run).step == 2 + FLUSH_ITEMS


def test_a_slow_trainers_events_are_written_when_it_asks(bench):
    reporter, (run, _), store, clock, _ = bench
    reporter.on_event(loss(run, 1))
    clock[0] += FLUSH_SECONDS
    reporter.control(run)
    assert store.run(run).step == 1


def test_requests_are_read_when_there_is_news_and_the_heart_beats(bench):
    reporter, (run, other), store, clock, _ = bench

    def step():
        return [reporter.control(run), reporter.control(other)]

    assert step() == step() == ["keep", "keep"]
    store.calls.clear()
    assert [step() for _ in range(50)] == [["keep", "keep"]] * 50
    assert store.calls == []
    store.request(run, "cancel")
    store.request(other, "pause")
    assert step() == ["cancel", "pause"]  # no time has passed: before the very next step
    assert step() == ["cancel", "pause"]
    assert store.calls == ["requests"]
    clock[0] += ASK_SECONDS
    step()
    assert store.calls == ["requests", "requests"]
    clock[0] += BEAT_SECONDS
    reporter.control(run)
    assert store.calls == ["requests", "requests", "requests", "heartbeat"]


@pytest.mark.slow
def test_a_request_from_another_process_is_news(bench):
    reporter, (run, other), store, _, _ = bench
    assert [reporter.control(one) for one in (run, other, run, other)] == ["keep"] * 4
    code = f"from pathlib import Path; from compt_core.runs.store import Store; " \
           f"Store(Path({str(store.home)!r})).request({run!r}, 'cancel')"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert [reporter.control(run), reporter.control(other)] == ["cancel", "keep"]


def test_a_long_fleet_makes_room_for_another_owner_and_a_short_one_does_not(bench, grid):
    reporter, (run, other), store, clock, _ = bench
    store.submit(grid(), owner="ben")
    clock[0] += 5 * TURN_SECONDS  # loading the backbone is no part of a turn
    assert [reporter.control(run), reporter.control(other)] == ["keep", "keep"]
    reporter.on_event(loss(run, 1))
    reporter.on_event(loss(other, 10_000))  # trained: it is scored in this turn
    clock[0] += TURN_SECONDS - 1
    assert [reporter.control(run), reporter.control(other)] == ["keep", "keep"]
    clock[0] += 1
    assert [reporter.control(run), reporter.control(other)] == ["pause", "keep"] and reporter.yielding


def test_checkpoints_come_by_time_and_more_seldom_where_writing_takes_long(store, grid):
    store.submit(grid(seeds=[0, 1]))
    fleet = store.claim()
    clock = [100.0]

    class Slow:
        def __getattr__(self, name):
            return getattr(store, name)

        def keep_checkpoints(self, checkpoints):
            clock[0] += 2
            store.keep_checkpoints(checkpoints)

    reporter = Reporter(Slow(), fleet, threading.Event(), clock=lambda: clock[0], keep_seconds=10)
    ids = [record.id for record in fleet]
    clock[0] += 11
    assert not reporter.due(ids[0])  # no step yet
    reporter.on_event(Started(ids[0], 90, {}))
    reporter.on_event(loss(ids[0], 1))
    assert reporter.due(ids[0])
    reporter.keep({run: Checkpoint(1, {}) for run in ids})
    clock[0] += 2 * KEEP_SHARE - 0.1
    assert not reporter.due(ids[0])
    assert not reporter.due(ids[0])
    clock[0] += 0.2
    assert reporter.due(ids[0])
    reporter.keep({run: Checkpoint(7, {"a": [1.0]}) for run in ids})
    assert [store.run(run).checkpoint for run in ids] == [7, 7]
    clock[0] += 2 * KEEP_SHARE - 0.1
    assert not reporter.due(ids[1])
    clock[0] += 0.2
    assert reporter.due(ids[1])


def test_a_stop_asks_for_a_pause_at_once_but_not_of_the_cancelled(bench):
    reporter, (run, other), store, _, stop = bench
    assert reporter.control(run) == "keep"
    store.request(run, "cancel")  # after the last look, and no time passes before the stop
    stop.set()
    assert [reporter.control(run), reporter.control(other)] == ["cancel", "pause"]


def test_an_outcome_is_kept_once_after_what_was_reported(bench):
    reporter, (run, other), store, _, _ = bench
    reporter.on_event(loss(run, 7))
    reporter.on_outcome(run, Outcome("cancelled"))
    assert store.events(run, "loss")[0].tolist() == [7]
    reporter.on_event(loss(run, 8))  # late: dropped
    reporter.on_outcome(run, Outcome("failed", error=ValueError()))
    reporter.end_rest(Outcome("failed", error=ValueError("crash")))
    assert [store.run(run).state, store.run(other).state] == ["cancelled", "failed"]
    assert store.events(run, "loss")[0].tolist() == [7]


def test_a_result_that_cannot_be_kept_makes_the_run_failed(bench):
    reporter, (run, other), store, _, _ = bench
    reporter.on_outcome(run, Outcome("completed", result={"mean": object()}))
    assert store.run(run).state == "failed"
    assert "JSON serializable" in store.run(run).error_message
    assert store.run(other).state == "running"


def test_a_run_of_another_fleet_is_an_error(bench):
    reporter = bench[0]
    with pytest.raises(StoreError, match="There is no run"):
        reporter.on_outcome("aaaaaaaaaa", Outcome("cancelled"))
