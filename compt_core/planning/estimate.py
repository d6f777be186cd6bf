"""How long an experiment will take and how much memory it needs, by earlier fleets on this device. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

LEAST_SPREAD = 0.2  # of an estimate, up and down: no machine is steadier than that
FIRST_SPREAD = 0.4  # with a single fleet to go by
STATE_BYTES = 26  # per trained number, with its gradient, AdamW's two means and copies; measured on a CPU
STEP_TOKENS = 1_000  # what a step costs besides its tokens, in tokens; for the demo backbone on two cores


@dataclass(frozen=True)
class Work:
    """What the time of a fleet depends on, summed over its runs.

    steps    optimizer steps of the longest run
    tokens   tokens that pass forward and backward: steps x rows x tokens of a row with its prompt
    numbers  numbers that the optimizer moves: steps x trainable parameters
    scored   tokens that are scored: dev rows x tokens of a row, its prompt and the label words
    """

    steps: float
    tokens: float
    numbers: float
    scored: float


@dataclass(frozen=True)
class Pace:
    """A fleet that was trained, or a single step that was measured: where, what it had to do, the seconds it took.

    place   device, torch threads and backbone: the seconds of one place say nothing about another
    memory  the most bytes that it took besides STATE_BYTES for each number that it trained: backbone, data, passes
            and, on a CPU, the program itself; None where that was not measured
    measured  when a single step was measured, in seconds since the epoch; None for a fleet
    """

    place: str
    work: Work
    train_seconds: float
    eval_seconds: float
    memory: float | None = None
    measured: float | None = None


@dataclass(frozen=True)
class Estimate:
    """Seconds of training and scoring, as a range, and how many fleets they are based on. Without any it is a step that
    was measured, in seconds since the epoch."""

    low: float
    high: float
    fleets: int
    measured: float | None = None


def run_work(steps: int, batch: int, row_tokens: float, parameters: int, scored: float) -> Work:
    """The work of one run: `batch` rows of `row_tokens` tokens a step, `scored` tokens at the end."""
    return Work(steps, steps * batch * row_tokens, steps * parameters, scored)


def fleet_work(runs: Iterable[Work]) -> Work:
    """The work of runs side by side: they share their steps."""
    each = list(runs)
    return Work(max(w.steps for w in each), *(sum(getattr(w, name) for w in each)
                                              for name in ("tokens", "numbers", "scored")))


def in_turn(fleets: Iterable[Work]) -> Work:
    """The work of fleets one after another."""
    each = list(fleets)
    return Work(*(sum(getattr(w, name) for w in each) for name in ("steps", "tokens", "numbers", "scored")))


def place(device: str, threads: int, backbone_hash: str) -> str:
    """Where a pace holds; threads count only on a CPU."""
    return f"{device}{f', {threads} threads' if device == 'cpu' else ''}, {backbone_hash[:16]}"


def of_backbone(paces: Sequence[Pace], backbone_hash: str, threads: int | None = None) -> list[Pace]:
    """The paces of a backbone on one device, that of the newest one; on a CPU those with `threads` torch threads, if
    that is known."""
    own = [pace for pace in paces if pace.place.endswith(backbone_hash[:16])]
    if threads is not None and own and own[0].place.startswith("cpu"):
        own = [pace for pace in own if pace.place == place("cpu", threads, backbone_hash)]
    return [pace for pace in own if pace.place == own[0].place]


def estimate(work: Work, paces: Sequence[Pace]) -> Estimate | None:
    """The seconds that `work` will take, by the paces of one place: those of its fleets, or of a measured step as
    long as there are none; None without any.

    The seconds are a sum of rates times amounts, with no rate below zero, fitted to relative errors. With fewer fleets
    than rates, one amount stands for all: the tokens, and STEP_TOKENS for every step.
    """
    paces = [pace for pace in paces if pace.measured is None] or paces
    if not paces:
        return None
    train = _Fit([[p.work.tokens, p.work.steps, p.work.numbers] for p in paces], [p.train_seconds for p in paces])
    scored = [p for p in paces if p.work.scored] or paces  # others found all their scores in the cache
    scoring = _Fit([[p.work.scored] for p in scored], [p.eval_seconds for p in scored])
    seconds = train([work.tokens, work.steps, work.numbers]) + scoring([work.scored])
    spread = FIRST_SPREAD if len(paces) == 1 else max(LEAST_SPREAD, train.error, scoring.error)
    steps = [pace.measured for pace in paces if pace.measured is not None]
    return Estimate(seconds * (1 - min(spread, 0.9)), seconds * (1 + spread), len(paces) - len(steps),
                    max(steps, default=None))


def memory(trained: int, paces: Sequence[Pace]) -> float | None:
    """Bytes that a fleet training `trained` numbers will take, by the paces of one place; None without any.

    Besides its own numbers, it is assumed to take as much as the hungriest of those fleets.
    """
    beside = [pace.memory for pace in paces if pace.memory is not None]
    return max(beside) + STATE_BYTES * trained if beside else None


class _Fit:
    """Rates that explain seconds by amounts; `error` is the usual relative miss (RMS) on what they were fitted to."""

    def __init__(self, amounts: Sequence[Sequence[float]], seconds: Sequence[float]):
        from scipy.optimize import nnls  # imported here, so that the command line starts without waiting for it

        x, y = np.array(amounts, dtype=float), np.maximum(np.array(seconds, dtype=float), 1e-6)
        self.single = len(x) < x.shape[1]
        x = self._amounts(x)
        scale = np.maximum(x.max(axis=0), 1e-12)  # tokens are millions, steps hundreds
        rates, _ = nnls(x / scale / y[:, None], np.ones(len(y)))
        self.rates = rates / scale
        self.error = float(np.sqrt(np.mean((x @ self.rates / y - 1) ** 2)))

    def __call__(self, amounts: Sequence[float]) -> float:
        return float(self._amounts(np.array([amounts]))[0] @ self.rates)

    def _amounts(self, x: np.ndarray) -> np.ndarray:
        return x[:, :1] + STEP_TOKENS * x[:, 1:2] if self.single else x


def duration(seconds: float) -> str:
    """Seconds in words of at most two units: "45 s", "3 min 20 s", "2 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 >= 60 else "")


def pace_of(record: dict[str, Any]) -> Pace:
    """A pace as a run's record has it; the record may hold more than this version knows."""
    return Pace(**{**_known(Pace, record), "work": Work(**_known(Work, record["work"]))})


def _known(kind: type[Any], record: dict[str, Any]) -> dict[str, Any]:
    return {field.name: record[field.name] for field in fields(kind) if field.name in record}
