"""A finished experiment as the JSON of ``--json`` and as the accuracy table of the terminal. Pure; no torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from compt_core.analysis.diagnosis import by_signature
from compt_core.analysis.signatures import Diagnosis
from compt_core.analysis.signatures import titled as signature_title
from compt_core.backbone.english import origin
from compt_core.errors import plural
from compt_core.exchange.differences import against_no_prompt, differences, titled
from compt_core.methods.table import METHODS, structure
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.scoring.statistics import half_width, mean_normalised, mean_primary
from compt_core.settings.config import RunConfig
from compt_core.tasks.seen import seen_before

_FROM_RESULT = ("tasks", "mean", "mean_normalised", "attention", "alpha", "beta", "trainable_parameters",
                "train_seconds", "eval_seconds", "constant", "unreadable", "eval_rows", "prompt_rms",
                "table_deviation", "fixed_batch_loss", "task_loss", "majority", "normalizer", "private_share",
                "private_norm_share", "dead_sources", "cut", "skipped", "overlap", "samples", "data_notes", "backbone")
_LEFT_OUT = {"skipped": "skipped because they have no label, or one that is left out",
             "overlap": "left out of train as they are in dev", "cut": "with text cut at max_tokens"}
UNREAD = "§"  # next to a score: some of its answers are not a label
REFERENCES = {"majority": "majority", "no_prompt": "no prompt"}


def experiment_json(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> dict[str, Any]:
    """What ``--json`` writes: every run with its scores and weights, and the untrained reference rows.

    Numbers that are not finite are null, and so is everything that a run lacks because it did not complete.
    """
    written = {
        "experiment": experiment.id,
        "runs": [
            {"run": r.id, "variant": r.variant, "method": r.method, "shots": r.shots, "seed": r.seed,
             "state": r.state.value, "error": r.error_message,
             **{key: (r.result or {}).get(key) for key in _FROM_RESULT}}
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
    """Tasks by variants: means over seeds, with columns for the reference rows and notes below. Several shot counts
    have a table each, and then one of their means side by side."""
    done = [r for r in runs if r.state == State.COMPLETED and r.result and "tasks" in r.result]
    if not done:
        states = ", ".join(f"{count} {state.value}" for state, count in Counter(r.state for r in runs).items())
        return Group(Text(f"Experiment {experiment.id} has no completed run yet ({states})."))
    counts = sorted({r.shots for r in done})
    several = len(counts) > 1
    tables = [_scores_table(experiment, [r for r in done if r.shots == shots],
                            _counted([shots], experiment) if several else "") for shots in counts]
    title = Text(_title(experiment, done), style="bold")  # Text, not markup: a path may hold brackets
    return Group(title, *tables, *([_means_table(done, counts, f"shots{_per(experiment)}")] if several else []),
                 *(Text(line) for line in (*differences(done), *against_no_prompt(experiment, done))),
                 *(Text(note, style="dim") for note in _notes(experiment, done)))


def diagnosis_lines(runs: Sequence[RunRecord], found: Mapping[str, Diagnosis]) -> list[Text]:
    """A line per failure signature in `runs`: how many runs have it, the numbers of one of them, and what to try."""
    lines = []
    for signature, of in by_signature(found).items():
        run = next(r for r in runs if r.id in of)
        named = f"{run.id} ({run.variant}, {plural(run.shots, 'shot')}, seed {run.seed})"
        which = f"{len(of)} of {plural(len(runs), 'run')}, {'among them ' if len(of) > 1 else ''}{named}"
        head = f"{signature.severity}: {signature_title(list(of.values()))}"
        lines.append(Text(f"{head}: {which}: {of[run.id].said}. {signature.advice}"))
    return lines


def _scores_table(experiment: ExperimentRecord, done: Sequence[RunRecord], title: str) -> Table:
    """Tasks by variants, for runs of one shot count, and how large each variant's prompts are."""
    tasks, variants = list(experiment.config["tasks"]), list(dict.fromkeys(r.variant for r in done))
    sizes = {variant: len(_of(done, variant)) for variant in variants}
    uneven = len(set(sizes.values())) > 1
    table = Table(header_style="bold", title=title or None, title_justify="left")
    table.add_column("task")
    table.add_column("metric")
    for variant in variants:
        head = Text(titled(variant))
        table.add_column(head.append(f"\nn = {sizes[variant]}") if uneven else head, justify="right")
    for name in REFERENCES.values():
        table.add_column(name, justify="right", style="dim")
    for task in tasks:
        metrics = experiment.tasks.metrics(task, (done[0].result or {})["tasks"][task])
        for metric in metrics:
            cells = [_cell(done, variant, task, metric) for variant in variants]
            cells += [_number(_reference(experiment, name, task).get(metric)) + _unread_mark(experiment, name, task)
                      for name in REFERENCES]
            table.add_row(task if metric == metrics[0] else "", metric, *cells)
    table.add_section()
    for label, key, reference_mean in (("mean", "mean", _plain), ("mean, chance = 0", "mean_normalised", _normalised)):
        cells = [_over_seeds([r.result[key] for r in _of(done, variant) if r.result]) for variant in variants]
        cells += [_number(reference_mean(experiment, name, tasks)) for name in REFERENCES]
        table.add_row(label, "", *cells)
    table.add_section()
    for label, of in SIZES.items():
        table.add_row(label, "", *(size_text(of, _of(done, variant)) for variant in variants), *[""] * len(REFERENCES),
                      style="dim")
    return table


