"""A measurement that was asked for: done between fleets by who holds the lease, and kept; a failed one says why."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from compt_core.errors import BackboneError
from compt_core.planning.estimate import Pace, Work
from compt_core.runs.lease import Lease
from compt_core.runs.measuring import Measurement
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker

SECONDS = 30
PACE = Pace("cpu, 2 threads, abc", Work(1, 2, 3, 4), 0.5, 0.25, 1e6, 1e9)


@pytest.fixture
def worker(store: Store) -> Any:
    made = Worker(store, train=lambda *_, **__: {}, references=lambda config, tasks: None)
    yield made
    assert made.stop(SECONDS)


def asked(worker: Worker, grid: Callable[..., Any], measure: Callable[..., Pace | None]) -> Measurement:
    worker.measurements.measure = measure
    one = Measurement(tuple(grid().runs()), {})  # type: ignore[arg-type]
    worker.measurements.ask(one)
    return one


def ended(one: Measurement) -> bool:
    waited = threading.Event()
    return any(one.ended or waited.wait(0.05) for _ in range(20 * SECONDS))


def test_a_measured_pace_is_kept_once_for_each_place_and_read_after_those_of_fleets(store: Store, home: Any) -> None:
    store.keep_pace(PACE)
    later = Pace("cpu, 2 threads, abc", Work(2, 4, 6, 8), 0.9, 0.3, None, 2e9)
    other = Pace("cuda, def", Work(2, 4, 6, 8), 0.9, 0.3, None, 1.5e9)
    for pace in (later, other):
        store.keep_pace(pace)
    assert store.paces() == [later, other]
    with store._database.write() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '{\"pace\": 1}' WHERE key LIKE 'pace of cuda%'")
    assert store.paces() == [later]
    again = Store(home)  # the row is no part of the schema: other versions open the file
    assert again.paces() == [later]
    again.close()


def test_the_worker_measures_while_nothing_trains(worker: Worker, store: Store, grid: Callable[..., Any]) -> None:
    held = threading.Event()

    def measure(configs: Any, tasks: Any, stopped: Any, tell: Callable[[str], None]) -> Pace:
        tell("timing a training step")
        assert held.wait(SECONDS) and worker.lease.held and not stopped()
        return PACE

    one = asked(worker, grid, measure)
    worker.start_thread()
    worker.wake()
    waited = threading.Event()
    assert any(one.doing or waited.wait(0.05) for _ in range(20 * SECONDS)) and one.state == "measuring"
    held.set()
    assert ended(one) and (one.state, one.problem) == ("done", "")
    assert store.paces() == [PACE]


def test_a_measurement_waits_for_the_lease(worker: Worker, store: Store, grid: Callable[..., Any]) -> None:
    other = Lease(store.home)
    assert other.acquire()
    one = asked(worker, grid, lambda *_: PACE)
    worker.start_thread()
    threading.Event().wait(1.5)
    assert one.state == "waiting"
    other.release()
    assert ended(one) and one.state == "done"


@pytest.mark.parametrize(("error", "says"), [
    (BackboneError("The backbone 'x' is gone. Give another."), "The backbone 'x' is gone."),
    (MemoryError("no room"), "MemoryError: no room"), (None, "stopped")])
def test_a_failed_measurement_says_why_and_the_worker_goes_on(
        worker: Worker, store: Store, grid: Callable[..., Any], error: Exception | None, says: str) -> None:
    def measure(*_: Any) -> None:
        if error:
            raise error

    one = asked(worker, grid, measure)
    assert worker.measurements.work_once(threading.Event(), None)
    assert one.state == "failed" and says in one.problem and store.paces() == []
    assert not worker.measurements.work_once(threading.Event(), None)
