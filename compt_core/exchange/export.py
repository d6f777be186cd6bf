"""Runs of an experiment as files for other programs: one JSON document, or tidy tables as CSV. Pure; no torch.

Every number has all its digits and no more. Anything undefined or not there yet is empty (null in JSON).
"""

from __future__ import annotations

import csv
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

from compt_core.analysis.diagnosis import diagnose_runs
from compt_core.analysis.signatures import Diagnosis
from compt_core.exchange.report import experiment_json, finite
from compt_core.runs.points import decimals
from compt_core.runs.record import ExperimentRecord, RunRecord

Curves = Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]]  # kind -> run -> (steps [n], values [n, d])
CURVES = ("loss", "task_loss", "dev_score", "phase_score", "attention", "gates")  # kinds of events that become tables
_GRID = ("shots", "seeds")
_RUN = ("run", "variant", "method", "shots", "seed")
_ABOUT = ("state", "error", "mean", "mean_normalised", "trainable_parameters", "train_seconds", "eval_seconds")
_FINDING = ("signature", "severity", "value", "threshold", "said", "advice")
_PER_TASK = ("alpha", "beta", "private_share", "private_norm_share")
_FORMULA = frozenset("=+-@|%")  # a spreadsheet may run a cell that begins with one of these
_UNSEEN = frozenset(("Cc", "Cf", "Mn", "Zs", "Zl", "Zp"))  # categories of characters that may come before it
_NEGATIVE = re.compile(r"-([0-9]+([.][0-9]+)?|[.][0-9]+)(e[+-]?[0-9]+)?")


@dataclass(frozen=True)
class Table:
    """Column names and the rows, each with as many cells. The rows may be read once."""

    columns: tuple[str, ...]
    rows: Iterable[Sequence[object]]


def document(experiment: ExperimentRecord, runs: Sequence[RunRecord], curves: Curves) -> dict[str, Any]:
    """What ``--json`` writes, and what is needed to repeat it: the settings of these runs in the form that ``--config``
    reads, the definitions of their tasks, and the versions, hashes of backbone and data, and device of each run. It
    also has what the diagnosis found."""
    found = {run: diagnosed(one) for run, one in diagnose_runs(runs, curves).items()}
    about = {"settings": settings(experiment, runs), "task_definitions": experiment.tasks.written(),
             "versions": versions(runs), "diagnosis": found}
    return finite({**experiment_json(experiment, runs), **about})


def diagnosed(found: Diagnosis) -> dict[str, Any]:
    """A diagnosis as plain types: {"findings": [...], "unchecked": {signature: why}}."""
    return {"findings": [{"signature": one.signature.name, "severity": one.signature.severity,
                          "value": one.value if math.isfinite(one.value) else None, "threshold": one.threshold,
                          "said": one.said, "advice": one.signature.advice}
                         for one in found.findings], "unchecked": dict(found.unchecked)}


