"""Shots: where composition stops paying (open question 6 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from compt_core.methods.table import METHODS
from compt_core.studies.study import Evidence, Figure, Mean, Raw, Reading, Study, beyond, by_seed, gap, mean


def plan(base: Raw) -> Mapping[str, Raw]:
    """The rows as they are, over many shot counts, each with the same number of steps."""
    return {"shots": base}


def measure(evidence: Evidence) -> Reading:
    """Scores by shots, each row's lead over the first one, and where the lead ends."""
    runs = evidence.runs()
    counts = sorted({run.shots for run in runs})
    rows = list(dict.fromkeys(run.variant for run in runs))
    scores = {row: {n: by_seed([run for run in runs if run.shots == n], row) for n in counts} for row in rows}
    means = {row: {n: mean(list(own.values())) for n, own in by_shots.items() if own}
             for row, by_shots in scores.items()}
    leads = {row: {n: lead for n in counts if (lead := gap(scores[row][n], scores[rows[0]][n]))} for row in rows[1:]}
    said = [sentence for row in leads for sentence in _of_row(row, rows[0], leads[row])]
    lines = [(n, 100 * one.value, row, one.bar) for row, by_n in means.items() for n, one in by_n.items()]
    gaps = [(n, 100 * one.value, f"{row} − {rows[0]}", one.bar) for row, by_n in leads.items()
            for n, one in by_n.items()]
    return Reading(tuple(said), (
        Figure("scores", "Mean score by examples per task", "lines", ("shots", "score", "row", "half"), tuple(lines),
               f"Mean over tasks, from {counts[0]} to {counts[-1]} examples. " + (said[0] if said else "")),
        Figure("leads", f"Lead over {rows[0]}", "lines", ("shots", "points ahead", "rows", "half"), tuple(gaps),
               f"Above 0 a row is ahead of {rows[0]}. " + (said[0] if said else ""))),
        {"scores": {row: {str(n): vars(one) for n, one in by_n.items()} for row, by_n in means.items()},
         "leads": {row: {str(n): vars(one) for n, one in by_n.items()} for row, by_n in leads.items()},
         "crossings": {row: crossings(by_n) for row, by_n in leads.items()}})


def crossings(leads: Mapping[int, Mean]) -> list[float]:
    """Shots at which a lead changes its sign, on a straight line between the counts that were trained."""
    found = []
    for (low, one), (high, other) in pairwise(sorted(leads.items())):
        if one.value * other.value < 0:
            found.append(low + (high - low) * one.value / (one.value - other.value))
    return found


def _of_row(row: str, base: str, leads: Mapping[int, Mean]) -> list[str]:
    name = METHODS[row].title if row in METHODS else row
    sure = [n for n, one in leads.items() if one.half is not None and one.value > one.half]
    best = max(leads, key=lambda n: leads[n].value)
    lead = leads[best]
    said = [f"{name} is furthest ahead of {base} with {best} examples: {lead.signed} points "
            f"({beyond(lead)})."]
    said.append(f"Its lead is above 0 by more than the interval with {', '.join(map(str, sure))} examples."
                if sure else "With no number of examples is its lead above 0 by more than the interval.")
    if across := crossings(leads):
        said.append(f"The lead changes its sign at about {' and '.join(f'{n:.0f}' for n in across)} examples.")
    return said


STUDY = Study(
    "shots", "Shots", "With how many examples per task does composition stop paying?",
    "The same rows are trained with 2 to 512 examples per task and equally many steps, and compared with the first "
    "row, seed by seed.",
    ("With equal steps, many examples are each seen less often: this is not what training to the end would give.",
     "Settings were chosen at one number of examples."),
    plan, measure,
    {"preset": "demo", "methods": ["pt", "mst", "spp"], "shots": "2,4,8,16,32,64,128,256,512", "seeds": "0-9",
     "tasks": "demo-mood,demo-opinion,demo-reword,demo-meaning,demo-follows,demo-proves", "eval_rows": 150,
     "watch_rows": 0},
    {"preset": "demo", "methods": ["pt", "mst", "spp"], "shots": "2,8,32", "steps": 80, "eval_rows": 60,
     "tasks": "demo-mood,demo-opinion,demo-reword,demo-follows", "watch_rows": 0})
