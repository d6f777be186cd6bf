"""A finished experiment as the JSON of ``--json`` and as the terminal's accuracy table. Pure; no torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from compt_core.diagnosis import by_signature
from compt_core.means import half_width, mean_normalised, mean_primary
from compt_core.methods import METHODS
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.signatures import Diagnosis
from compt_core.tasks.table import TASKS

_FROM_RESULT = ("tasks", "mean", "mean_normalised", "attention", "alpha", "beta", "trainable_parameters",
                "train_seconds", "eval_seconds", "constant", "eval_rows", "prompt_rms", "fixed_batch_loss",
                "normalizer", "private_share", "private_norm_share", "dead_sources", "cut", "skipped", "overlap",
                "backbone")
_LEFT_OUT = {"skipped": "skipped for want of a label (−1)", "overlap": "left out of train as they stand in dev",
             "cut": "with text cut at max_tokens"}
REFERENCES = {"majority": "majority", "no_prompt": "no prompt"}


def experiment_json(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> dict[str, Any]:
    """What ``--json`` writes: every run with its scores and weights, and the untrained reference rows.

    What a run that did not complete lacks is null, and so is a number that is not finite.
    """
    written = {
        "experiment": experiment.id,
        "runs": [
            {"run": r.id, "method": r.method, "shots": r.shots, "seed": r.seed, "state": r.state.value,
             "error": r.error_message, **{key: (r.result or {}).get(key) for key in _FROM_RESULT}}
            for r in runs
        ],
        "references": {name: (experiment.references or {}).get(name) or {} for name in REFERENCES},
    }
    return finite(written)


def finite(value: Any) -> Any:
    """`value` with null for NaN and infinity, which JSON cannot say."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def accuracy_table(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> Group:
    """Tasks by methods, means over seeds, with the reference rows' columns and what to mind below; of several shot
    counts a table each, and their means side by side."""
    done = [r for r in runs if r.state == State.COMPLETED and r.result and "tasks" in r.result]
    if not done:
        states = ", ".join(f"{count} {state.value}" for state, count in Counter(r.state for r in runs).items())
        return Group(Text(f"Experiment {experiment.id} has no completed run yet ({states})."))
    counts = sorted({r.shots for r in done})
    unit, several = _shots_unit(experiment), len(counts) > 1
    tables = [_scores_table(experiment, [r for r in done if r.shots == shots], f"{shots} {unit}" if several else "")
              for shots in counts]
    title = Text(_title(experiment, done), style="bold")  # Text, not markup: a path may hold brackets
    return Group(title, *tables, *([_means_table(done, counts, unit)] if several else []),
                 *(Text(note, style="dim") for note in _notes(done)))


def diagnosis_lines(runs: Sequence[RunRecord], found: Mapping[str, Diagnosis]) -> list[Text]:
    """A line per failure signature in `runs`: how many have it, one of them with its number, and what to try."""
    lines = []
    for signature, of in by_signature(found).items():
        run = next(r for r in runs if r.id in of)
        which = f"{len(of)} of {len(runs)} runs, among them {run.id} ({run.method}, {run.shots} shots, seed {run.seed})"
        lines.append(Text(f"{signature.severity}: {signature.title}: {which}: {of[run.id].said}. {signature.advice}"))
    return lines


def _scores_table(experiment: ExperimentRecord, done: Sequence[RunRecord], title: str) -> Table:
    """Tasks by methods, of runs of one shot count."""
    tasks, methods = list(experiment.config["tasks"]), list(dict.fromkeys(r.method for r in done))
    sizes = {method: len(_of(done, method)) for method in methods}
    uneven = len(set(sizes.values())) > 1
    table = Table(header_style="bold", title=title or None, title_justify="left")
    table.add_column("task")
    table.add_column("metric")
    for method in methods:
        head = METHODS[method].title
        table.add_column(f"{head}\nn = {sizes[method]}" if uneven else head, justify="right")
    for name in REFERENCES.values():
        table.add_column(name, justify="right", style="dim")
    for task in tasks:
        metrics = _metrics(task, done)
        for metric in metrics:
            cells = [_cell(done, method, task, metric) for method in methods]
            cells += [_number(_reference(experiment, name, task).get(metric)) for name in REFERENCES]
            table.add_row(task if metric == metrics[0] else "", metric, *cells)
    table.add_section()
    for label, key, reference_mean in (("mean", "mean", _plain), ("mean, chance = 0", "mean_normalised", _normalised)):
        cells = [_over_seeds([r.result[key] for r in _of(done, method) if r.result]) for method in methods]
        cells += [_number(reference_mean(experiment, name, tasks)) for name in REFERENCES]
        table.add_row(label, "", *cells)
    return table


def _metrics(task: str, done: Sequence[RunRecord]) -> list[str]:
    """The metrics of a task; of one that this version does not know, those that its results have."""
    return list(TASKS[task].metrics if task in TASKS else (done[0].result or {})["tasks"][task])


def _means_table(done: Sequence[RunRecord], counts: Sequence[int], unit: str) -> Table:
    """Shot counts by methods: the mean over tasks."""
    table = Table(header_style="bold", title="mean over tasks", title_justify="left")
    table.add_column(unit, justify="right")
    methods = list(dict.fromkeys(r.method for r in done))
    for method in methods:
        table.add_column(METHODS[method].title, justify="right")
    for shots in counts:
        runs = [r for r in done if r.shots == shots]
        table.add_row(str(shots), *(_over_seeds([r.result["mean"] for r in _of(runs, method) if r.result])
                                    for method in methods))
    return table