def settings(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> dict[str, Any]:
    """The settings of an experiment with only `runs`: all of the experiment's settings, or a smaller grid."""
    of_run = {"shots": "shots", "seeds": "seed"}
    grid = {name: [value for value in experiment.config[name] if value in {getattr(run, of_run[name]) for run in runs}]
            for name in _GRID}
    rows = {run.variant for run in runs}
    variants = {name: own for name, own in experiment.config["variants"].items() if name in rows}
    given = {name: value for name, value in experiment.config.items() if value is not None}  # empty settings are absent
    return {**given, **grid, "variants": variants}


def versions(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """What the runs were made with (libraries, hashes of backbone and data, device), each with the ids of its runs."""
    found: list[dict[str, Any]] = []
    for run in runs:
        of = run.versions or {}
        same = next((known for known in found if {**known, "runs": None} == {**of, "runs": None}), None)
        if same is None:
            found.append({"runs": [run.id], **of})
        else:
            same["runs"].append(run.id)
    return found


def tables(written: Mapping[str, Any], curves: Curves, answers: Iterable[Sequence[object]]) -> dict[str, Table]:
    """File name -> table, from a :func:`document`, the curves of its runs and their answers (answers.Answer)."""
    runs, tasks = written["runs"], written["settings"]["tasks"]
    names = {kind: [run["run"] for run in runs if run["run"] in curves.get(kind, {})] for kind in CURVES}
    return {
        "runs.csv": Table((*_RUN, *_ABOUT), ([run[name] for name in (*_RUN, *_ABOUT)] for run in runs)),
        "scores.csv": Table((*_RUN, "task", "metric", "value", "dev_rows", "constant", "unreadable"), _scores(runs)),
        "references.csv": Table(("reference", "task", "metric", "value"), (
            (name, task, metric, value) for name, by_task in written["references"].items()
            for task, metrics in by_task.items() for metric, value in metrics.items())),
        "attention.csv": Table((*_RUN, "task", "source", "weight"), (
            (*_head(run), task, f"s{source}", weight) for run in runs if run["attention"]
            for task, row in zip(run["tasks"], run["attention"], strict=True) for source, weight in enumerate(row))),
        "gates.csv": Table((*_RUN, "task", *_PER_TASK), _gates(runs)),
        "diagnosis.csv": Table((*_RUN, *_FINDING), (
            (*_head(run), *(one[name] for name in _FINDING)) for run in runs
            for one in _found(written["diagnosis"][run["run"]]))),
        "predictions.csv": Table(("run", "task", "row", "predicted", "gold"), answers),
        "loss.csv": Table(("run", "step", "loss"), (
            (run, step, one[0]) for run in names["loss"] for step, one in _points(curves["loss"][run]))),
        "task_loss.csv": Table(("run", "step", "task", "loss"), (
            (run, step, task, loss) for run in names["task_loss"] for step, one in _points(curves["task_loss"][run])
            for task, loss in zip(tasks, one, strict=True))),
        "dev_score.csv": Table(("run", "step", "task", "score"), (
            (run, step, task, score) for run in names["dev_score"] for step, one in _points(curves["dev_score"][run])
            for task, score in zip(tasks, one, strict=True))),
        "phase_score.csv": Table(("run", "step", "task", "score"), (
            (run, step, task, score) for run in names["phase_score"]
            for step, one in _points(curves["phase_score"][run]) for task, score in zip(tasks, one, strict=True))),
        "attention_steps.csv": Table(("run", "step", "task", "source", "weight"), (
            (run, step, task, f"s{source}", weight) for run in names["attention"]
            for step, one in _points(curves["attention"][run])
            for task, row in zip(tasks, np.reshape(one, (len(tasks), -1)).tolist(), strict=True)
            for source, weight in enumerate(row))),
        "gates_steps.csv": Table(("run", "step", "task", "alpha", "beta"), (
            (run, step, task, alpha, beta) for run in names["gates"] for step, one in _points(curves["gates"][run])
            for task, alpha, beta in zip(tasks, one[:len(tasks)], one[len(tasks):], strict=True))),
    }


def write_csv(table: Table, file: TextIO) -> None:
    """Writes a table with its header."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_cell, table.columns))
    writer.writerows([_cell(value) for value in row] for row in table.rows)


def write_json(written: Mapping[str, Any], file: TextIO) -> None:
    """Writes a :func:`document`."""
    json.dump(written, file, indent=1, allow_nan=False)
    file.write("\n")


def harmless(text: str) -> str:
    r"""`text` as a cell of a CSV file, with an apostrophe in front where a spreadsheet would take it for a formula.

    The rule is OWASP's for CSV injection. It applies to text that begins with one of = + - @ | %, full width or not,
    after spaces, quotes or invisible characters, and to text that begins with a tab or a line end. Negative numbers
    stay as they are. Line ends become \n, since Python before 3.13 writes \r without quotes, and what follows it would
    begin a row.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    first = next((mark for mark in text if mark not in "'\"" and unicodedata.category(mark) not in _UNSEEN), "")
    runs = unicodedata.normalize("NFKC", first) in _FORMULA or text.startswith(("\t", "\n"))
    return f"'{text}" if runs and not _NEGATIVE.fullmatch(text) else text


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return harmless(value) if isinstance(value, str) else value


def _head(run: Mapping[str, Any]) -> list[object]:
    return [run[name] for name in _RUN]


def _scores(runs: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    for run in runs:
        for task, metrics in (run["tasks"] or {}).items():
            about = [(run[name] or {}).get(task) for name in ("eval_rows", "constant", "unreadable")]
            yield from ((*_head(run), task, metric, value, *about) for metric, value in metrics.items())


def _gates(runs: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    for run in (run for run in runs if run["alpha"]):
        lists = [run[name] or [None] * len(run["tasks"]) for name in _PER_TASK]
        yield from ((*_head(run), *row) for row in zip(run["tasks"], *lists, strict=True))


def _found(diagnosis: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The findings and, in the same shape, what could not be checked."""
    yield from diagnosis["findings"]
    for name, why in diagnosis["unchecked"].items():
        yield {**dict.fromkeys(_FINDING), "signature": name, "severity": "unchecked", "said": why}


def _points(curve: tuple[np.ndarray, np.ndarray]) -> Iterator[tuple[int, list[float]]]:
    return zip(curve[0].tolist(), decimals(curve[1]).tolist(), strict=True)
