"""Records of the store as DataFrames, pure: what the charts draw and the captions speak of.

Scores are drawn in points (x 100, as GLUE reports them: correlations run from -100 to 100); the
`value` columns hold them as stored, 0-1 or -1-1. An undefined score counts 0 in every mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from app.show.styles import label
from compt_core.methods.table import METHODS
from compt_core.runs.points import thin
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.scoring.statistics import holm, t_quantile
from compt_core.scoring.statistics import paired as test
from compt_core.tasks.catalogue import Catalogue

_ORDER = tuple(METHODS)
REFERENCES = {"majority": "majority", "no_prompt": "no prompt"}  # worded as in the terminal's table, and so are
MEAN, NORMALISED = "mean", "mean, chance = 0"  # these two
IDENTICAL = "identical"  # instead of an interval, where all seeds have one score
SAME = "same"  # the same in a cell of a figure, which is narrow
BREAK = " · "  # between task and metric in a column's name
MOST_LINES = 12  # of a loss chart; beyond, a line is the mean over seeds
_POINTS = 200  # of a line
SUMMARY = ["row", "column", "value", "half", "n", "undefined", "constant", "unreadable", "lowest", "highest"]


def in_rows(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Runs in the order of methods, rows of the comparison as they come, shots and seeds."""
    come = list(dict.fromkeys(run.variant for run in runs))
    return sorted(runs, key=lambda run: (_ORDER.index(run.method), come.index(run.variant), run.shots, run.seed))


def variants(runs: Sequence[RunRecord]) -> dict[str, str]:
    """The rows of the comparison in which `runs` are: name -> method, in order."""
    return {run.variant: run.method for run in in_rows(runs)}


