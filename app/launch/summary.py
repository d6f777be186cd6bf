"""What the chosen settings come to, as sentences: how many runs and fleets, how much time and memory. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.show.captions import listed, literal, plural
from app.show.progress import ago, duration
from app.show.styles import label
from compt_core.methods.table import METHODS
from compt_core.planning.check import LaunchCheck
from compt_core.planning.estimate import STATE_BYTES, Estimate
from compt_core.planning.fleets import LARGEST_FLEET, fleets
from compt_core.runs.measuring import Measurement
from compt_core.settings.config import Experiment
from compt_core.tasks import own

UNTIL = "until a fleet has trained, or a step was measured, on this device with this backbone"


def grid(experiment: Experiment) -> str:
    """The size of an experiment's grid in words; Markdown."""
    rows, shots, seeds = len(experiment.variants), len(experiment.shots), len(experiment.seeds)
    named = "method" if all(name in METHODS for name in experiment.variants) else "row"
    product = f"{plural(rows, named)} × {plural(shots, 'shot count')} × {plural(seeds, 'seed')}"
    return f"**{plural(rows * shots * seeds, 'run')}** = {product}, on {plural(len(experiment.tasks), 'task')}"


def own_values(own: Mapping[str, Any]) -> str:
    """Which rows have a value of their own for a field; Markdown."""
    shown = {name: literal(value)[:40] if isinstance(value, int | float | str) else
             "empty" if value is None else "…" for name, value in own.items()}
    return (f"{listed([f'{label(name)}: {value}' for name, value in shown.items()])} "
            "(set for these rows only). A change here holds for all rows.")


def families(tasks: Sequence[str]) -> str:
    """The chosen tasks by suite and family: ``"demo: 4 sentiment, 4 inference · glue: 1 similarity"``."""
    counts: dict[str, dict[str, int]] = {}
    for task in own.known().only(tasks).values():
        of_suite = counts.setdefault(task.suite, {})
        of_suite[task.family] = of_suite.get(task.family, 0) + 1
    return " · ".join(f"{suite}: {', '.join(f'{count} {family}' for family, count in of_suite.items())}"
                      for suite, of_suite in counts.items())


def without_folder(tasks: Sequence[str]) -> str:
    """What an empty data folder means for these tasks."""
    known = own.known()
    here = [name in known and (known[name].bundled or known[name].files is not None) for name in tasks]
    return "not needed for these tasks" if tasks and all(here) else "leave empty for the datasets hub"


def side_by_side(runs: int) -> str:
    """In how many fleets an experiment with this many runs trains."""
    count = len(fleets(range(runs)))
    if runs == 1:
        return "It trains alone, as a fleet of 1 run."
    return "They train as 1 fleet: at the same time, in one pass through the backbone." if count == 1 else \
        f"They train as {plural(count, 'fleet')}, which are groups of at most {LARGEST_FLEET} runs that train at the " \
        "same time, one fleet after another."


def check_rows(check: LaunchCheck, time: Estimate | None, memory: float | None, now: float) -> dict[str, str]:
    """What a launch would train, how long that takes and how much memory, as a table of two columns; `now` in seconds
    since the epoch.

    A number is given as a range where runs differ.
    """
    backbone = check.backbone
    train, dev = sum(len(data.train) for data in check.data), sum(len(data.dev) for data in check.data)
    per_row = {run.variant: count for run, count in zip(check.runs, check.parameters, strict=True)}
    low, high = min(check.steps), max(check.steps)
    return {
        "Optimizer steps per run": f"{low:,}" if low == high else f"{low:,} to {high:,}",
        "Trainable parameters": " · ".join(f"{label(name)} {count:,}" for name, count in per_row.items()),
        "Estimated time": estimated(time, now),
        "Estimated memory": _memory(check.most_trained, memory),
        "Rows available": f"{train:,} training rows and {dev:,} dev rows",
        **_per_label(check),
        "Backbone": f"{literal(backbone.ref)}, hidden size {backbone.hidden:,}",
    }


def _per_label(check: LaunchCheck) -> dict[str, str]:
    """How many training rows of a label the samples hold, where tasks have labels."""
    if check.per_label is None:
        return {}
    low, high = check.per_label
    return {"Training rows per label": f"{low:,}" if low == high else
            f"{low:,} to {high:,}, depending on sample and label"}


def estimated(time: Estimate | None, now: float) -> str:
    """How long training and scoring will take, and what the estimate is based on; `now` in seconds since the epoch."""
    if time is None:
        return f"unknown {UNTIL}"
    low, high = duration(time.low), duration(time.high)
    span = low if low == high else f"{low} to {high}"
    basis = f"by {plural(time.fleets, 'measured fleet')}" if time.measured is None else \
        f"by a single step that was measured {ago(time.measured, now)} on this machine"
    return f"{span} on an idle machine, judging {basis}"


def standing(measurement: Measurement, training: bool) -> str:
    """What a measurement that has not ended is doing, in words; `training`: whether any run trains now."""
    if measurement.state == "measuring":
        return f"Measuring: {measurement.doing or 'starting what trains'} …"
    return "Waiting: the step is measured once the runs that train now have ended, as both would be slower …" \
        if training else "Waiting for the trainer …"


def _memory(trained: int, memory: float | None) -> str:
    """How much memory the largest fleet will take, and what the estimate is based on."""
    own = f"about {_bytes(STATE_BYTES * trained)} for the {plural(trained, 'number')} trained side by side"
    if memory is None:
        return f"unknown {UNTIL}; it includes {own}"
    return f"{_bytes(memory)}: {own}, plus the most that an earlier fleet or a measured step took on top of its own"


def _bytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{math.ceil(count / 1e6):,} MB"
