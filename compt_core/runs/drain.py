"""Waits for an experiment, and trains it here if no other process does. ``python -m compt_core run`` uses this."""

from __future__ import annotations

import threading
from collections.abc import Callable

from compt_core.runs.record import ACTIVE, RunRecord, State
from compt_core.runs.store import Store
from compt_core.runs.worker import EXIT_SECONDS, POLL_SECONDS, Worker
from compt_core.signals import Stopped


def drain(store: Store, experiment: str, on_tick: Callable[[list[RunRecord]], None], *,
          worker: Worker | None = None) -> list[RunRecord]:
    """Waits until an experiment has nothing left to train, and trains it here when the lease is free.

    Runs that were queued earlier go first. While another process has the lease, that one trains; if it ends, the runs
    that this interrupts are queued again. A paused run is not waited for. `on_tick` gets the experiment's runs in grid
    order about twice a second and at the end; they are also returned. KeyboardInterrupt cancels the experiment, waits
    until a fleet that trains here has stopped, and is raised again. Stopped interrupts that fleet, with checkpoints,
    and waits at most EXIT_SECONDS.
    """
    store.experiment(experiment)
    worker = worker or Worker(store)
    stop, done = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            worker.run(stop, lambda: _settled(store, experiment, alone=worker.lease.held))
            if not stop.is_set():
                worker.refer(experiment, stop)  # in case the worker that trained it had to end before this
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    thread, patience = threading.Thread(target=work, name="compt-drain", daemon=True), None
    try:
        thread.start()
        while not done.wait(POLL_SECONDS):
            on_tick(store.runs(experiment))
    except Stopped:
        patience = EXIT_SECONDS
        raise
    except KeyboardInterrupt:
        for record in store.runs(experiment):
            if record.state != State.PAUSED:
                store.request(record.id, "cancel")
        raise
    finally:
        stop.set()
        worker.wake()
        thread.join(patience)
    if failures:
        raise failures[0]
    records = store.runs(experiment)
    on_tick(records)
    return records


def _settled(store: Store, experiment: str, *, alone: bool) -> bool:
    """Whether an experiment has come to its end; first queues its interrupted runs again.

    `alone` = this process has the lease; otherwise another may still compute the reference rows.
    """
    record = store.experiment(experiment)
    left = [run.id for run in store.runs(experiment) if run.state == State.INTERRUPTED] \
        if State.INTERRUPTED in record.states else []
    if left:
        store.requeue(*left)
        return False
    if ACTIVE & record.states.keys():
        return False
    return alone or record.references is not None or State.COMPLETED not in record.states
