"""Several fleets at once, where other machines train them: one process has the lease, and a thread for each fleet."""

from __future__ import annotations

import threading
from collections.abc import Callable

from compt_core.runs.worker import EXIT_SECONDS, Worker


def train_many(worker: Worker, stop: threading.Event, most: int, done: Callable[[], bool] = lambda: False) -> None:
    """Trains what is queued, at most `most` fleets at once, until `stop` is set or `done()` while none trains.

    Waits while another process has the lease. At the end each fleet is asked to pause and waited for, at most
    EXIT_SECONDS.
    """
    threads = list[threading.Thread]()
    try:
        while not stop.is_set():
            threads = [one for one in threads if one.is_alive()]
            if not threads and done():
                return
            if not worker.gain() or len(threads) >= most or not (fleet := worker.claim()):
                if threads or not worker.lease.held or not worker.follow():
                    worker.rest()
                continue
            thread = threading.Thread(target=worker.train, args=(fleet, stop), daemon=True,
                                      name=f"compt-fleet-{fleet[0].fleet}")
            thread.start()
            threads.append(thread)
    finally:
        stop.set()
        for thread in threads:
            thread.join(EXIT_SECONDS)
        worker.lease.release()
