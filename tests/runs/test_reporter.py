"""Batches into the store, requests out of it: how often, and what wins."""

import threading

import pytest

from compt_core.errors import StoreError
from compt_core.runs.reporter import ASK_SECONDS, BEAT_SECONDS, FLUSH_ITEMS, FLUSH_SECONDS, Reporter
from compt_core.training.events import Event, Outcome, Started


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


def test_requests_are_read_rarely_and_the_heart_beats(bench):
    reporter, (run, other), store, clock, _ = bench
    assert reporter.control(run) == "keep"
    store.request(run, "cancel")
    store.request(other, "pause")
    store.calls.clear()
    clock[0] += ASK_SECONDS - 0.01
    assert [reporter.control(run), reporter.control(other)] == ["keep", "keep"]
    assert store.calls == []
    clock[0] += 0.01
    assert [reporter.control(run), reporter.control(other)] == ["cancel", "pause"]
    assert store.calls == ["requests"]
    clock[0] += BEAT_SECONDS
    reporter.control(run)
    assert store.calls == ["requests", "requests", "heartbeat"]


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
