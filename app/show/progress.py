"""How far runs are, from records alone, pure. Only the store's "completed" is 100%."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pandas as pd

from app.show import frames, styles
from app.show.styles import marked
from compt_core.errors import plural
from compt_core.planning.estimate import duration as duration
from compt_core.runs.record import TERMINAL, RunRecord, State

Observation = tuple[float, int]  # (heartbeat in seconds since the epoch, optimizer steps done by then)
SYMBOL = {State.QUEUED: "○", State.RUNNING: "◐", State.COMPLETED: "●", State.FAILED: "✕",
          State.CANCELLED: "–", State.PAUSED: "‖", State.INTERRUPTED: "!"}
SCORING = "scoring dev rows"
MEASURING = "measuring …"
_MOST_BEFORE_END = 0.99  # scoring the dev rows still follows the last step
_LEAST_STEPS, _LEAST_SECONDS = 5, 3.0  # of a pace worth telling: the first steps are slower than the rest


def settled(runs: Sequence[RunRecord]) -> bool:
    """Whether nothing will change on its own any more (paused and interrupted runs wait for a person)."""
    return all(run.state in TERMINAL or run.state in (State.PAUSED, State.INTERRUPTED) for run in runs)


def fraction(run: RunRecord) -> float:
    """Share of the run's work done, 0-1; 1 only when completed."""
    if run.state == State.COMPLETED:
        return 1.0
    return min(_MOST_BEFORE_END, run.step / run.steps) if run.steps else 0.0


def overall(runs: Sequence[RunRecord]) -> float:
    """Mean share of the work done over all runs, 0-1; 1 only when all of them completed."""
    share = sum(fraction(run) for run in runs) / len(runs) if runs else 0.0
    return share if share == 1.0 else min(_MOST_BEFORE_END, share)


def seconds_left(run: RunRecord, first: Observation | None) -> float | None:
    """Seconds of training left, at the pace measured since `first`; None before 5 steps and 3 s of it."""
    if run.state != State.RUNNING or first is None or run.heartbeat is None or not run.steps:
        return None
    seconds, steps = run.heartbeat - first[0], run.step - first[1]
    if seconds < _LEAST_SECONDS or steps < _LEAST_STEPS or run.step >= run.steps:
        return None
    return (run.steps - run.step) * seconds / steps


def phase(run: RunRecord) -> str:
    """What a run is doing, in words."""
    if run.state == State.RUNNING:
        if run.request:
            return f"{'cancelling' if run.request == 'cancel' else 'pausing'} …"
        if run.steps is None:
            return "loading backbone and data"
        return SCORING if run.step >= run.steps else "training"
    return str(run.state.value)


def ago(then: float, now: float) -> str:
    """How long ago `then` was, in one unit."""
    seconds = max(0.0, now - then)
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{plural(count, name)} ago"
    return "just now"


def table(runs: Sequence[RunRecord], left: Mapping[str, float | None],
          losses: Mapping[str, Sequence[float]] = MappingProxyType({}),
          found: Mapping[str, str] = MappingProxyType({})) -> pd.DataFrame:
    """One line per run, by row of the comparison, shots and seed: run, row, shots, seed, state, progress (0-100), step,
    left, loss (its course, a list), mean, diagnosis (what was found, in a few words).

    `mean` is the run's mean over tasks in points, NaN until it is completed.
    """
    looks = styles.looks(frames.variants(runs))
    rows = [
        {"run": run.id, "row": marked(run.variant, looks), "shots": run.shots, "seed": run.seed,
         "state": f"{SYMBOL[run.state]} {phase(run)}", "progress": 100 * fraction(run),
         "step": f"{run.step} / {run.steps}" if run.steps else "", "left": _left(run, left.get(run.id)),
         "loss": list(losses.get(run.id, ())),
         "mean": 100 * (run.result or {}).get("mean", math.nan), "diagnosis": found.get(run.id, "")}
        for run in frames.in_rows(runs)
    ]
    return pd.DataFrame(rows, columns=["run", "row", "shots", "seed", "state", "progress", "step", "left", "loss",
                                       "mean", "diagnosis"])


def headline(runs: Sequence[RunRecord], left: Mapping[str, float | None]) -> str:
    """The states of an experiment's runs in one sentence, with the time left where it was measured."""
    counts = {state: sum(run.state == state for run in runs) for state in State}
    parts = [f"{count} {state.value}" for state, count in counts.items() if count]
    text = f"{plural(len(runs), 'run')}: {', '.join(parts)}."
    known = [seconds for seconds in left.values() if seconds is not None]
    if known:
        text += f" About {duration(max(known))} of training left for the runs under way, then scoring."
    elif any(phase(run) == "training" for run in runs):
        text += f" Time left: {MEASURING}"
    elif any(phase(run) == SCORING for run in runs):
        text += f" Trained; {SCORING}."
    return text


def failures(runs: Sequence[RunRecord]) -> list[tuple[tuple[str, str], list[RunRecord]]]:
    """The failed runs by (error type, message), the most frequent first."""
    groups: dict[tuple[str, str], list[RunRecord]] = {}
    for run in runs:
        if run.state == State.FAILED:
            groups.setdefault((run.error_type or "error", run.error_message or "no message"), []).append(run)
    return sorted(groups.items(), key=lambda item: -len(item[1]))


def _left(run: RunRecord, seconds: float | None) -> str:
    if seconds is not None:
        return duration(seconds)
    if run.state != State.RUNNING or run.request or not run.steps:
        return ""
    return MEASURING if run.step < run.steps else SCORING
