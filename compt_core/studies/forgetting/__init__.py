"""Forgetting: tasks that come one after another against all of them together (open question 4 of the paper).

K tasks · N phases of a task each. R [N + 1, K] has the scores before the first phase and after each. Backward transfer
and forward transfer are those of Lopez-Paz & Ranzato (NeurIPS 2017, arXiv 1706.08840), average forgetting that of
Chaudhry et al. (ECCV 2018, arXiv 1801.10112).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compt_core.errors import ConfigError, Issue
from compt_core.methods.table import METHODS
from compt_core.runs.record import RunRecord
from compt_core.streams import stream
from compt_core.studies.study import Evidence, Figure, Mean, Raw, Reading, Study, beyond, by_seed, firsts, mean

TOGETHER = "together"
_ORDERED = re.compile(r" (order \d+|used kept|all kept)$")  # ends the names of rows in sequence


@dataclass(frozen=True)
class Measures:
    """What one run in sequence shows, all as differences of scores.

    forgetting  mean over tasks, but for the last one learned, of the best score since the task's phase less the last
    backward    mean over the same tasks of the last score less the one after the task's own phase
    forward     mean over tasks, but for the first one, of the score just before the task's phase less the first score
    final       mean score over all tasks at the end
    """

    forgetting: float
    backward: float
    forward: float
    final: float


def measures(scores: np.ndarray, order: Sequence[int]) -> Measures:
    """Of R [N + 1, K], where phase i trains the task with number `order[i]`. Raises ValueError for one task."""
    if len(order) < 2 or scores.shape != (len(order) + 1, len(order)):
        raise ValueError("forgetting needs at least two tasks, and the scores of all after each phase")
    scores, last = np.nan_to_num(scores), scores[-1]
    own = {k: i + 1 for i, k in enumerate(order)}  # the row after a task's phase
    before, after = list(order[:-1]), list(order[1:])
    return Measures(
        float(np.mean([scores[own[k]:-1, k].max() - last[k] for k in before])),
        float(np.mean([last[k] - scores[own[k], k] for k in before])),
        float(np.mean([scores[own[k] - 1, k] - scores[0, k] for k in after])),
        float(last.mean()))


def plan(base: Raw) -> Mapping[str, Raw]:
    """Every method together and in up to three orders, or in the one that `phases` gives; composed methods also with
    sources that are kept."""
    tasks = list(base["tasks"])
    if len(tasks) < 2:
        raise ConfigError([Issue("tasks", "The study 'forgetting' trains tasks one after another, so it needs at least "
                                          f"2. Got {len(tasks)}; name more tasks.")])
    given = [task for phase in base["phases"] for task in phase]
    if len(given) > len(base["phases"]):
        raise ConfigError([Issue("phases", "The study 'forgetting' needs one task in each phase. Got several in one; "
                                           "separate them by commas.")])
    drawn = [tasks[int(k)] for k in stream(0, "orders", *tasks).permutation(len(tasks))]
    orders = [given] if given and given != ["each"] else \
        [list(one) for one in dict.fromkeys(map(tuple, (tasks, tasks[::-1], drawn)))]
    base = {**base, "phases": []}
    rows: dict[str, Raw] = {}
    for name, own in base["variants"].items():
        rows[f"{name} {TOGETHER}"] = own
        for number, order in enumerate(orders, 1):
            rows[f"{name} order {number}"] = {**own, "phases": ",".join(order)}
        if METHODS[own["method"]].composed:
            rows[f"{name} used kept"] = {**own, "phases": ",".join(orders[0]), "freeze_after": "used"}
            rows[f"{name} all kept"] = {**own, "phases": ",".join(orders[0]), "freeze_after": "all"}
    return {"sequence": {**base, "variants": rows}}


def measure(evidence: Evidence) -> Reading:
    """Forgetting, transfer and the matrix of each row; joint training and PT are the bounds."""
    runs = evidence.runs()
    curves = evidence.curves([run for run in runs if run.config["phases"]], "phase_score")
    each = {run.id: (np.asarray(curves[run.id][1]), [k for phase in run.settings.order for k in phase])
            for run in runs if run.config["phases"]}
    rows = list(dict.fromkeys(run.variant for run in runs))
    found: dict[str, dict[str, Mean]] = {}
    for row in rows:
        of_row = [measures(*each[run.id]) for run in runs if run.variant == row and run.id in each]
        if of_row:
            found[row] = {name: mean([getattr(one, name) for one in of_row])
                          for name in ("forgetting", "backward", "forward", "final")}
    joint = {row: mean(list(by_seed(runs, row, lambda run: float(firsts(run).mean())).values()))
             for row in rows if row.endswith(TOGETHER)}
    return Reading(tuple(_sentences(found, joint)), (_bars(found, joint), *_matrices(runs, each, found)),
                   {"sequence": {row: {name: vars(one) for name, one in own.items()} for row, own in found.items()},
                    "together": {row: vars(one) for row, one in joint.items()}})


def _sentences(found: Mapping[str, Mapping[str, Mean]], joint: Mapping[str, Mean]) -> list[str]:
    said = []
    for row, own in sorted(found.items(), key=lambda item: item[1]["forgetting"].value):
        whole = joint.get(f"{_ORDERED.sub('', row)} {TOGETHER}")
        lost = f" Trained together it reaches {whole}, in sequence {own['final']}." if whole else ""
        worth = own["forgetting"]
        how = "forgets nothing" if worth.value == 0 and not worth.half else \
            f"forgets {worth} points of what it had learned ({beyond(worth)})"
        said.append(f"{row}: {how}; learning later tasks changes "
                    f"earlier ones by {own['backward'].signed}.{lost}")
    return said


def _bars(found: Mapping[str, Mapping[str, Mean]], joint: Mapping[str, Mean]) -> Figure:
    worst = max(found, key=lambda row: found[row]["forgetting"].value)
    table = [(row, 100 * own["forgetting"].value, "average forgetting", own["forgetting"].bar)
             for row, own in found.items()]
    return Figure("forgetting", "Average forgetting by row", "dots", ("row", "points forgotten", "measure", "half"),
                  tuple(table), f"{worst} forgets most: {found[worst]['forgetting']} points.")


def _matrices(runs: Sequence[RunRecord], each: Mapping[str, tuple[np.ndarray, list[int]]],
              found: Mapping[str, Any]) -> list[Figure]:
    """For each row the mean scores after every phase, phases and tasks in the order of training."""
    figures = []
    for row in found:
        own = [run for run in runs if run.variant == row and run.id in each]
        order, tasks = each[own[0].id][1], own[0].config["tasks"]
        scores = np.mean([each[run.id][0] for run in own], axis=0)
        names = ["before", *(f"after {tasks[k]}" for k in order)]
        table = [(names[i], tasks[k], 100 * float(scores[i, k])) for i in range(len(names)) for k in order]
        figures.append(Figure(f"matrix {row}", f"{row}: score of each task after each phase", "matrix",
                              ("phase", "task", "score"), tuple(table),
                              f"Rows are phases in time, columns tasks; a column that falls below its own phase is "
                              f"forgetting ({found[row]['forgetting']} points on the mean)."))
    return figures


STUDY = Study(
    "forgetting", "Forgetting", "Do tasks that come one after another make a method forget earlier ones?",
    "Every method is trained on all tasks together and, with as many steps, on one task after another in several "
    "orders. After each task all tasks are scored. PT shares nothing, so it forgets nothing; training together is the "
    "other bound. ComPT is also trained with its sources kept after each task: those that finished tasks use, or all.",
    ("Each task gets an equal share of the steps, so a task in sequence sees as many rows as when all train together, "
     "but in one go.", "Orders are few, so an interval is over seeds and not over orders."),
    plan, measure,
    {"preset": "demo", "methods": ["pt", "mst", "mpt", "spp", "scp"], "seeds": "0-9", "steps": 240, "eval_rows": 100,
     "watch_rows": 0},
    {"preset": "demo", "methods": ["pt", "mst", "spp"], "tasks": "demo-mood,demo-opinion,demo-reword,demo-follows",
     "steps": 80, "eval_rows": 60, "watch_rows": 0})
