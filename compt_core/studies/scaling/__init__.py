"""Scaling: more sources and more tasks than the paper tried, and the rule by which `auto` chooses the normaliser."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compt_core.errors import ConfigError, Issue, plural
from compt_core.runs.record import RunRecord
from compt_core.settings.presets import DEMO_GLUE_TASKS, DEMO_MORE_TASKS, DEMO_TASKS
from compt_core.studies.study import Evidence, Figure, Raw, Reading, Study, beyond, by_seed, gap, mean

MORE = (*DEMO_TASKS, *DEMO_GLUE_TASKS, *DEMO_MORE_TASKS)  # the tasks that are added, in this order
SIZES = (2, 4, 8, 16, 32)  # numbers of tasks
SOURCES = (1, 2, 4, 8, 16)
NORMALISERS = ("softmax", "sparsemax", "entmax15")  # against which `auto` is judged
ACTIVE = 0.05  # weight from which on a task uses a source


def plan(base: Raw) -> Mapping[str, Raw]:
    """A part for each number of tasks up to those that are named; in each, SPP with every number of sources, and with
    four sources under every normaliser. A task has as many rows in a step whatever their number."""
    tasks = list(base["tasks"])
    if len(tasks) < 2:
        raise ConfigError([Issue("tasks", "The study 'scaling' needs at least 2 tasks, of which it takes the first 2, "
                                          f"4, 8 and so on. Got {len(tasks)}; name more.")])
    own = {**base["variants"].get("spp", {}), "method": "spp"}
    each = max(1, int(base["batch"]) // len(tasks))
    rows: dict[str, Raw] = {"PT": {**base["variants"].get("pt", {}), "method": "pt"}}
    rows |= {f"S={count}": {**own, "sources": count, "normalizer": "auto"} for count in SOURCES}
    rows |= {f"S=4 {name}": {**own, "sources": 4, "normalizer": name} for name in NORMALISERS}
    sizes = sorted({size for size in SIZES if size < len(tasks)} | {len(tasks)})
    return {f"K={size}": {**base, "tasks": tasks[:size], "batch": each * size, "variants": rows} for size in sizes}


def measure(evidence: Evidence) -> Reading:
    """Scores, active sources and entropy of attention by S and K, and `auto` against every fixed normaliser."""
    parts = {int(part[2:]): list(runs) for part, runs in evidence.parts.items()}
    said, numbers = list[str](), dict[str, object]()
    lines, used = list[tuple[object, ...]](), list[tuple[object, ...]]()
    for size, runs in parts.items():
        leads = {row: gap(by_seed(runs, row), by_seed(runs, "PT")) for row in dict.fromkeys(run.variant for run in runs)
                 if row.startswith("S=") and " " not in row}
        best = max((row for row in leads if leads[row]), key=lambda row: leads[row].value)  # type: ignore[union-attr]
        lead = leads[best]
        assert lead is not None
        said.append(f"With {plural(size, 'task')} the best number of sources is {best[2:]}: {lead.signed} points "
                    f"against PT ({beyond(lead)}).")
        lines += [(int(row[2:]), 100 * one.value, plural(size, 'task'), one.bar) for row, one in leads.items() if one]
        weights = {row: mean([active(run) for run in runs if run.variant == row]) for row in leads}
        used += [(int(row[2:]), one.value, plural(size, 'task'), one.half) for row, one in weights.items()]
        numbers[f"K={size}"] = {
            "leads": {row: vars(one) for row, one in leads.items() if one},
            "active": {row: vars(one) for row, one in weights.items()},
            "entropy": {row: vars(mean([entropy(run) for run in runs if run.variant == row])) for row in leads},
            "seconds": float(np.mean([run.result["train_seconds"] for run in runs if run.result
                                      and "train_seconds" in run.result] or [0.0])),
            "memory": max((run.result.get("pace", {}).get("memory") or 0 for run in runs if run.result), default=0),
            "auto": {name: vars(one) for name in NORMALISERS if (one := gap(
                by_seed(runs, "S=4"), by_seed(runs, f"S=4 {name}")))}}
    said += _rule(parts)
    return Reading(tuple(said), (
        Figure("leads", "Lead over PT by the number of sources", "lines", ("sources", "points ahead", "tasks", "half"),
               tuple(lines), said[0]),
        Figure("active", f"Sources with a weight of {ACTIVE:g} or more, mean over tasks", "lines",
               ("sources", "active sources", "tasks", "half"), tuple(used),
               "A line that flattens says that more sources are not used.")), numbers)


def _rule(parts: Mapping[int, list[RunRecord]]) -> list[str]:
    """How `auto` stands against each fixed normaliser with four sources, over all numbers of tasks and seeds."""
    found = []
    for name in NORMALISERS:
        gaps = [own[seed] - base[seed] for runs in parts.values()
                if (own := by_seed(runs, "S=4")) and (base := by_seed(runs, f"S=4 {name}")) for seed in own
                if seed in base]
        if gaps:
            one = mean(gaps)
            found.append(f"The rule `auto` is {one.signed} points from {name} everywhere, over "
                         f"{plural(one.n, 'pair')} of runs with four sources.")
    return found


def active(run: RunRecord) -> float:
    """Sources that a task uses, mean over tasks."""
    assert run.result is not None
    return float((np.array(run.result["attention"]) >= ACTIVE).sum(axis=1).mean())


def entropy(run: RunRecord) -> float:
    """Entropy of a task's attention in nats, mean over tasks; weights are first made to sum to 1."""
    assert run.result is not None
    weights = np.array(run.result["attention"])
    shares = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    return float(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1).mean())


STUDY = Study(
    "scaling", "Scaling", "What do more sources and more tasks bring?",
    "SPP is trained with 1 to 16 sources on 2 to 32 tasks, and compared with PT seed by seed. With four sources it is "
    "also trained under every normaliser, so that the rule by which `auto` chooses can be judged.",
    ("More than 32 tasks were not tried; the last twelve are easier than the others.",
     "Learning rates were chosen for four sources and twelve tasks."),
    plan, measure,
    {"preset": "demo", "tasks": list(MORE), "methods": ["pt", "spp"], "seeds": "0-2", "eval_rows": 100,
     "watch_rows": 0},
    {"preset": "demo", "tasks": list(MORE[:4]), "methods": ["pt", "spp"], "steps": 40, "eval_rows": 40,
     "watch_rows": 0})
