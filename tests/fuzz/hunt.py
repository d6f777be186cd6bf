"""Random inputs by the thousand, each reproducible from its number.

``COMPT_FUZZ`` says how many there are over all kinds together: 2,000 in ``make test``, 100,000 in ``make soak``.
``COMPT_FUZZ_ONLY`` runs the one input of that number again, of every kind that is asked for.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# By what one costs.
SHARES = {"settings": 0.25, "links": 0.2, "data files": 0.2, "tables": 0.1, "checkpoints": 0.2, "stores": 0.05}
ALL = int(os.environ.get("COMPT_FUZZ", "2000"))
ONLY = os.environ.get("COMPT_FUZZ_ONLY")
SECONDS = 5.0  # nothing that a person gives may keep them waiting longer


def hunt(kind: str, make: Callable[[random.Random], Any], act: Callable[[Any], str],
         note: Callable[[str, str], None], *, share: float = 1.0) -> Counter[str]:
    """Does ``act(make(dice))`` for every input of a kind; returns how many ended in which way.

    make   an input, drawn with nothing but the dice that it is given
    act    what the project does with it; returns how that ended in one word ("taken", "refused"), and asserts itself
           that a refusal is one sentence. Whatever else it raises is a fault of the project
    note   pytest's `record_property`: the counts stand at the end of the test run
    share  of the kind's inputs, where several tests divide them
    """
    count = max(1, round(ALL * SHARES[kind] * share))
    ends: Counter[str] = Counter()
    slowest = 0.0
    for number in [int(ONLY)] if ONLY else range(count):
        given = make(random.Random(f"{kind}/{number}"))
        begun = time.process_time()
        try:
            with _limited():
                ends[act(given)] += 1
        except BaseException as error:
            error.add_note(f"{kind}, input {number} (COMPT_FUZZ_ONLY={number}): {repr(given)[:2000]}")
            raise
        slowest = max(slowest, time.process_time() - begun)
    said = ", ".join(f"{count:,} {end}" for end, count in ends.most_common())
    note("fuzz", f"{kind}: {sum(ends.values()):,} inputs, {said}; the slowest took {slowest:.2f} s")
    return ends


@contextmanager
def _limited() -> Iterator[None]:
    """Ends what computes longer than SECONDS, or waits twelve times as long, with a TimeoutError.

    Seconds of this process alone: a busy machine is no fault of the project.
    """
    def late(*_: Any) -> None:
        raise TimeoutError(f"still at work after {SECONDS:.0f} s")

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, SECONDS), (signal.SIGALRM, signal.ITIMER_REAL, 12 * SECONDS))
    before = {number: signal.signal(number, late) for number, _, _ in timers}
    for _, timer, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for number, timer, _ in timers:
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])
