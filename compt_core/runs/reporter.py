"""Between a training fleet and the store: reports go in, in batches, and requests come out. Loads no torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from compt_core.errors import StoreError
from compt_core.runs.record import RunRecord
from compt_core.runs.store import Store
from compt_core.trackers.feed import Feed
from compt_core.training.events import Checkpoint, Control, Event, Log, Outcome, Started

_ANSWERS: dict[str, Control] = {"cancel": "cancel", "pause": "pause", "delete": "cancel"}
FLUSH_SECONDS = 0.5  # no unwritten report gets older than this while the trainer takes steps
FLUSH_ITEMS = 200
ASK_SECONDS = 0.25  # how often requests are read in any case
KEEP_SECONDS = 10  # from one checkpoint to the next: the most that a crash costs
KEEP_SHARE = 20  # times the seconds that writing a checkpoint takes, so at most a twentieth of the time goes there
TURN_SECONDS = 60.0  # how long a fleet trains before it makes room for one of another owner
BEAT_SECONDS = 5.0


class Reporter:
    """What the trainer of one claimed fleet calls, always from the trainer's own thread.

    When `stop` is set, every run that nobody cancelled is asked to pause; the store then marks those that nobody asked
    to pause as interrupted. `clock` counts seconds. As keeper it writes a checkpoint of the fleet every `keep_seconds`.
    `feed` gets every event as well, and the end of every run.
    """

    def __init__(self, store: Store, fleet: Sequence[RunRecord], stop: threading.Event,
                 clock: Callable[[], float] = time.monotonic, keep_seconds: float = KEEP_SECONDS,
                 feed: Feed | None = None):
        self._store, self._stop, self._clock, self._feed = store, stop, clock, feed
        self._fleet = fleet[0].fleet or ""
        self._open = [record.id for record in fleet]
        self._ended: set[str] = set()
        self._buffer: list[Event | Log] = []
        self._requests: dict[str, str] = {}
        self._stop_seen = False
        self._flushed = self._beat = clock()
        self._asked: float | None = None
        self._round, self._version = set[str](), -1  # runs asked about since the last look, and the version seen then
        self._begun, self._kept, self._keeping, self._pause = clock(), dict[str, float](), 0.0, keep_seconds
        self._turn: float | None = None  # when its training began
        self._steps, self._to_go = dict[str, int](), dict[str, int]()  # run -> steps in all, steps left
        self.yielding = False  # to another owner who waits: the runs pause, and will be queued again

    def on_event(self, item: Started | Event | Log) -> None:
        """Takes one report; a late one, for a run whose outcome is known, is dropped."""
        if item.run in self._ended:
            return
        if isinstance(item, Started):
            self.flush()
            self._store.started(item.run, item.steps, item.versions, step=item.step)
            self._to_go[item.run] = item.steps - item.step
            self._steps[item.run] = item.steps
            return
        if isinstance(item, Event) and item.kind == "loss":  # a step was taken
            self._turn = self._clock() if self._turn is None else self._turn
            self._to_go[item.run] = self._steps.get(item.run, item.step) - item.step
        self._buffer.append(item)
        if self._feed is not None and isinstance(item, Event):
            self._feed.put(item)
        if len(self._buffer) >= FLUSH_ITEMS or self._clock() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def on_outcome(self, run: str, outcome: Outcome) -> None:
        """Ends a run in the store, once; if its files cannot be kept (a full disk, for example), the run failed."""
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
        if self._feed is not None:
            self._feed.over(run, outcome)

    def control(self, run: str) -> Control:
        """What to do with a run before its next step; reads the store if something has been written there.

        So a request made during a step is answered before the next one.
        """
        now, stopping = self._clock(), self._stop.is_set()
        if self._news(run):
            self._asked = None
        # A cancel may have come just before the stop; it must not be mistaken for a pause.
        if self._asked is None or now - self._asked >= ASK_SECONDS or (stopping and not self._stop_seen):
            self._requests, self._asked, self._stop_seen = self._store.requests(self._fleet), now, stopping
            if self._buffer and now - self._flushed >= FLUSH_SECONDS:
                self.flush()
            if now - self._beat >= BEAT_SECONDS:
                self._store.heartbeat(self._fleet)
                self._beat = now
            turn_over = self._turn is not None and now - self._turn >= TURN_SECONDS
            self.yielding = self.yielding or (turn_over and self._store.others_wait(self._fleet))
        asked = _ANSWERS.get(self._requests.get(run, ""), "keep")
        # A trained run is scored in this turn: scores are kept when all are there, and not in a checkpoint.
        yields = self.yielding and self._to_go.get(run, 0) > 0
        return "pause" if (stopping or yields) and asked == "keep" else asked

    def _news(self, run: str) -> bool:
        """Whether the store was written to since the last round; a look takes microseconds, once per round of runs."""
        if run not in self._round:
            self._round.add(run)
            return False
        self._round = {run}
        before, self._version = self._version, self._store.version()
        return before != self._version

    def due(self, run: str) -> bool:
        """Whether the last checkpoint is `keep_seconds` old, or older where writing one takes long.

        Never before a first step, so that a process that is killed again and again still makes progress.
        """
        if self._turn is None:
            return False
        age = self._clock() - self._kept.get(run, self._begun)
        return age >= max(self._pause, KEEP_SHARE * self._keeping)

    def keep(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Writes checkpoints; if that fails, the runs train on, and their logs say so."""
        self.flush()
        before = self._clock()
        wanted = {run: one for run, one in checkpoints.items() if run not in self._ended}
        try:
            self._store.keep_checkpoints(wanted)
        except StoreError as error:
            for run, one in wanted.items():
                self.on_event(Log(run, one.step, f"no checkpoint: {error}"))
        self._keeping = self._clock() - before
        self._kept |= dict.fromkeys(wanted, self._clock())

    def flush(self) -> None:
        """Writes what has been reported so far."""
        if self._feed is not None:
            self._buffer += [Log(run, self._steps.get(run, 0) - self._to_go.get(run, 0), said)
                             for said in self._feed.said() for run in self._open if run not in self._ended]
        batch, self._buffer = self._buffer, []
        self._flushed = self._clock()
        if batch:
            self._store.write_events(batch)
            self._beat = self._flushed  # points are a sign of life as well

    def end_rest(self, outcome: Outcome) -> None:
        """Ends every run that has had no outcome yet."""
        for run in self._open:
            self.on_outcome(run, outcome)
