"""Relatedness: does attention follow which tasks are related (open question 5 of the paper)?

K tasks. Two truths: the families of the task table, and measured transfer, for which PT's prompt of each task is the
start of every other one: scored as it is, and trained on.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compt_core.analysis.relatedness import helps, mantel, similarity
from compt_core.errors import ConfigError, Issue
from compt_core.methods.table import METHODS
from compt_core.studies.study import Evidence, Figure, Raw, Reading, Study, firsts

_STILL: Raw = {"lr_private": 0.0, "lr_encoder": 0.0, "weight_decay_prompt": 0.0, "steps": 1}  # scored as it is
AS_IS, ON = "prompt of ", "from "


def plan(base: Raw) -> Mapping[str, Raw]:
    """A part with PT and the composed methods, and a part where every task starts from PT's prompt of each task."""
    tasks = list(base["tasks"])
    if len(tasks) < 3:
        raise ConfigError([Issue("tasks", "The study 'relatedness' compares pairs of tasks, so it needs at least 3. "
                                          f"Got {len(tasks)}; name more tasks.")])
    composed = {name: own for name, own in base["variants"].items() if METHODS[own["method"]].composed}
    pt = {**base["variants"].get("pt", {}), "method": "pt"}
    start = {task: {**pt, "init": [f"private=learned/pt:composed@{task}"]} for task in tasks}
    return {"learned": {**base, "variants": {"pt": pt, **composed}},
            "transfer": {**base, "variants": {
                **{AS_IS + task: {**own, **_STILL} for task, own in start.items()},
                **{ON + task: own for task, own in start.items()}}}}


def measure(evidence: Evidence) -> Reading:
    """Mantel's test of attention's similarity against the families and against measured transfer, and a scatter."""
    learned, moved = evidence.runs("learned"), evidence.runs("transfer")
    tasks = list(learned[0].config["tasks"])
    transfer = {kind: _transfer(moved, kind, tasks) for kind in (AS_IS, ON)}
    truths = {"measured transfer": helps(transfer[AS_IS]), "transfer after training on": helps(transfer[ON])}
    family = [learned[0].tasks.needed(task).family for task in tasks]
    same = np.array([[float(one == other) for other in family] for one in family])
    if 1 < len(set(family)) < len(tasks):
        truths = {"families": same} | truths
    said, numbers, rows = list[str](), dict[str, object](), list[tuple[object, ...]]()
    for row in dict.fromkeys(run.variant for run in learned if METHODS[run.method].composed):
        own = [similarity(np.array(run.result["attention"])) for run in learned if run.variant == row and run.result]
        for truth, matrix in truths.items():
            found = mantel(own, matrix)
            numbers[f"{row} and {truth}"] = {"r": found.r, "p": found.p, "each": list(found.each)}
            follows = "follows" if found.p < 0.05 and found.r > 0 else "does not follow"
            said.append(f"The attention of {row} {follows} {truth}: r = {found.r:.2f}, p = {found.p:.2f} "
                        f"({len(own)} {'seed' if len(own) == 1 else 'seeds'}).")
        average = np.mean(own, axis=0)
        rows += [(100 * float(truths["measured transfer"][i, j]), float(average[i, j]), f"{tasks[i]} – {tasks[j]}", row)
                 for i in range(len(tasks)) for j in range(i)]
    itself = float(np.mean([transfer[AS_IS][k, k] >= transfer[AS_IS][:, k].max() for k in range(len(tasks))]))
    said.append(f"A task's own prompt is the best one for it in {itself:.0%} of tasks.")
    table = tuple((f"prompt of {tasks[i]}", tasks[j], 100 * float(transfer[AS_IS][i, j]))
                  for i in range(len(tasks)) for j in range(len(tasks)))
    return Reading(tuple(said), (
        Figure("transfer", "Score of each task under the prompt of another", "matrix", ("prompt", "task", "score"),
               table, said[-1]),
        Figure("pairs", "Similar attention against measured transfer", "scatter",
               ("points that two tasks help each other", "similarity of attention", "pair", "row"), tuple(rows),
               said[0])), {"tests": numbers, "transfer": transfer[AS_IS].tolist(), "tuned": transfer[ON].tolist(),
                           "own_prompt_best": itself})


def _transfer(runs: list, kind: str, tasks: list[str]) -> np.ndarray:
    """Mean score [K, K] of task j (column) that starts from the prompt of task i (row)."""
    return np.stack([np.mean([firsts(run) for run in runs if run.variant == kind + task], axis=0) for task in tasks])


STUDY = Study(
    "relatedness", "Relatedness", "Does attention find which tasks are related?",
    "Composed methods are trained, and the similarity of two tasks' attention is compared with their families and with "
    "measured transfer: how well each task does under the prompt of another, as it is and trained on. Mantel's test "
    "asks whether tasks that are related share attention more than chance would have it.",
    ("A correlation of similarities does not say that attention causes the gain.",
     "Transfer between two tasks depends on how long each prompt was trained."),
    plan, measure,
    {"preset": "demo", "methods": ["pt", "spp", "scp"], "seeds": "0-9", "watch_rows": 0, "eval_rows": 100},
    {"preset": "demo", "methods": ["pt", "spp"], "steps": 60, "eval_rows": 60, "watch_rows": 0,
     "tasks": "demo-mood,demo-opinion,demo-reword,demo-meaning"})
