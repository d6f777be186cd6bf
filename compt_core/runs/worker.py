"""The worker: trains what the queue holds, in whichever process has the lease. Loads torch only to train."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, cast

from compt_core.errors import ConfigError, Damaged, Issue, LostStore, StoreError, UnknownId, nearest, quoted
from compt_core.runs import starts
from compt_core.runs.lease import Lease
from compt_core.runs.measuring import Measurements
from compt_core.runs.record import RunRecord, State
from compt_core.runs.reporter import KEEP_SECONDS, Reporter
from compt_core.runs.store import Store
from compt_core.runs.trainer import References, Train, referrer, trainer
from compt_core.settings.plain import number
from compt_core.trackers.feed import feed_for
from compt_core.training.events import Checkpoint, Log, Outcome

__all__ = ["Lease", "Worker", "worker_mode"]

POLL_SECONDS = 0.5  # how long an idle worker, or a waiting one, sleeps unless woken
RETRY_SECONDS = 5.0  # pause of the app's worker after a failure of the store
EXIT_SECONDS = 8.0  # how long a leaving process waits for its fleet to stop
NO_REFERENCES: dict[str, Any] = {"majority": {}, "no_prompt": {}}  # they could not be computed

logger = logging.getLogger(__name__)

WorkerMode = Literal["thread", "external", "off"]
_MODES = ("thread", "external", "off")


def worker_mode() -> WorkerMode:
    """COMPT_WORKER: 'thread' (the app trains, default), 'external' (another process does) or 'off'.

    Raises ConfigError for any other value.
    """
    mode = os.environ.get("COMPT_WORKER", "").strip() or "thread"
    if mode not in _MODES:
        raise ConfigError([Issue("COMPT_WORKER", "The environment variable COMPT_WORKER must be one of 'thread', "
                                 f"'external', 'off'. Got {mode!r} instead.{nearest(mode, _MODES)}")])
    return cast(WorkerMode, mode)


def app_threads() -> int:
    """Torch threads while a dashboard runs in the same process: COMPT_THREADS, or all cores but one, which keeps pages
    quick.

    Raises ConfigError where COMPT_THREADS is not an integer of 1 or more.
    """
    return _whole_number("COMPT_THREADS", 1, max(1, (os.cpu_count() or 2) - 1))


def checkpoint_seconds() -> int:
    """COMPT_CHECKPOINT_SECONDS: the time between checkpoints, which is the most that a crash costs.

    With 0 they follow each other as fast as possible, in at most a twentieth of the time.

    Raises ConfigError where it is not an integer of 0 or more.
    """
    return _whole_number("COMPT_CHECKPOINT_SECONDS", 0, KEEP_SECONDS)


def _whole_number(variable: str, least: int, default: int) -> int:
    given = os.environ.get(variable, "").strip()
    if not given:
        return default
    found = number(given)
    if not isinstance(found, int) or found < least:
        raise ConfigError([Issue(variable, f"The environment variable {variable} must be an integer of {least} or "
                                           f"more. Got {quoted(given)} instead.")])
    return found


class Worker:
    """Trains queued runs, one fleet at a time, while it holds the lease of the store's home.

    waiting   another process has the lease; tried again every POLL_SECONDS or on wake()
      -> idle       the lease is gained; the store is swept: runs that still say running become interrupted
    idle      has the lease, nothing is queued; looks again every POLL_SECONDS or on wake(); measures what
              `measurements` holds, before it looks into the queue
      -> training   a fleet was claimed: its runs are running
    training  the trainer takes steps; each run ends with its own outcome while the others go on
      -> idle       every run of the fleet has ended. A crash of the trainer makes those that had no
                    outcome failed, with its traceback (or cancelled, if that was asked for)
      -> stopped    stop was set: each run is asked to pause and ends interrupted, unless somebody
                    had asked for a pause (paused) or a cancel (cancelled)
    stopped   the lease is given back; start_thread() or run() begin again at waiting

    From any state, stop leads to stopped, and so does an exception of the store, which run() raises
    (the thread of start_thread() logs it and begins again). A killed process frees the lease; the process
    that gains it next sweeps.

    `train` and `references` default to those of `compt_core.training.fleet_run`, imported when first needed. `more` may
    queue what follows from completed runs, and is true if it did; it is asked at the start and after fleets.
    """

    def __init__(self, store: Store, train: Train | None = None, references: References | None = None,
                 more: Callable[[], bool] | None = None):
        self._store, self._train_fleet, self._reference_rows, self._more = store, train, references, more
        self._asked = False
        self.lease, self.measurements = Lease(store.home), Measurements(store)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._keep_seconds = checkpoint_seconds()
        self._threads: int | None = None  # torch's own choice, unless a dashboard runs here as well

    def run(self, stop: threading.Event, until: Callable[[], bool] | None = None) -> None:
        """Trains in this thread until `stop` is set or `until()` is true (asked between fleets)."""
        try:
            while not stop.is_set():
                self._wake.clear()  # before looking, so that a wake() in between is not lost
                if until is not None and until():
                    return
                if not (self.gain() and (self.measurements.work_once(stop, self._threads) or self.work_once(stop)
                                          or self.follow())):
                    self._wake.wait(POLL_SECONDS)
        finally:
            self.lease.release()

    def work_once(self, stop: threading.Event | None = None) -> bool:
        """Trains the next fleet; False when nothing is queued. The caller holds the lease."""
        fleet = self.claim()
        if fleet:
            self.train(fleet, stop or threading.Event())
        return bool(fleet)

    def claim(self) -> tuple[RunRecord, ...]:
        """The next fleet, whose runs are then running; none when nothing is queued. The caller holds the lease."""
        return self._store.claim()

    def train(self, fleet: Sequence[RunRecord], stop: threading.Event) -> None:
        """Trains a claimed fleet, and computes the reference rows of its experiment."""
        self._asked = False
        self._train(fleet, stop)
        if not stop.is_set():
            self.refer(fleet[0].experiment, stop)

    def rest(self) -> None:
        """Waits for POLL_SECONDS or a wake()."""
        self._wake.wait(POLL_SECONDS)
        self._wake.clear()

    def follow(self) -> bool:
        """Whether `more` queued anything; a failure of it costs only that."""
        asked, self._asked = self._asked, True
        try:
            return not asked and self._more is not None and self._more()
        except Exception as error:
            logger.warning("What follows from completed runs was not queued: %s: %s", type(error).__name__, error)
            return False

    def wake(self) -> None:
        """Ends a sleep, because something was queued."""
        self._wake.set()

    def start_thread(self) -> None:
        """Starts the background thread of a dashboard, once; it stops when the process ends."""
        threads = app_threads()
        with self._guard:
            self._threads = threads
            before = self._thread
            if before is not None and before.is_alive() and not self._stop.is_set():
                return
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._live, args=(self._stop, before), name="compt-worker", daemon=True)
            self._thread.start()
            atexit.register(self.stop, EXIT_SECONDS)

    def stop(self, timeout: float | None = None) -> bool:
        """Stops the background thread, waiting at most `timeout` seconds; True when none is left. Idempotent."""
        with self._guard:
            self._stop.set()
            self._wake.set()
            thread = self._thread
        atexit.unregister(self.stop)
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _live(self, stop: threading.Event, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()  # it was stopped, but its fleet may still be in a step
        while not stop.is_set():
            try:
                self.run(stop)
            except LostStore as error:  # it may come back; until then nothing is trained
                logger.error("The worker waits: %s", error)
                while not stop.wait(RETRY_SECONDS) and self._lost():
                    pass
            except Exception:  # the store failed: the next lease begins with a sweep
                logger.exception("The worker lost its store and tries again.")
                stop.wait(RETRY_SECONDS)

    def _lost(self) -> bool:
        try:
            self._store.check()
        except LostStore:
            return True
        return False

    def gain(self) -> bool:
        """Whether this process has the lease, gained now or before; who gains it sweeps the store."""
        self._store.check()  # otherwise the lease would create its folder again
        if self.lease.held:
            return True
        left = self._store.sweep(self.lease.acquire)
        if left is None:
            return False
        if left:
            logger.info("%d runs were left running by a worker that has ended.", left)
        return True

    def _train(self, fleet: Sequence[RunRecord], stop: threading.Event) -> None:
        feed = feed_for(fleet, self._store.experiment(fleet[0].experiment).config.get("track", ()), self._store.home)
        reporter = Reporter(self._store, fleet, stop, keep_seconds=self._keep_seconds, feed=feed)
        logger.info("Fleet %s starts: %d runs of experiment %s.", fleet[0].fleet, len(fleet), fleet[0].experiment)
        try:
            configs, given = starts.read_all(self._store, fleet, reporter.on_outcome)
            if not configs:
                return
            train = self._train_fleet or trainer(self._threads)
            outcomes = train(configs, reporter.on_event, reporter.control, on_outcome=reporter.on_outcome,
                             resume=self._checkpoints(fleet, reporter), keeper=reporter, tasks=fleet[0].tasks,
                             starts=given)
            for run, outcome in outcomes.items():
                reporter.on_outcome(run, outcome)
            reporter.end_rest(Outcome("failed", error=RuntimeError("The trainer returned no outcome for this run.")))
            if reporter.yielding and not stop.is_set():
                self._store.requeue_fleet(fleet[0].fleet or "")
        except Exception as error:
            logger.info("Fleet %s failed: %s: %s", fleet[0].fleet, type(error).__name__, error)
            # An interpreter that is shutting down starts no threads and loads no modules; the runs are not at fault.
            reporter.end_rest(Outcome("paused") if stop.is_set() else Outcome("failed", error=error))
        except BaseException:  # the process is ending
            reporter.end_rest(Outcome("paused"))
            raise
        finally:
            if feed is not None:
                feed.close()

    def _checkpoints(self, fleet: Sequence[RunRecord], reporter: Reporter) -> dict[str, Checkpoint]:
        """The checkpoints that runs go on from; a run whose file is lost begins again, and its log says why."""
        found = {}
        for record in fleet:
            try:
                if (checkpoint := self._store.checkpoint(record)) is not None:
                    found[record.id] = checkpoint
            except StoreError as error:
                reporter.on_event(Log(record.id, 0, f"starts from the beginning: {error}"))
        return found

    def refer(self, experiment: str, stop: threading.Event) -> None:
        """Computes the reference rows of an experiment that has results but no reference rows yet, unless it is
        stopped. A failure costs only these rows, and a deleted experiment needs none."""
        try:
            if self._store.experiment(experiment).references is not None:
                return
            done = [record for record in self._store.runs(experiment) if record.state == State.COMPLETED]
        except (UnknownId, Damaged):
            return
        if not done:
            return
        try:
            rows = (self._reference_rows or referrer(stop))(done[0].settings, done[0].tasks)
        except Exception as error:
            logger.warning("No reference rows for experiment %s: %s: %s", experiment, type(error).__name__, error)
            rows = NO_REFERENCES
        if rows is not None:
            with suppress(UnknownId):
                self._store.set_references(experiment, rows)
