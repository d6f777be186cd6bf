"""Hands the events of a fleet to trackers, in a thread of its own, so that none can slow a step or stop a run."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from compt_core.trackers import table
from compt_core.trackers.tracker import Subject, Tracker, values_of
from compt_core.training.events import Event, Outcome

MOST_WAITING = 50_000  # events that a slow tracker may be behind; what comes then is left out, and said
CLOSE_SECONDS = 30.0  # how long the end of a fleet waits for its trackers
_END = object()

logger = logging.getLogger(__name__)


class Feed:
    """The trackers of one fleet. :meth:`put` and :meth:`over` return at once; :attr:`problems` says what went wrong."""

    def __init__(self, names: Sequence[str], home: Path, subjects: Sequence[Subject],
                 make: Callable[[str, Path], Tracker] = table.made):
        self._subjects = {subject.run: subject for subject in subjects}
        self._queue: queue.Queue[Any] = queue.Queue(MOST_WAITING)
        self._left_out = 0
        self.problems: queue.SimpleQueue[str] = queue.SimpleQueue()  # a sentence each
        # Here and not in the thread: two threads that import a large library at once can break each other.
        self._trackers = {name: found for name in names if (found := self._try(name, make, name, home))}
        self._thread = threading.Thread(target=self._work, name="compt-trackers", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Takes an event; leaves it out where the trackers are too far behind."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._left_out += 1

    def over(self, run: str, outcome: Outcome) -> None:
        """Takes the end of a run."""
        self._offer((run, outcome.state, outcome.result))

    def close(self) -> None:
        """Waits until the trackers have written everything, at most CLOSE_SECONDS."""
        self._offer(_END)
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            self.problems.put(f"The trackers were still writing {CLOSE_SECONDS:.0f} s after the end of the runs and "
                              "were left to it; some points may be missing there.")
        if self._left_out:
            self.problems.put(f"The trackers could not keep up: {self._left_out:,} events are missing there. ComPT "
                              "Lab's own curves have them.")

    def said(self) -> list[str]:
        """The sentences on what went wrong since it was last asked."""
        found = list[str]()
        while not self.problems.empty():
            found.append(self.problems.get())
        return found

    def _offer(self, item: object) -> None:
        try:
            self._queue.put(item, timeout=CLOSE_SECONDS)
        except queue.Full:
            self._left_out += 1

    def _work(self) -> None:
        trackers, started = self._trackers, set[str]()
        while (item := self._queue.get()) is not _END:
            for name, tracker in list(trackers.items()):
                if self._try(name, self._pass_on, tracker, item, started, name) is None:
                    del trackers[name]
            if isinstance(item, Event):
                started |= {f"{name} {item.run}" for name in trackers}
        for name, tracker in trackers.items():
            self._try(name, tracker.close)

    def _pass_on(self, tracker: Tracker, item: Any, started: set[str], name: str) -> bool:
        if isinstance(item, Event):
            subject = self._subjects[item.run]
            if f"{name} {item.run}" not in started:
                tracker.start(subject)
            if values := values_of(item, subject.tasks):
                tracker.log(subject, item.step, values)
        else:
            run, state, result = item
            if f"{name} {run}" in started:  # one that ended before its first event has nothing to show
                tracker.end(self._subjects[run], state, result)
        return True

    def _try(self, name: str, call: Callable[..., Any], *given: Any) -> Any:
        """What `call` returns; None, and a sentence, where it raises."""
        try:
            return call(*given)
        except Exception as error:
            logger.warning("The tracker %s failed.", name, exc_info=True)
            said = " ".join(str(error).split())[:200] or type(error).__name__
            self.problems.put(f"The tracker {table.TRACKERS[name].title} failed and is left out from here on: {said}. "
                              "Training goes on.")
            return None


def feed_for(runs: Sequence[Any], names: Sequence[str], home: Path) -> Feed | None:
    """A feed for run records; None where nothing is tracked."""
    subjects = [Subject(run.id, run.experiment, run.variant, _plain(run.config)) for run in runs]
    return Feed(names, home, subjects) if names else None


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "track"}
