"""A worker as a program of its own: until it is told to stop, with a log file in the home."""

from __future__ import annotations

import logging
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path

from compt_core.runs.worker import EXIT_SECONDS, POLL_SECONDS, Worker

LOG_NAME, LOG_BYTES = "worker.log", 1_000_000


def serve(worker: Worker, stop: threading.Event) -> bool:
    """Runs a worker until `stop` is set, then waits up to EXIT_SECONDS for its fleet; whether it stopped in time.

    A step of a large model may take longer; its runs then go on from the last checkpoint later. Raises an exception of
    the store.
    """
    failures: list[BaseException] = []

    def work() -> None:
        try:
            worker.run(stop)
        except BaseException as error:
            failures.append(error)
            stop.set()

    thread = threading.Thread(target=work, name="compt-worker", daemon=True)
    thread.start()
    while not stop.wait(POLL_SECONDS):  # with a limit, so that every system notices a signal
        pass
    thread.join(EXIT_SECONDS)
    if failures:
        raise failures[0]
    return not thread.is_alive()


def log_to_file(home: Path) -> None:
    """Sends this process's worker messages to LOG_NAME in the home folder, never into a pipe that nobody empties."""
    handler = RotatingFileHandler(home / LOG_NAME, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    core = logging.getLogger("compt_core")
    core.setLevel(logging.INFO)
    core.addHandler(handler)