def finished(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The completed runs, in the order of methods, rows, shots and seeds."""
    return in_rows([run for run in runs if run.state == State.COMPLETED and run.result and "tasks" in run.result])


def column_name(task: str, metric: str, several: bool) -> str:
    """``"sst2"``, or ``"cola · matthews"`` where a task has several metrics."""
    return f"{task}{BREAK}{metric}" if several else task


def scores(runs: Sequence[RunRecord]) -> pd.DataFrame:
    """One row per completed run and column of the heatmap: run, variant, method, shots, seed, column, value,
    metric, constant (the run predicts one label for every dev row of that task), unreadable (share of its answers there
    that are no label).

    The last two columns of each run are its means. `value` is NaN where a score is undefined.
    """
    rows: list[dict[str, Any]] = []
    for run in finished(runs):
        result = run.result or {}
        head = {"run": run.id, "variant": run.variant, "method": run.method, "shots": run.shots, "seed": run.seed}
        for task, metrics in result["tasks"].items():
            for metric, value in metrics.items():
                rows.append({**head, "column": column_name(task, metric, len(metrics) > 1), "metric": metric,
                             "value": value, "constant": bool(result.get("constant", {}).get(task)),
                             "unreadable": result.get("unreadable", {}).get(task, 0.0)})
        for name, key in ((MEAN, "mean"), (NORMALISED, "mean_normalised")):
            rows.append({**head, "column": name, "metric": "", "value": result[key], "constant": False,
                         "unreadable": 0.0})
    frame = pd.DataFrame(rows, columns=["run", "variant", "method", "shots", "seed", "column", "metric", "value",
                                        "constant", "unreadable"])
    return frame.astype({"value": float, "constant": bool, "unreadable": float})


def pick_metric(frame: pd.DataFrame, metric: str | None) -> pd.DataFrame:
    """The rows of one metric; for None all rows and the means, which are over each task's first metric."""
    return frame if metric is None else frame[frame["metric"] == metric]


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds per variant (row) and column, with SUMMARY's columns; rows and columns in order.

    `half` is half the width of the 95% t-interval, NaN for one run; `undefined` and `constant` count runs, and
    `unreadable` is their mean share of answers that are no label.
    """
    cells = dict(iter(frame.groupby(["variant", "column"], sort=False)))
    rows = [_summary_row(row, column, part["value"], int(part["constant"].sum()), float(part["unreadable"].mean()))
            for row in pd.unique(frame["variant"]) for column in pd.unique(frame["column"])
            if (part := cells.get((row, column))) is not None]
    return pd.DataFrame(rows, columns=SUMMARY)


def in_order(cells: pd.DataFrame, tasks: Sequence[str]) -> pd.DataFrame:
    """`cells` with the columns of the tasks in that order, then the means; rows stay as they stand."""
    place = {task: at for at, task in enumerate(tasks)}
    return cells.sort_values("column", kind="stable",
                             key=lambda names: names.map(lambda name: place.get(name.split(BREAK)[0], len(place))))


def same(half: float) -> bool:
    """Whether a half width is 0 but for rounding: all seeds have one score. False for NaN (a single run)."""
    return half < 1e-9


def few_rows(runs: Sequence[RunRecord], most: int = 100) -> dict[str, int]:
    """The tasks of the completed runs that were scored on fewer than `most` dev rows, with their number."""
    found: dict[str, int] = {}
    for run in finished(runs):
        for task, rows in ((run.result or {}).get("eval_rows") or {}).items():
            if 0 < rows < most:
                found[task] = min(rows, found.get(task, rows))
    return found


def differences(frame: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """As :func:`summarise`, for each other row minus `baseline`, paired by shots and seed, with two more columns.

    p          of the two-sided paired t-test over seeds, an undefined score counting 0; NaN for fewer than two
               pairs, and where they have no spread
    corrected  that p after Holm's correction over the row's columns of single tasks; NaN for means
    """
    base = frame[frame["variant"] == baseline].set_index(["shots", "seed", "column"])["value"]
    rows = []
    for row in (name for name in pd.unique(frame["variant"]) if name != baseline):
        mine = frame[frame["variant"] == row].set_index(["shots", "seed", "column"])["value"]
        paired = pd.concat([mine, base], axis=1, keys=["own", "base"], join="inner")
        either_undefined = paired.isna().any(axis=1)
        gap = (paired["own"].fillna(0.0) - paired["base"].fillna(0.0)).mask(paired.isna().all(axis=1))
        pairs = dict(iter(paired.fillna(0.0).groupby(level="column", sort=False)))
        cells = dict(iter(gap.groupby(level="column", sort=False)))
        undefined = either_undefined.groupby(level="column").sum()
        for column in (name for name in pd.unique(frame["column"]) if name in cells):
            one, other = (pairs[column][name].tolist() for name in ("own", "base"))
            rows.append(_summary_row(row, column, cells[column])
                        | {"undefined": int(undefined[column]), "p": test(one, other).p if len(one) > 1 else math.nan})
    return _corrected(pd.DataFrame(rows, columns=[*SUMMARY, "p"]))


def _corrected(cells: pd.DataFrame) -> pd.DataFrame:
    """`cells` with the column corrected: Holm over the single tasks of each row."""
    single = ~cells["column"].isin([MEAN, NORMALISED]) & (cells["n"] > 1)
    cells["corrected"] = float("nan")
    for method in pd.unique(cells["row"]):
        at = single & (cells["row"] == method)
        cells.loc[at, "corrected"] = holm(cells.loc[at, "p"].fillna(1.0).tolist())  # without spread: no test, but one
    return cells


def _summary_row(row: str, column: str, values: pd.Series, constant: int = 0, unreadable: float = 0.0
                 ) -> dict[str, Any]:
    filled = values.fillna(0.0).to_numpy(dtype=float)
    n, undefined = len(filled), int(values.isna().sum())
    half = float(t_quantile(n) * filled.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return {"row": row, "column": column, "value": float("nan") if undefined == n else float(filled.mean()),
            "half": half, "n": n, "undefined": undefined, "constant": constant, "unreadable": unreadable,
            "lowest": float(filled.min()), "highest": float(filled.max())}


def reference_rows(references: dict[str, Any] | None, tasks: Sequence[str], known: Catalogue) -> pd.DataFrame:
    """The untrained reference rows (majority, no prompt) of an experiment's `tasks`, whose definitions are `known`,
    with SUMMARY's columns; empty without any."""
    rows, references = [], references or {}
    majority = references.get("majority")
    for key in (k for k in REFERENCES if k in references):
        table = {task: references[key][task] for task in tasks if task in references[key]}
        unread = references.get("unreadable", {}) if key == "no_prompt" else {}
        for task, metrics in table.items():
            for metric, value in metrics.items():
                one = pd.Series([value], dtype=float)
                rows.append(_summary_row(key, column_name(task, metric, len(metrics) > 1), one,
                                         unreadable=unread.get(task, 0.0)))
        if table and majority and set(table) == set(tasks) <= set(majority):
            for name, value in zip((MEAN, NORMALISED), _means(known, table, majority), strict=True):
                rows.append(_summary_row(key, name, pd.Series([value])))
    return pd.DataFrame(rows, columns=SUMMARY)


def _means(known: Catalogue, table: dict[str, Any], majority: dict[str, Any]) -> tuple[float, float]:
    from compt_core.scoring.metrics import mean_normalised, mean_primary  # scikit-learn: only where references exist

    primary = known.primary(table)
    return mean_primary(table, primary), mean_normalised(table, primary, majority)


def curves(points: Sequence[tuple[RunRecord, np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Curves, long: run, variant, shots, seed, step, value; one point per measured step.

    `points` are (run, steps [n], values [n, d]); a value is the mean over d.
    """
    parts = [
        pd.DataFrame({"run": run.id, "variant": run.variant, "shots": run.shots, "seed": run.seed,
                      "step": np.asarray(steps), "value": _over_tasks(np.asarray(values, dtype=float))})
        for run, steps, values in points if len(steps)
    ]
    empty = pd.DataFrame(columns=["run", "variant", "shots", "seed", "step", "value"])
    return pd.concat(parts, ignore_index=True) if parts else empty


def gates(run: RunRecord) -> pd.DataFrame:
    """Per task of a completed run: alpha, beta, private_share (of the gates), private_norm_share."""
    result = run.result or {}
    names = ["alpha", "beta", "private_share", "private_norm_share"]
    missing = [None] * len(result["tasks"])
    frame = pd.DataFrame({"task": list(result["tasks"]), **{name: result.get(name) or missing for name in names}})
    return frame.astype(dict.fromkeys(names, float))


def suites(experiment: ExperimentRecord) -> str:
    """The suites of an experiment's tasks in words, as in ``"demo"`` or ``"glue, set2"``."""
    known = experiment.tasks
    return ", ".join(dict.fromkeys(known[t].suite if t in known else "own data" for t in experiment.config["tasks"]))


def pick_columns(rows: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """The rows whose column occurs in `like`."""
    return rows[rows["column"].isin(set(like["column"]))]


def stack(*parts: pd.DataFrame) -> pd.DataFrame:
    """Several tables of the same columns under each other; empty ones leave no trace."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def with_result(runs: Sequence[RunRecord], name: str) -> list[RunRecord]:
    """The completed runs whose result holds `name` (only composed methods have attention and gates)."""
    return [run for run in finished(runs) if (run.result or {}).get(name) is not None]


def _over_tasks(values: np.ndarray) -> np.ndarray:
    return values[:, 0] if values.shape[1] == 1 else values.mean(axis=1)


def one_task(points: Sequence[tuple[RunRecord, np.ndarray, np.ndarray]], task: int
             ) -> list[tuple[RunRecord, np.ndarray, np.ndarray]]:
    """The points of one task alone, of values with one for every task."""
    return [(run, steps, values[:, task:task + 1]) for run, steps, values in points]


def thinned(curves: pd.DataFrame, most: int = MOST_LINES) -> pd.DataFrame:
    """Loss curves as they are, or the mean over seeds per variant and shots where there are more than `most` runs.

    Runs keep the steps of their own lowest and highest losses. So the mean is over lines: at every step that any of
    them recorded, from where all have begun, between two points of the others, and of those alone that got so far.
    """
    if curves["run"].nunique() <= most:
        return curves
    means = []
    for (variant, shots), part in curves.groupby(["variant", "shots"], sort=False):
        steps = np.unique(part["step"].to_numpy(dtype=float))
        steps = steps[steps >= part.groupby("run")["step"].min().max()]
        lines = [np.interp(steps, one["step"].to_numpy(dtype=float), one["value"].to_numpy(dtype=float), np.nan, np.nan)
                 for _, one in part.groupby("run", sort=False)]
        there = ~np.isnan(lines)
        value = np.where(there, lines, 0).sum(0) / np.maximum(there.sum(0), 1)
        kept = thin(value[:, None], _POINTS)
        means.append(pd.DataFrame({"variant": variant, "shots": shots, "step": steps[kept].astype(int),
                                   "value": np.where(there.any(0), value, np.nan)[kept]}))
    mean = pd.concat(means, ignore_index=True)
    return mean.assign(run=mean["variant"] + " " + mean["shots"].astype(str), seed=-1)


def readable(cells: pd.DataFrame) -> pd.DataFrame:
    """SUMMARY rows as a table for people: names spelled out, scores in points.

    Spread and interval are NaN for single values, and no columns where there are no others.
    """
    points = {"value": "points", "half": "half of the 95% interval", "lowest": "lowest", "highest": "highest"}
    several = cells["n"] > 1
    if not several.any():
        points = {"value": "points"}
    table = pd.DataFrame({
        "row": [REFERENCES.get(row, label(row)) for row in cells["row"]],
        "column": cells["column"],
        **{name: 100 * (cells[source] if source == "value" else cells[source].where(several))
           for source, name in points.items()},
        "runs": cells["n"], "one label only": cells["constant"], "undefined": cells["undefined"],
    })
    if (cells["unreadable"] > 0).any():
        table["% no label"] = 100 * cells["unreadable"]
    if several.any() and "p" in cells:
        table["p"], table["p, Holm over tasks"] = cells["p"], cells["corrected"]
    table.loc[cells["row"].isin(list(REFERENCES)).to_numpy(), "runs"] = 0
    return table


def summaries(scores: pd.DataFrame) -> pd.DataFrame:
    """What :func:`summarise` makes of the mean over tasks, per shot count."""
    means = scores[scores["column"] == MEAN]
    return pd.concat([summarise(part).assign(shots=shots) for shots, part in means.groupby("shots")],
                     ignore_index=True)
