"""How long an experiment will take and how much memory, from what earlier fleets took on this device. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

LEAST_SPREAD = 0.2  # of an estimate, either way: machines are not quieter than that
FIRST_SPREAD = 0.4  # with a single fleet to go by
STATE_BYTES = 26  # of a number that is trained, with gradient, AdamW's two means and copies; measured on a CPU
STEP_TOKENS = 1_000  # what a step takes besides its tokens, in tokens: of the demo backbone on two cores


@dataclass(frozen=True)
class Work:
    """What the time of a fleet follows from, summed over its runs.

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
    """A fleet that was trained: where, what it had to do, and the seconds it took.

    place   device, torch threads and backbone: seconds of one place say nothing of another
    memory  the most bytes that it took, without STATE_BYTES for each number that it trained: backbone, data, passes
            and, on a CPU, the program itself; None where that was not measured
    """

    place: str
    work: Work
    train_seconds: float
    eval_seconds: float
    memory: float | None = None


@dataclass(frozen=True)
class Estimate:
    """Seconds of training and scoring, as a range, and how many fleets it rests on."""

    low: float
    high: float
    fleets: int


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
    """Where a pace holds; threads count on a CPU alone."""
    return f"{device}{f', {threads} threads' if device == 'cpu' else ''}, {backbone_hash[:16]}"


def estimate(work: Work, paces: Sequence[Pace]) -> Estimate | None:
    """The seconds of `work` by the paces of one place; None without any.

    Seconds are a sum of rates times amounts, none below zero, fitted to relative errors. With fewer
    fleets than rates one amount stands for all: the tokens, STEP_TOKENS more for every step.
    """
    if not paces:
        return None
    train = _Fit([[p.work.tokens, p.work.steps, p.work.numbers] for p in paces], [p.train_seconds for p in paces])
    scored = [p for p in paces if p.work.scored] or paces  # others found all their scores in the cache
    scoring = _Fit([[p.work.scored] for p in scored], [p.eval_seconds for p in scored])
    seconds = train([work.tokens, work.steps, work.numbers]) + scoring([work.scored])
    spread = FIRST_SPREAD if len(paces) == 1 else max(LEAST_SPREAD, train.error, scoring.error)
    return Estimate(seconds * (1 - min(spread, 0.9)), seconds * (1 + spread), len(paces))


def memory(trained: int, paces: Sequence[Pace]) -> float | None:
    """Bytes that a fleet will take which trains `trained` numbers, by the paces of one place; None without any.

    It is assumed to take as much, besides its own numbers, as the one of them that took most.
    """
    beside = [pace.memory for pace in paces if pace.memory is not None]
    return max(beside) + STATE_BYTES * trained if beside else None


class _Fit:
    """Rates that explain seconds by amounts; `error` is the usual relative miss (RMS) on what they were fitted to."""

    def __init__(self, amounts: Sequence[Sequence[float]], seconds: Sequence[float]):
        from scipy.optimize import nnls  # here: the command line's start must not wait for it

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


def pace_of(record: dict[str, Any]) -> Pace:
    """A pace as it stands in a run's record, which may hold more than this version knows."""
    return Pace(**{**_known(Pace, record), "work": Work(**_known(Work, record["work"]))})


def _known(kind: type[Any], record: dict[str, Any]) -> dict[str, Any]:
    return {field.name: record[field.name] for field in fields(kind) if field.name in record}
