"""Between one training fleet and the store: reports go in, in batches; requests come out. Loads no torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import cast

from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.training.events import Control, Event, Log, Outcome, Started

FLUSH_SECONDS = 0.5  # the oldest unwritten report is never older, while the trainer takes steps
FLUSH_ITEMS = 200
ASK_SECONDS = 0.25  # how often requests are read; a cancel is at most this late
BEAT_SECONDS = 5.0


class Reporter:
    """What the trainer of one claimed fleet calls; all from the trainer's own thread.

    When `stop` is set, every run that nobody cancelled is asked to pause; the store then says
    interrupted of those that nobody asked to pause. `clock` counts seconds.
    """

    def __init__(self, store: Store, fleet: Sequence[RunRecord], stop: threading.Event,
                 clock: Callable[[], float] = time.monotonic):
        self._store, self._stop, self._clock = store, stop, clock
        self._fleet = fleet[0].fleet or ""
        self._open = [record.id for record in fleet]
        self._ended: set[str] = set()
        self._buffer: list[Event | Log] = []
        self._requests: dict[str, str] = {}
        self._stop_seen = False
        self._flushed = self._beat = clock()
        self._asked: float | None = None

    def on_event(self, item: Started | Event | Log) -> None:
        """Takes one report; a late one, of a run whose outcome is known, is dropped."""
        if item.run in self._ended:
            return
        if isinstance(item, Started):
            self.flush()
            self._store.started(item.run, item.steps, item.versions)
            return
        self._buffer.append(item)
        if len(self._buffer) >= FLUSH_ITEMS or self._clock() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def on_outcome(self, run: str, outcome: Outcome) -> None:
        """Ends a run in the store, once; what cannot be kept (a full disk, say) makes the run failed."""
        if run in self._ended:
            return
        self.flush()
        try:
            self._store.finish(run, outcome)
        except Exception as error:
            if outcome.state == "failed":
                raise
            self._store.finish(run, Outcome("failed", error=error))
        self._ended.add(run)

    def control(self, run: str) -> Control:
        """What is to be done with a run before its next step; reads the store a few times a second."""
        now, stopping = self._clock(), self._stop.is_set()
        # A cancel may have come just before the stop: it must not be taken for a pause.
        if self._asked is None or now - self._asked >= ASK_SECONDS or (stopping and not self._stop_seen):
            self._requests, self._asked, self._stop_seen = self._store.requests(self._fleet), now, stopping
            if self._buffer and now - self._flushed >= FLUSH_SECONDS:
                self.flush()
            if now - self._beat >= BEAT_SECONDS:
                self._store.heartbeat(self._fleet)
                self._beat = now
        asked = cast(Control, self._requests.get(run, "keep"))
        return "pause" if stopping and asked == "keep" else asked

    def flush(self) -> None:
        """Writes what has been reported so far."""
        batch, self._buffer = self._buffer, []
        self._flushed = self._clock()
        if batch:
            self._store.write_events(batch)
            self._beat = self._flushed  # points are a sign of life, too

    def end_rest(self, outcome: Outcome) -> None:
        """Ends every run that has had no outcome yet."""
        for run in self._open:
            self.on_outcome(run, outcome)
