"""Rows of a comparison against the first row, paired by seed, and against no prompt, task by task. Pure; no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from compt_core.errors import plural
from compt_core.methods.table import METHODS
from compt_core.runs.record import ExperimentRecord, RunRecord
from compt_core.scoring.statistics import half_width, half_width_over_rows


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


def against_no_prompt(experiment: ExperimentRecord, done: Sequence[RunRecord]) -> list[str]:
    """A sentence for each shot count and each row of completed runs: on which tasks its first metric is above that of
    no prompt by more than the 95% interval.

    With several seeds this is the t-interval of the row's mean over them. With one seed it is the interval over the
    dev rows of a difference of two accuracies; tasks with another first metric are left out then.
    """
    found, counts = [], sorted({run.shots for run in done})
    for shots in counts:
        for variant in dict.fromkeys(run.variant for run in done):
            runs = [run for run in done if run.shots == shots and run.variant == variant]
            gaps = list(_gaps(experiment, runs))
            if gaps:
                beyond = [f"{task} {100 * gap:+.1f} ± {100 * half:.1f}" for task, gap, half in gaps if gap > half]
                of = f" with {plural(shots, 'shot')}" if len(counts) > 1 else ""
                over = f"over {plural(len(runs), 'seed')}" if len(runs) > 1 else "over the dev rows, from one seed"
                found.append(f"{titled(variant)}{of} is above no prompt by more than the 95% interval ({over}) on "
                             f"{len(beyond)} of {plural(len(gaps), 'task')}{': ' if beyond else ''}"
                             f"{', '.join(beyond)}.")
    return found


def _gaps(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> Iterator[tuple[str, float, float]]:
    """Task, its score minus that of no prompt, and half of the interval, where all three are known."""
    untrained, results = (experiment.references or {}).get("no_prompt") or {}, [run.result or {} for run in runs]
    for task, metric in experiment.tasks.primary(untrained).items():
        bare, values = untrained[task].get(metric), [result["tasks"].get(task, {}).get(metric) for result in results]
        known = [value for value in values if value is not None]
        if bare is None or len(known) < len(values) or not known:
            continue
        half = half_width(known)
        rows = (results[0].get("eval_rows") or {}).get(task)
        if half is None and metric == "accuracy" and rows:
            half = half_width_over_rows(known[0], bare, rows)
        if half is not None:
            yield task, fmean(known) - bare, half


def _spread(gaps: Sequence[float]) -> str:
    """The mean of paired differences in points, and how certain it is."""
    half = half_width(gaps)
    mean = f"{100 * fmean(gaps) + 0.0:+.1f}"
    if half is None:
        return f"{mean} points, from one seed: no interval"
    return f"{mean} ± {100 * half:.1f} points (95% t-interval over {plural(len(gaps), 'paired seed')})"
