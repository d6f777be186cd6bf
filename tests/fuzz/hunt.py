"""Random inputs by the thousand, written by hypothesis: what makes one fail is made as small as it gets, and shown.

``COMPT_FUZZ`` says how many there are over all kinds together: 2,000 in ``make test``, 100,000 in ``make soak``. They
are the same ones each time. With ``COMPT_FUZZ``, failing inputs are kept in .hypothesis/ and tried first the next time.
"""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

# By what one costs.
SHARES = {"settings": 0.25, "links": 0.2, "data files": 0.2, "tables": 0.1, "checkpoints": 0.2, "stores": 0.05}
ALL = int(os.environ.get("COMPT_FUZZ", "2000"))
KEPT = DirectoryBasedExampleDatabase(Path(__file__).parents[2] / ".hypothesis") if "COMPT_FUZZ" in os.environ else None
SECONDS = 5.0  # nothing that a person gives may keep them waiting longer
# Near 0 hypothesis likes small numbers, and those that stand in the modules that happen to be loaded. Here it likes
# none, and draws the same ones whatever else is tested.
FAR = 2**64


class Dice(random.Random):
    """Dice that hypothesis throws: low numbers, and those of `random` that are near 1, are the simple ones."""

    def __init__(self, draw: st.DrawFn) -> None:
        super().__init__()
        self._draw = draw

    def _randbelow(self, n: int) -> int:  # choice, sample, shuffle, randint and randrange ask for nothing else
        return self._draw(_below(n)) - FAR if n > 1 else 0

    def getrandbits(self, k: int) -> int:
        return self._randbelow(1 << k)

    def random(self) -> float:
        return 1 - (self._randbelow(2**24) + 1) / 2**24


class Input:
    """An input that does not fill the screen when it is shown."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def __repr__(self) -> str:
        return repr(self.given)[:2000]


@cache
def _below(n: int) -> st.SearchStrategy[int]:
    return st.integers(FAR, FAR + n - 1)


@st.composite
def _inputs(draw: st.DrawFn, make: Callable[[random.Random], Any]) -> Input:
    return Input(make(Dice(draw)))


def hunt(kind: str, make: Callable[[random.Random], Any], act: Callable[[Any], str],
         note: Callable[[str, str], None], *, share: float = 1.0) -> Counter[str]:
    """Does ``act(make(dice))`` for every input of a kind; returns how many ended in which way.

    make   an input, drawn with nothing but the dice that it is given
    act    what the project does with it, the same each time; returns how that ended in one word ("taken", "refused"),
           and asserts itself that a refusal is one sentence. Whatever else it raises is a fault of the project
    note   pytest's `record_property`: the counts stand at the end of the test run
    share  of the kind's inputs, where several tests divide them
    """
    count = max(1, round(ALL * SHARES[kind] * share))
    ends: Counter[str] = Counter()
    slowest = 0.0

    def one(given: Input) -> None:
        nonlocal slowest
        begun = time.process_time()
        ends[_limited(act, given.given)] += 1
        slowest = max(slowest, time.process_time() - begun)

    one.__name__ = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].split()[0]  # failing inputs are kept under it
    search = seed(one.__name__)(given(_inputs(make))(one))
    settings(  # applied last: `seed` takes the database away
        max_examples=count, database=KEPT, derandomize=False, report_multiple_bugs=False, print_blob=False,
        phases=(Phase.reuse, Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )(search)()
    said = ", ".join(f"{count:,} {end}" for end, count in ends.most_common())
    note("fuzz", f"{kind}: {sum(ends.values()):,} inputs, {said}; the slowest took {slowest:.2f} s")
    return ends


def _limited(act: Callable[[Any], str], given: Any) -> str:
    """Ends what computes longer than SECONDS, or waits twelve times as long, with a TimeoutError.

    Seconds of this process alone: a busy machine is no fault of the project. The error is raised here, wherever the
    act was: hypothesis takes errors of two places for two faults, and the act may take it for one of a disk.
    """
    places: list[str] = []

    def late(_: int, frame: FrameType | None) -> None:
        places.append("".join(traceback.format_stack(frame, 8)))
        raise TimeoutError

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, SECONDS), (signal.SIGALRM, signal.ITIMER_REAL, 12 * SECONDS))
    before = {number: signal.signal(number, late) for number, _, _ in timers}
    end = ""
    for _, timer, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        end = act(given)
    except BaseException:
        if not places:
            raise
    finally:
        for number, timer, _ in timers:
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])
    if places:
        raise TimeoutError(f"still at work after {SECONDS:.0f} s:\n{places[0]}")
    return end