def _title(experiment: ExperimentRecord, done: Sequence[RunRecord]) -> str:
    sizes = sorted(Counter((r.method, r.shots) for r in done).values())
    seeds = "one seed: no interval" if sizes[-1] == 1 else \
        f"mean ± half of the 95% t-interval over {sizes[0]}{f'–{sizes[-1]}' if sizes[0] < sizes[-1] else ''} seeds"
    rows = sorted({n for r in done for n in ((r.result or {}).get("eval_rows") or {}).values()})
    scored = f"{rows[0]}–{rows[-1]}" if len(rows) > 1 else str(*rows)
    shots = ", ".join(str(s) for s in sorted({r.shots for r in done}))
    return (f"Dev scores x 100 on backbone '{experiment.config['backbone']}': {shots} {_shots_unit(experiment)}, "
            f"{seeds}, {scored} dev rows per task")


def _shots_unit(experiment: ExperimentRecord) -> str:
    return "shots per label" if experiment.config.get("shots_per") == "class" else "shots"


def _notes(done: Sequence[RunRecord]) -> list[str]:
    notes = ["majority: the most frequent label of these rows, always; no prompt: the frozen backbone with the task "
             "prefix alone."]
    constant = sorted({task for r in done for task, flag in ((r.result or {}).get("constant") or {}).items() if flag})
    if constant:
        uneven = " (31–69 on MRPC and CoLA)" if {"mrpc", "cola"} & set(constant) else ""
        notes.append(f"† the same answer for every row in some run ({', '.join(constant)}): accuracy and F1 then only "
                     f"show how often that label occurs{uneven}; read Matthews and 'mean, chance = 0'.")
    if any(None in scores.values() for r in done for scores in ((r.result or {}).get("tasks") or {}).values()):
        notes.append("– undefined: a correlation with a constant answer, and after a number: undefined for some "
                     "seed; it counts as 0 in means.")
    left_out = [*filter(None, (_counts(done, key, text) for key, text in _LEFT_OUT.items()))]
    if left_out:
        notes.append(f"Rows {'; '.join(left_out)}.")
    if any(t in TASKS and TASKS[t].suite == "glue" for r in done for t in (r.result or {}).get("tasks") or {}):
        notes.append("Original T5 checkpoints were trained on GLUE: with them a prompt can mostly only hurt; "
                     "v1.1 and LM-adapted checkpoints are the clean ones.")
    return notes


def _counts(done: Sequence[RunRecord], key: str, text: str) -> str:
    """``"TEXT: rte 3 train, 1 dev"``, the most of any run; empty where there are none."""
    most: dict[str, Counter[str]] = {}
    for r in done:
        for task, splits in ((r.result or {}).get(key) or {}).items():
            most[task] = most.get(task, Counter()) | Counter[str](splits)  # | keeps the larger count
    shown = [f"{task} " + ", ".join(f"{count} {split}" for split, count in splits.items())
             for task, splits in most.items() if splits]
    return f"{text}: {'; '.join(shown)}" if shown else ""


def _of(done: Sequence[RunRecord], method: str) -> list[RunRecord]:
    return [r for r in done if r.method == method]


def _cell(done: Sequence[RunRecord], method: str, task: str, metric: str) -> str:
    results = [r.result for r in _of(done, method) if r.result]
    mark = "†" if any((result.get("constant") or {}).get(task) for result in results) else ""
    return _over_seeds([result["tasks"][task].get(metric) for result in results]) + mark


def _over_seeds(values: Sequence[float | None]) -> str:
    """Mean and, of several, half of its interval; undefined ones count 0 and leave a mark, unless all are (or none is
    there)."""
    if all(value is None for value in values):
        return _number(None)
    counted = [value or 0.0 for value in values]
    half = half_width(counted)
    interval = "" if half is None else f" ±{100 * half:.1f}"
    return _number(fmean(counted)) + interval + ("–" if None in values else "")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{round(100 * value, 1) + 0.0:.1f}"  # + 0.0: no -0.0


def _reference(experiment: ExperimentRecord, name: str, task: str) -> dict[str, float | None]:
    return ((experiment.references or {}).get(name) or {}).get(task) or {}


def _plain(experiment: ExperimentRecord, name: str, tasks: Sequence[str]) -> float | None:
    scores = {task: _reference(experiment, name, task) for task in tasks}
    return mean_primary(scores, _primary(scores)) if all(scores.values()) else None


def _normalised(experiment: ExperimentRecord, name: str, tasks: Sequence[str]) -> float | None:
    scores, chance = ({task: _reference(experiment, n, task) for task in tasks} for n in (name, "majority"))
    if not all(scores.values()) or not all(chance.values()):
        return None
    return mean_normalised(scores, _primary(scores), chance)


def _primary(scores: Mapping[str, Mapping[str, float | None]]) -> dict[str, str]:
    return {task: TASKS[task].metrics[0] if task in TASKS else next(iter(of)) for task, of in scores.items()}
