"""Forgetting: tasks that come one after another against all of them together (open question 4 of the paper).

K tasks · N phases of a task each. R [N + 1, K] has the scores before the first phase and after each. Backward transfer
and forward transfer are those of Lopez-Paz & Ranzato (NeurIPS 2017, arXiv 1706.08840), average forgetting that of
Chaudhry et al. (ECCV 2018, arXiv 1801.10112).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compt_core.errors import ConfigError, Issue
from compt_core.methods.table import METHODS
from compt_core.runs.record import RunRecord
from compt_core.streams import stream
from compt_core.studies.study import Evidence, Figure, Mean, Raw, Reading, Study, beyond, by_seed, firsts, mean, points

TOGETHER = "together"


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
    phased = [run for run in runs if run.config["phases"]]
    curves = evidence.curves(phased, "phase_score")
    each = {run.id: (np.asarray(curves[run.id][1]), [k for phase in run.settings.order for k in phase])
            for run in phased}
    ways = {way: _over_orders([run for run in phased if _way(run.variant) == way], each)
            for way in dict.fromkeys(_way(run.variant) for run in phased)}
    joint = {row.removesuffix(f" {TOGETHER}"): mean(list(by_seed(runs, row, lambda run: float(firsts(run).mean())
                                                                 ).values()))
             for row in dict.fromkeys(run.variant for run in runs) if row.endswith(TOGETHER)}
    return Reading(tuple(_sentences(ways, joint)), (_dots(ways, phased, each), *_matrices(phased, each)),
                   {"in sequence": {way: {name: vars(one) for name, one in own.items()} for way, own in ways.items()},
                    "together": {row: vars(one) for row, one in joint.items()}})


def _way(row: str) -> str:
    """What the rows of one method have in common, whatever the order: ``"spp"``, ``"spp used kept"``."""
    return row.partition(" order ")[0]


def _over_orders(runs: Sequence[RunRecord], each: Mapping[str, tuple[np.ndarray, list[int]]]) -> dict[str, Mean]:
    """The measures, each the mean over the orders of a seed, then over seeds."""
    found: dict[int, list[Measures]] = {}
    for run in runs:
        found.setdefault(run.seed, []).append(measures(*each[run.id]))
    return {name: mean([float(np.mean([getattr(one, name) for one in own])) for own in found.values()])
            for name in ("forgetting", "backward", "forward", "final")}


def _sentences(ways: Mapping[str, Mapping[str, Mean]], joint: Mapping[str, Mean]) -> list[str]:
    said = []
    for way, own in sorted(ways.items(), key=lambda item: item[1]["forgetting"].value):
        whole, lost = joint.get(_method(way)), own["forgetting"]
        end = f" It ends at {own['final']}" + (f", and at {whole} when all tasks train together." if whole else ".")
        if lost.value == 0 and not lost.half:
            said.append(f"{_title(way)} forgets nothing.{end}")
        else:
            loses = "gains" if lost.value < 0 else "forgets"
            said.append(f"{_title(way)} {loses} {points(abs(lost.value), lost.half)} points after a task's own phase "
                        f"({beyond(lost)}).{end}")
    return said


def _method(way: str) -> str:
    return way.removesuffix(" used kept").removesuffix(" all kept")


def _title(way: str) -> str:
    name = METHODS[_method(way)].title if _method(way) in METHODS else _method(way)
    kept = {" used kept": ", with the sources kept that finished tasks use,", " all kept": ", with all sources kept,"}
    return name + next((said for end, said in kept.items() if way.endswith(end)), "")


def _dots(ways: Mapping[str, Mapping[str, Mean]], runs: Sequence[RunRecord],
          each: Mapping[str, tuple[np.ndarray, list[int]]]) -> Figure:
    """Average forgetting: the mean of each way, and each order by itself."""
    worst = max(ways, key=lambda way: ways[way]["forgetting"].value)
    table: list[tuple[object, ...]] = []
    for way, own in ways.items():
        table.append((way, 100 * own["forgetting"].value, "mean over orders", own["forgetting"].bar))
        for row in dict.fromkeys(run.variant for run in runs if _way(run.variant) == way and " order " in run.variant):
            one = mean([measures(*each[run.id]).forgetting for run in runs if run.variant == row])
            table.append((way, 100 * one.value, "order" + row.partition(" order")[2], None))
    return Figure("forgetting", "Points forgotten after a task's own phase", "dots",
                  ("row", "points forgotten", "order", "half"), tuple(table),
                  f"{_title(worst)} forgets most: {ways[worst]['forgetting']} points. 0 is no forgetting.")


def _matrices(runs: Sequence[RunRecord], each: Mapping[str, tuple[np.ndarray, list[int]]]) -> list[Figure]:
    """For each row the mean scores after every phase, phases and tasks in the order of training."""
    figures = []
    for row in dict.fromkeys(run.variant for run in runs):
        own = [run for run in runs if run.variant == row]
        order, tasks = each[own[0].id][1], own[0].config["tasks"]
        scores = np.mean([each[run.id][0] for run in own], axis=0)
        names = ["before", *(f"after {tasks[k]}" for k in order)]
        table = [(names[i], tasks[k], 100 * float(scores[i, k])) for i in range(len(names)) for k in order]
        figures.append(Figure(f"matrix {row}", f"{row}: score of each task after each phase", "matrix",
                              ("phase", "task", "score"), tuple(table),
                              "Rows are phases in time, columns are tasks. A score that falls after its task's own "
                              "phase was forgotten."))
    return figures


STUDY = Study(
    "forgetting", "Forgetting", "Do tasks that come one after another make a method forget earlier ones?",
    "Every method is trained on all tasks together and, with as many steps, on one task after another in several "
    "orders. After each task all tasks are scored. PT shares nothing, so it forgets nothing; training together is the "
    "other bound. ComPT is also trained with its sources kept after each task: those that finished tasks use, or all.",
    ("Each task gets an equal share of the steps, so a task in sequence sees as many rows as when all train together, "
     "but in one go.", "Orders are few, so an interval is over seeds and not over orders."),
    plan, measure,
    {"preset": "demo", "methods": ["pt", "mst", "mpt", "spp", "scp"], "seeds": "0-9", "steps": 150, "eval_rows": 100,
     "watch_rows": 0, "tasks": "demo-mood,demo-opinion,demo-reword,demo-meaning,demo-follows,demo-proves"},
    {"preset": "demo", "methods": ["pt", "mst", "spp"], "tasks": "demo-mood,demo-opinion,demo-reword,demo-follows",
     "steps": 80, "eval_rows": 60, "watch_rows": 0})
