"""Pre-trained sources: prompts trained on other tasks first, against sources from scratch (open question 2).

SPoT (Vu et al., ACL 2022, arXiv 2110.07904) starts a task's prompt from that of a source task. Which one is chosen here
by the loss on the new task's own examples, never by dev rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from compt_core.errors import ConfigError, Issue, plural
from compt_core.runs.record import RunRecord
from compt_core.studies.study import Evidence, Figure, Raw, Reading, Study, beyond, by_seed, firsts, gap, mean
from compt_core.tasks.own import known

SHOTS = 256  # rows of a source task, or as many as it has
FROM = "PT from "


def plan(base: Raw) -> Mapping[str, Raw]:
    """A part that trains source tasks, the first task of each family, and a part that starts from them on the rest."""
    tasks, catalogue = list(base["tasks"]), known()
    families = {catalogue[task].family if task in catalogue else task: task for task in reversed(tasks)}
    sources = [task for task in tasks if task in families.values()]
    targets = [task for task in tasks if task not in sources]
    if not targets:
        raise ConfigError([Issue("tasks", "The study 'pretrained' needs more tasks than families: the first task of "
                                 "each family is a source, and the others start from it. Got "
                                 f"{plural(len(tasks), 'task')} of as many families; add tasks of the same ones.")])
    own = base["variants"]
    pt, spp = ({**own.get(name, {}), "method": name} for name in ("pt", "spp"))
    spp = {**spp, "sources": len(sources)}
    length = spp.get("prompt_length", base["prompt_length"])
    first = {**base, "tasks": sources, "shots": [SHOTS],
             "variants": {"PT": {**pt, "prompt_length": length}}}
    rows: dict[str, Raw] = {
        "PT": {**pt, "prompt_length": length}, "SPP": spp,
        "SPP sources frozen": {**spp, "init": ["source=sources/PT:composed"], "freeze": "source"},
        "SPP sources tuned on": {**spp, "init": ["source=sources/PT:composed"]}}
    for task in sources:
        rows[FROM + task] = {**pt, "prompt_length": length, "init": [f"private=sources/PT:composed@{task}"]}
    return {"sources": first, "targets": {**base, "tasks": targets, "variants": rows}}


def measure(evidence: Evidence) -> Reading:
    """Each row's mean score on the tasks that start from the sources, against the same method from scratch."""
    runs = evidence.runs("targets")
    counts = sorted({run.shots for run in runs})
    said, table, numbers = list[str](), list[tuple[object, ...]](), dict[str, object]()
    for shots in counts:
        of_shots = [run for run in runs if run.shots == shots]
        scores = {row: by_seed(of_shots, row) for row in dict.fromkeys(run.variant for run in of_shots)
                  if not row.startswith(FROM)} | {"PT from the best source (SPoT)": best_start(of_shots)}
        table += [(shots, 100 * one.value, row, one.bar) for row, own in scores.items() if own
                  and (one := mean(list(own.values())))]
        leads = {row: gap(scores[row], scores[base]) for row, base in (
            ("SPP sources frozen", "SPP"), ("SPP sources tuned on", "SPP"), ("PT from the best source (SPoT)", "PT"),
            ("SPP", "PT")) if scores.get(row)}
        said += [f"With {plural(shots, 'example')} per task, {row} is {lead.signed} points from "
                 f"{'SPP from scratch' if row.startswith('SPP ') else 'PT from scratch'} ({beyond(lead)})."
                 for row, lead in leads.items() if lead]
        numbers[str(shots)] = {"scores": {row: vars(mean(list(own.values()))) for row, own in scores.items() if own},
                               "leads": {row: vars(lead) for row, lead in leads.items() if lead}}
    figure = Figure("scores", "Mean score on new tasks, by how they start", "lines", ("shots", "score", "row", "half"),
                    tuple(table), said[0] if said else "")
    return Reading(tuple(said), (figure,), {"by_shots": numbers})


def best_start(runs: list[RunRecord]) -> dict[int, float]:
    """Seed -> mean over tasks of the score of PT from the source whose prompt leaves the least training loss on the
    task, from scratch among them."""
    found = {}
    for seed in dict.fromkeys(run.seed for run in runs):
        rows = [run for run in runs if run.seed == seed and (run.variant == "PT" or run.variant.startswith(FROM))]
        if not rows:
            continue
        chosen = []
        for k, task in enumerate(rows[0].config["tasks"]):
            losses = {run.id: ((run.result or {}).get("task_loss", {}).get(task) or {}).get("final", 0.0)
                      for run in rows}
            lowest = min(losses, key=losses.__getitem__)
            chosen.append(float(firsts(next(run for run in rows if run.id == lowest))[k]))
        found[seed] = sum(chosen) / len(chosen)
    return found


STUDY = Study(
    "pretrained", "Pre-trained sources", "Do sources that were trained on single tasks first help new tasks?",
    "One task of each family is trained alone with PT on 256 examples. The other tasks then start from these prompts: "
    "as the sources of SPP, frozen or trained on, and as the first prompt of PT, where the source with the least "
    "training loss is taken for each task (SPoT). The same methods from scratch stand beside them.",
    ("The sources saw more examples than the new tasks, so this is not a comparison at equal data.",
     "Which source fits is judged by the training loss alone, on few examples."),
    plan, measure,
    {"preset": "demo", "shots": "4,16", "seeds": "0-9", "watch_rows": 0},
    {"preset": "demo", "shots": "8", "steps": 60, "eval_rows": 60, "watch_rows": 0,
     "tasks": "demo-mood,demo-opinion,demo-reword,demo-meaning"})
