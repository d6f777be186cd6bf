"""Rows of a comparison against the first row, paired by seed. Pure; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from compt_core.errors import plural
from compt_core.methods.table import METHODS
from compt_core.runs.record import RunRecord
from compt_core.scoring.statistics import half_width


def titled(variant: str) -> str:
    """The name of a row for readers: the method's title for a plain method, else the variant's name."""
    return METHODS[variant].title if variant in METHODS else variant


def differences(done: Sequence[RunRecord]) -> list[str]:
    """A sentence for each shot count and each row of completed runs after the first: its mean over tasks minus that of
    the first row, over the seeds that both have."""
    found = []
    for shots in sorted({run.shots for run in done}):
        scores = {variant: {run.seed: run.result["mean"] for run in done
                            if run.variant == variant and run.shots == shots and run.result}
                  for variant in dict.fromkeys(run.variant for run in done)}
        first, *others = scores
        of = f" with {plural(shots, 'shot')}" if len({run.shots for run in done}) > 1 else ""
        for other in others:
            gaps = [scores[other][seed] - scores[first][seed] for seed in scores[other] if seed in scores[first]]
            if gaps:
                found.append(f"{titled(other)} minus {titled(first)}{of}, mean over tasks: {_spread(gaps)}.")
    return found


def _spread(gaps: Sequence[float]) -> str:
    """The mean of paired differences in points, and how certain it is."""
    half = half_width(gaps)
    mean = f"{100 * fmean(gaps) + 0.0:+.1f}"
    if half is None:
        return f"{mean} points, from one seed: no interval"
    return f"{mean} ± {100 * half:.1f} points (95% t-interval over {plural(len(gaps), 'paired seed')})"
