"""What a study declares: what it asks, the runs it needs, and what it makes of them. Loads no torch.

K tasks. Scores are first metrics of tasks, 0 to 1; intervals are 95% t-intervals over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

import numpy as np

from compt_core.errors import plural
from compt_core.runs.record import RunRecord
from compt_core.scoring.statistics import half_width

Raw = dict[str, Any]  # settings as `build_experiment` takes them
Grow = Callable[[Mapping[str, Raw], "Evidence"], Mapping[str, Raw]]
Curves = Callable[[Sequence[RunRecord], str], Mapping[str, tuple[Any, Any]]]


@dataclass(frozen=True)
class Figure:
    """What a figure shows, as the rows of its table; whoever draws it chooses colours and sizes.

    kind     "matrix": row, column, value · "lines": x, y, series · "dots": name, value, series · "scatter": x, y, name
    columns  the names of the table's columns, in the order of the kind; then "half" for half of the interval, or ""
    rows     the values, a tuple for each
    reading  one sentence that says what is to be seen, which is also the text for those who cannot see it
    """

    name: str
    title: str
    kind: Literal["matrix", "lines", "dots", "scatter"]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    reading: str


@dataclass(frozen=True)
class Reading:
    """What came out: the finding first, a sentence each; the figures; and every number by name, as plain JSON types."""

    sentences: tuple[str, ...]
    figures: tuple[Figure, ...]
    numbers: Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """The completed runs of a study, by part, and a way to their curves."""

    parts: Mapping[str, Sequence[RunRecord]]
    curves: Curves = lambda runs, kind: {}

    def runs(self, part: str = "") -> list[RunRecord]:
        """The runs of a part, or all."""
        return list(self.parts[part]) if part else [run for runs in self.parts.values() for run in runs]


@dataclass(frozen=True)
class Study:
    """One study.

    name, title  in commands and for people
    question     what it asks, one sentence that ends in a question mark
    method       how it finds out, in a few sentences
    cannot       what it cannot say, a sentence each
    start        settings that a full study begins with, over which a person's own ones go
    quick        the same for a first look of a few minutes
    grow         settings of the parts that are there, and what they found -> further parts that follow from it; none at
                 the end. None for a study that is planned as a whole
    plan         settings of all rows -> part of the study -> the settings of its experiment, trained in this order.
                 In a part's `init` or `after`, ``PART/ROW`` names a row of an earlier part
    measure      what the completed runs say
    """

    name: str
    title: str
    question: str
    method: str
    cannot: tuple[str, ...]
    plan: Callable[[Raw], Mapping[str, Raw]]
    measure: Callable[[Evidence], Reading]
    start: Raw = field(default_factory=dict)
    quick: Raw = field(default_factory=dict)
    grow: Grow | None = None


@dataclass(frozen=True)
class Mean:
    """A mean over seeds and half of its interval; None with a single seed."""

    value: float
    half: float | None
    n: int

    @property
    def bar(self) -> float | None:
        """Half of the interval x 100, as figures have it."""
        return None if self.half is None else 100 * self.half

    @property
    def signed(self) -> str:
        """A difference x 100 with its sign and interval."""
        return points(self.value, self.half, sign=True)

    def __str__(self) -> str:
        return points(self.value, self.half)


def mean(values: Sequence[float]) -> Mean:
    """The mean over seeds. Raises ValueError without any."""
    if not values:
        raise ValueError("A mean needs at least one value.")
    return Mean(fmean(values), half_width(values), len(values))


def points(value: float, half: float | None = None, sign: bool = False) -> str:
    """A score or a difference x 100, with its interval: ``"75.9 ± 0.9"``."""
    said = f"{100 * value:{'+' if sign else ''}.1f}"
    return said if half is None else f"{said} ± {100 * half:.1f}"


def firsts(run: RunRecord) -> np.ndarray:
    """The first metric of each task [K] of a completed run; an undefined one counts as 0."""
    assert run.result is not None
    return np.array([run.result["tasks"][task].get(run.tasks.needed(task).metrics[0]) or 0.0
                     for task in run.config["tasks"]])


def gap(own: Mapping[int, float], base: Mapping[int, float]) -> Mean | None:
    """Seed -> score of two rows: the mean difference over the seeds that both have; None if they share none."""
    gaps = [own[seed] - base[seed] for seed in own if seed in base]
    return mean(gaps) if gaps else None


def by_seed(runs: Sequence[RunRecord], row: str, of: Callable[[RunRecord], float] | None = None) -> dict[int, float]:
    """Seed -> a number of a row's run, by default its mean score."""
    return {run.seed: (of or (lambda one: float(one.result["mean"] if one.result else 0.0)))(run)
            for run in runs if run.variant == row}


def beyond(found: Mean | None) -> str:
    """How far a difference is to be believed, in words."""
    if found is None or found.half is None:
        return "from one seed, so no interval: a first look"
    over = f"over {plural(found.n, 'seed')}"
    return over if abs(found.value) > found.half else f"{over}, which may be chance"