def size_text(of: Callable[[RunRecord], int | None], runs: Sequence[RunRecord]) -> str:
    """One of SIZES for the runs of a row, which all have the same; "–" where there is none or it is unknown."""
    found = {of(run) for run in runs}
    return f"{one:,}" if len(found) == 1 and (one := found.pop()) is not None else "–"


def _length(run: RunRecord) -> int | None:
    return structure(RunConfig.model_construct(**run.config)).length


def _sources(run: RunRecord) -> int | None:
    return run.config.get("sources") if METHODS[run.method].composed else None


def _trained(run: RunRecord) -> int | None:
    return (run.result or {}).get("trainable_parameters")


# How large a row's prompts are, so that nobody takes a longer prompt for a better method.
SIZES: dict[str, Callable[[RunRecord], int | None]] = {
    "prompt length": _length, "source prompts": _sources, "trained numbers": _trained}


def _means_table(done: Sequence[RunRecord], counts: Sequence[int], unit: str) -> Table:
    """Shot counts by variants: the mean over tasks."""
    table = Table(header_style="bold", title="mean over tasks", title_justify="left")
    table.add_column(unit, justify="right")
    variants = list(dict.fromkeys(r.variant for r in done))
    for variant in variants:
        table.add_column(Text(titled(variant)), justify="right")
    for shots in counts:
        runs = [r for r in done if r.shots == shots]
        table.add_row(str(shots), *(_over_seeds([r.result["mean"] for r in _of(runs, variant) if r.result])
                                    for variant in variants))
    return table


def _title(experiment: ExperimentRecord, done: Sequence[RunRecord]) -> str:
    sizes = sorted(Counter((r.variant, r.shots) for r in done).values())
    seeds = "one seed: no interval" if sizes[-1] == 1 else \
        f"mean ± half of the 95% t-interval over {f'{sizes[0]}–' if sizes[0] < sizes[-1] else ''}"\
        f"{plural(sizes[-1], 'seed')}"
    rows = sorted({n for r in done for n in ((r.result or {}).get("eval_rows") or {}).values()})
    scored = f"{rows[0]}–{rows[-1]}" if len(rows) > 1 else str(*rows)
    return (f"Dev scores x 100 on backbone '{experiment.config['backbone']}': "
            f"{_counted(sorted({r.shots for r in done}), experiment)}, {seeds}, "
            f"{scored} dev row{'' if scored == '1' else 's'} per task")


def _counted(counts: Sequence[int], experiment: ExperimentRecord) -> str:
    """``"1 shot"``, ``"4, 8 shots per label"``."""
    written = f"{', '.join(map(str, counts[:-1]))}, " if len(counts) > 1 else ""
    return f"{written}{plural(counts[-1], 'shot')}{_per(experiment)}"


def _per(experiment: ExperimentRecord) -> str:
    return " per label" if experiment.config.get("shots_per") == "class" else ""


