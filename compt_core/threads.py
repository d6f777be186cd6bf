"""Threads that work side by side and never stop a process from ending, and a lock under which threads take turns.

The threads of ``concurrent.futures`` are ended by a hook that runs before any other when the interpreter exits. A fleet
that is asked to pause at exit could then take no further step, and so could not write a checkpoint. The threads here
are daemons and work to the last moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any


class Daemons:
    """A pool of `threads` daemon threads."""

    def __init__(self, threads: int):
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()
        for _ in range(threads):
            Thread(target=self._serve, name="compt-pass", daemon=True).start()

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """The result of ``work(*arguments)``, once a thread has done it."""
        future: Future[Any] = Future()
        self._jobs.put((future, work, arguments))
        return future

    def _serve(self) -> None:
        while True:
            future, work, arguments = self._jobs.get()
            try:
                future.set_result(work(*arguments))
            except BaseException as error:
                future.set_exception(error)
            del future, work, arguments  # what they hold must not live until the next job


class Turns:
    """A lock, as a context, that serves threads in the order in which they asked.

    Python's own lock may go to a training thread again and again, while a page waits for seconds.
    """

    def __init__(self) -> None:
        self._guard, self._held, self._waiting = Lock(), False, deque[Event]()

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            mine = Event()
            self._waiting.append(mine)
        try:
            mine.wait()
        except BaseException:  # Ctrl+C: the turn must not be lost
            with self._guard:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    raise
            self.__exit__()
            raise

    def locked(self) -> bool:
        """Whether some thread has its turn."""
        return self._held

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()  # handed over, never free in between
            else:
                self._held = False
