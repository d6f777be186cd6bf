"""What all viewers of a live page share, so that twenty of them cost little more than one.

Training shares the interpreter with the pages: each moment that a page computes is one in which it waits.
So what a live page shows is computed once for all who look, seldom where it takes long, and the more there
are, the more seldom each one's page asks.
"""

from __future__ import annotations

import gc
import importlib
import sys
import threading
import time
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")

FRESH_SECONDS = 0.5  # the store gets new points that often
STALE_SECONDS = 5.0  # what is drawn is never older; a page may show it until it asks again
SHARE = 20  # what took t seconds is good for SHARE times t: a twentieth of the time goes there, up to STALE_SECONDS
LEAST_SECONDS, MOST_SECONDS = 1.0, 10.0  # between two refreshes of a live page
SECONDS_EACH = 0.25  # per viewer
GONE_SECONDS = 3 * MOST_SECONDS  # without a refresh for so long, a viewer has left
_HEAVY = ("altair", "plotly", "pandas", "torch", "transformers")


class Memo:
    """Values by key, each computed by one caller while the others wait for it; the eldest keys are forgotten."""

    def __init__(self, entries: int = 64, clock: Callable[[], float] = time.monotonic):
        self._entries, self._clock = entries, clock
        self._guard = threading.Lock()
        self._kept: dict[Hashable, tuple[threading.Lock, list[tuple[float, Any]]]] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`: an earlier one while it is fresh, else what `make` returns; not to be changed."""
        with self._guard:
            lock, found = self._kept.setdefault(key, (threading.Lock(), []))
            while len(self._kept) > self._entries:
                self._kept.pop(next(iter(self._kept)))
        with lock:
            if found and self._clock() < found[0][0]:
                return found[0][1]
            begun = self._clock()
            value = make()
            now = self._clock()
            found[:] = [(now + min(STALE_SECONDS, max(FRESH_SECONDS, SHARE * (now - begun))), value)]
            return value


    def forget(self, key: Hashable) -> None:
        """Has the value of `key` made anew when it is next asked for."""
        with self._guard:
            self._kept.pop(key, None)


class Viewers:
    """Who looks at live pages at the moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._guard = clock, threading.Lock()
        self._seen: dict[str, float] = {}

    def refresh_seconds(self, viewer: str) -> float:
        """How often a viewer's page is to refresh itself, now that it was seen."""
        now = self._clock()
        with self._guard:
            self._seen[viewer] = now
            for gone in [name for name, at in self._seen.items() if now - at > GONE_SECONDS]:
                del self._seen[gone]
            return min(MOST_SECONDS, max(LEAST_SECONDS, round(SECONDS_EACH * len(self._seen))))


@lru_cache(maxsize=1)
def warm_up() -> None:
    """Loads the libraries of the charts while the first visitor still reads the first page."""
    threading.Thread(target=lambda: importlib.import_module("app.show.charts"), name="compt-warm", daemon=True).start()


def spare_collector(_frozen: set[str] = set()) -> None:  # noqa: B006  (one set for the process)
    """Takes libraries that were loaded meanwhile out of the garbage collector's sight.

    Streamlit collects after every script run, which stops all threads: a tenth of a second with the
    libraries of the charts, a third with torch.
    """
    loaded = {name for name in _HEAVY if name in sys.modules}
    if loaded - _frozen:
        _frozen |= loaded
        gc.collect()
        gc.freeze()
