"""Dissimilar tasks: what foreign tasks do to the others, and whether attention keeps them apart (open question 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from compt_core.analysis.relatedness import similarity
from compt_core.errors import ConfigError, Issue, plural
from compt_core.methods.table import METHODS
from compt_core.runs.record import RunRecord
from compt_core.studies.study import Evidence, Figure, Mean, Raw, Reading, Study, beyond, firsts, gap, mean

FOREIGN = ("demo-stsb", "demo-mnli", "demo-cola", "demo-qnli")  # a scale, three labels, single sentences, questions
COUNTS = (0, 1, 2, 4)  # how many of them are added
APART = 0.1  # of similarity, from which on attention is said to set tasks apart


def plan(base: Raw) -> Mapping[str, Raw]:
    """A part for each number of foreign tasks: the same tasks, with foreign ones added and as many rows of each."""
    tasks = list(base["tasks"])
    if twice := [task for task in tasks if task in FOREIGN]:
        raise ConfigError([Issue("tasks", f"The study 'dissimilar' adds {', '.join(FOREIGN)} to your tasks, so they "
                                          f"must not be among them. Got '{twice[0]}'; leave it out.")])
    each = max(1, int(base["batch"]) // len(tasks))  # rows of a task in a step, whatever is added
    return {f"{count} foreign": {**base, "tasks": tasks + list(FOREIGN[:count]), "batch": each * (len(tasks) + count)}
            for count in COUNTS}


def measure(evidence: Evidence) -> Reading:
    """The mean score over the tasks that are always there, by how many foreign ones train with them."""
    parts = {int(part.split()[0]): list(runs) for part, runs in evidence.parts.items()}
    own = len(parts[0][0].config["tasks"])
    rows = list(dict.fromkeys(run.variant for run in parts[0]))
    scores = {row: {count: {run.seed: float(firsts(run)[:own].mean()) for run in runs if run.variant == row}
                    for count, runs in parts.items()} for row in rows}
    said, table, numbers = list[str](), list[tuple[object, ...]](), dict[str, object]()
    most = max(parts)
    for row, by_count in scores.items():
        harm = {count: lead for count in parts if count and (lead := gap(by_count[count], by_count[0]))}
        name = METHODS[row].title if row in METHODS else row
        said.append(f"{name} changes by {harm[most].signed} points on its own tasks when "
                    f"{plural(most, 'foreign task')} train with them ({beyond(harm[most])}).")
        for count, seeds in by_count.items():
            one = mean(list(seeds.values()))
            table.append((count, 100 * one.value, row, one.bar))
        numbers[row] = {"scores": {str(count): vars(mean(list(seeds.values()))) for count, seeds in by_count.items()},
                        "harm": {str(count): vars(lead) for count, lead in harm.items()}}
    apart = {row: kept for row in rows if (kept := isolation(parts[most], row, own))}
    for row, (within, across) in apart.items():
        sets = "sets" if within.value - across.value > APART else "does not set"
        said.append(f"The attention of {row} is alike to {within.value:.2f} between its own tasks and to "
                    f"{across.value:.2f} between them and foreign ones, so it {sets} them apart.")
    numbers["attention"] = {row: {"within": vars(within), "across": vars(across)} for row, (within, across)
                            in apart.items()}
    return Reading(tuple(said), (Figure(
        "harm", "Score of the same tasks with foreign ones beside them", "lines",
        ("foreign tasks", "score", "row", "half"), tuple(table), said[0]),), numbers)


def isolation(runs: Sequence[RunRecord], row: str, own: int) -> tuple[Mean, Mean] | None:
    """Mean similarity of attention (between the first `own` tasks, between them and the others); None without any."""
    within, across = list[float](), list[float]()
    for run in runs:
        if run.variant == row and run.result and run.result.get("attention"):
            alike = similarity(np.array(run.result["attention"]))
            within.append(float(alike[:own, :own][np.triu_indices(own, k=1)].mean()))
            across.append(float(alike[:own, own:].mean()))
    return (mean(within), mean(across)) if within else None


STUDY = Study(
    "dissimilar", "Dissimilar tasks", "Do tasks of another kind harm the others, and does attention keep them apart?",
    "The same tasks are trained alone and with one, two and four foreign ones beside them: a scale of similarity, "
    "three labels, single sentences, questions. Every task has as many rows in a step as before. PT shares nothing, "
    "so that what it changes is chance; MST must share everything.",
    ("The foreign tasks are of the same made-up language, so they are less foreign than another language would be.",
     "Labels that were shuffled are not tried."),
    plan, measure,
    {"preset": "demo", "methods": ["pt", "mst", "spp"], "seeds": "0-9", "eval_rows": 150, "watch_rows": 0},
    {"preset": "demo", "methods": ["pt", "mst", "spp"], "steps": 60, "eval_rows": 40, "watch_rows": 0,
     "tasks": "demo-mood,demo-opinion,demo-reword,demo-follows"})
