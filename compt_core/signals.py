"""SIGTERM and SIGHUP as exceptions, so that a command can tidy up what it began. Loads no torch."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GRACE_SECONDS = 10.0  # whoever asks a process to stop often kills it this long afterwards
_NUMBERS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(BaseException):
    """A signal asked this process to end; `note` says what is kept. The exit code is the one a shell would give."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number, self.note = number, ""

    @property
    def code(self) -> int:
        return 128 + self.number

    def __str__(self) -> str:
        return f"Stopped by {signal.Signals(self.number).name}. {self.note}".rstrip()


@contextmanager
def signals_raise() -> Iterator[None]:
    """Makes these signals raise Stopped in the main thread, which must be the caller.

    An ignored signal stays ignored, as ``nohup`` wants it. A closing terminal may hang up twice, so further signals
    within GRACE_SECONDS of the first are ignored: they must not disturb the tidying.
    """
    last = -math.inf

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= GRACE_SECONDS:
            last = now
            raise Stopped(number)

    before = {number: signal.getsignal(number) for number in _NUMBERS}
    ours = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