def _notes(experiment: ExperimentRecord, done: Sequence[RunRecord]) -> list[str]:
    notes = ["majority: always the most frequent label of these rows; no prompt: the frozen backbone with only the "
             "task prefix."]
    constant = sorted({task for r in done for task, flag in ((r.result or {}).get("constant") or {}).items() if flag})
    if constant:
        uneven = " (31–69 on MRPC and CoLA)" if {"mrpc", "cola"} & set(constant) else ""
        notes.append(f"† some run gave the same answer for every row ({', '.join(constant)}): accuracy and F1 then "
                     f"show only how often that label occurs{uneven}; read Matthews and 'mean, chance = 0' instead.")
    if unread := _unreadable(done) | ((experiment.references or {}).get("unreadable") or {}):
        shares = ", ".join(f"{task} up to {share:.1%}" for task, share in unread.items())
        notes.append(f"{UNREAD} some answers are not a label ({shares}). They count as wrong, so such a score is also "
                     "low because of the form of the answers.")
    if any(None in scores.values() for r in done for scores in ((r.result or {}).get("tasks") or {}).values()):
        notes.append("– undefined: the answers are constant, so there is no correlation. After a number: undefined for "
                     "some seed, which counts as 0 in means.")
    silent = [r for r in done if "data_notes" not in (r.result or {})]  # of older versions, without a note on overlap
    left_out = [*filter(None, (_counts(silent if key == "overlap" else done, key, text)
                               for key, text in _LEFT_OUT.items()))]
    if left_out:
        notes.append(f"Rows {'; '.join(left_out)}.")
    notes += data_notes(done)
    notes += [said] if (said := origin(experiment.config["backbone"])) else []
    suites = {task.suite for task in experiment.tasks.only(experiment.config["tasks"]).values()}
    return notes + seen_before(suites, experiment.config["backbone"])


def _unreadable(done: Sequence[RunRecord]) -> dict[str, float]:
    """Task -> the largest share of its answers that are not a label in any of the runs; only tasks that have some."""
    found: dict[str, float] = {}
    for r in done:
        for task, share in ((r.result or {}).get("unreadable") or {}).items():
            if share:
                found[task] = max(share, found.get(task, 0.0))
    return found


def data_notes(runs: Sequence[RunRecord]) -> list[str]:
    """The notes in the runs' records about the rows they were trained on, each once."""
    return list(dict.fromkeys(note for r in runs for note in (r.result or {}).get("data_notes") or []))


def _counts(done: Sequence[RunRecord], key: str, text: str) -> str:
    """``"TEXT: rte 3 train, 1 dev"``, with the largest count of any run; empty where there is nothing to count."""
    most: dict[str, Counter[str]] = {}
    for r in done:
        for task, splits in ((r.result or {}).get(key) or {}).items():
            most[task] = most.get(task, Counter()) | Counter[str](splits)  # | keeps the larger count
    shown = [f"{task} " + ", ".join(f"{count} {split}" for split, count in splits.items())
             for task, splits in most.items() if splits]
    return f"{text}: {'; '.join(shown)}" if shown else ""


def _of(done: Sequence[RunRecord], variant: str) -> list[RunRecord]:
    return [r for r in done if r.variant == variant]


def _cell(done: Sequence[RunRecord], variant: str, task: str, metric: str) -> str:
    results = [r.result for r in _of(done, variant) if r.result]
    mark = "†" if any((result.get("constant") or {}).get(task) for result in results) else ""
    mark += UNREAD if task in _unreadable(_of(done, variant)) else ""
    return _over_seeds([result["tasks"][task].get(metric) for result in results]) + mark


def _over_seeds(values: Sequence[float | None]) -> str:
    """The mean and, for several values, half of its interval. Undefined values count as 0 and leave a mark, unless all
    are undefined or there are no values."""
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


def _unread_mark(experiment: ExperimentRecord, name: str, task: str) -> str:
    return UNREAD if name == "no_prompt" and ((experiment.references or {}).get("unreadable") or {}).get(task) else ""


def _plain(experiment: ExperimentRecord, name: str, tasks: Sequence[str]) -> float | None:
    scores = {task: _reference(experiment, name, task) for task in tasks}
    return mean_primary(scores, experiment.tasks.primary(scores)) if all(scores.values()) else None


def _normalised(experiment: ExperimentRecord, name: str, tasks: Sequence[str]) -> float | None:
    scores, chance = ({task: _reference(experiment, n, task) for task in tasks} for n in (name, "majority"))
    if not all(scores.values()) or not all(chance.values()):
        return None
    return mean_normalised(scores, experiment.tasks.primary(scores), chance)
