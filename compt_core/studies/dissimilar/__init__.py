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
COUNTS = (2, 4)  # how many of them are added
ALONE, SHUFFLED = "alone", "shuffled"
KINDS = ("foreign", SHUFFLED)  # with their own labels, and with each other's labels at random
APART = 0.1  # of similarity, from which on attention is said to set tasks apart


def plan(base: Raw) -> Mapping[str, Raw]:
    """The tasks alone, and a part for each kind and number of tasks that are added, with as many rows of each task."""
    tasks = list(base["tasks"])
    if twice := [task for task in tasks if task in FOREIGN]:
        raise ConfigError([Issue("tasks", f"The study 'dissimilar' adds {', '.join(FOREIGN)} to your tasks, so they "
                                          f"must not be among them. Got '{twice[0]}'; leave it out.")])
    each = max(1, int(base["batch"]) // len(tasks))  # rows of a task in a step, whatever is added
    parts: dict[str, Raw] = {ALONE: {**base, "batch": each * len(tasks)}}
    for kind in KINDS:
        for count in COUNTS:
            added = list(FOREIGN[:count])
            parts[f"{count} {kind}"] = {**base, "tasks": tasks + added, "batch": each * (len(tasks) + count),
                                        "shuffle_labels": added if kind == SHUFFLED else []}
    return parts


def measure(evidence: Evidence) -> Reading:
    """The mean score over the tasks that are always there, by how many others train with them and of which kind."""
    alone = evidence.runs(ALONE)
    own, rows = len(alone[0].config["tasks"]), list(dict.fromkeys(run.variant for run in alone))
    said, table, numbers = list[str](), list[tuple[object, ...]](), dict[str, object]()
    for row in rows:
        base, harms = _scores(alone, row, own), dict[str, dict[str, object]]()
        at_most = dict[str, Mean]()
        for kind in KINDS:
            series = f"{row}, {kind}"
            table.append((0, 100 * mean(list(base.values())).value, series, mean(list(base.values())).bar))
            for count in COUNTS:
                here = _scores(_runs(evidence, kind, count), row, own)
                if here and (harm := gap(here, base)):
                    table.append((count, 100 * mean(list(here.values())).value, series, mean(list(here.values())).bar))
                    harms[f"{count} {kind}"] = vars(harm)
                    at_most[kind] = harm
        name = METHODS[row].title if row in METHODS else row
        said.append(f"{name} changes by " + ", and by ".join(
            f"{harm.signed} points when {plural(max(COUNTS), 'task')} {_WITH[kind]} {_TRAIN[kind]} ({beyond(harm)})"
            for kind, harm in at_most.items()) + ".")
        numbers[row] = {"alone": vars(mean(list(base.values()))), "harm": harms}
    attention = dict[str, object]()
    for kind in KINDS:
        runs = _runs(evidence, kind, max(COUNTS))
        apart = {row: kept for row in rows if (kept := isolation(runs, row, own))}
        said += [_on_attention(row, kind, *kept) for row, kept in apart.items()]
        attention |= {f"{row}, {kind}": {"within": vars(within), "across": vars(across)}
                                 for row, (within, across) in apart.items()}
    numbers["attention"] = attention
    learned = [float(firsts(run)[own:].mean()) for run in _runs(evidence, SHUFFLED, max(COUNTS))]
    numbers["score of tasks with shuffled labels"] = vars(mean(learned)) if learned else None
    return Reading(tuple(said), (Figure(
        "harm", "Score of the same tasks with others beside them", "lines",
        ("tasks added", "score", "row", "half"), tuple(table), said[0]),), numbers)


_TRAIN = {"foreign": "train beside those that are always there", SHUFFLED: "do"}
_WITH = {"foreign": "of another kind", SHUFFLED: "with shuffled labels"}


def _runs(evidence: Evidence, kind: str, count: int) -> Sequence[RunRecord]:
    return evidence.parts.get(f"{count} {kind}", ())


def _scores(runs: Sequence[RunRecord], row: str, own: int) -> dict[int, float]:
    """Seed -> a row's mean score over the first `own` tasks."""
    return {run.seed: float(firsts(run)[:own].mean()) for run in runs if run.variant == row}


def _on_attention(row: str, kind: str, within: Mean, across: Mean) -> str:
    sets = "sets" if within.value - across.value > APART else "does not set"
    return (f"The attention of {row} is alike to {within.value:.2f} between its own tasks and to {across.value:.2f} "
            f"between them and tasks {_WITH[kind]}, so it {sets} them apart.")


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
    "The same tasks are trained alone, and with two and four tasks of another kind beside them: a scale of similarity, "
    "three labels, single sentences, questions. Then once more with the labels of the added tasks shuffled, so that "
    "there is nothing in them to learn. Every task has as many rows in a step as before. PT shares nothing, so that "
    "what it changes is chance; MST must share everything.",
    ("The added tasks are of the same made-up language, so they are less foreign than another language would be.",
     "Attention that does not set tasks apart may still do no harm, where gates or private prompts make up for it."),
    plan, measure,
    {"preset": "demo", "methods": ["pt", "mst", "spp"], "seeds": "0-9", "eval_rows": 150, "watch_rows": 0,
     "tasks": "demo-mood,demo-opinion,demo-reword,demo-meaning,demo-follows,demo-proves"},
    {"preset": "demo", "methods": ["pt", "mst", "spp"], "steps": 60, "eval_rows": 40, "watch_rows": 0,
     "tasks": "demo-mood,demo-opinion,demo-reword,demo-follows"})
