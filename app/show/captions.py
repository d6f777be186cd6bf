"""Sentences about experiments and runs, pure. What the figures show is in `readings`.

Markdown for Streamlit; text that a visitor can choose goes through :func:`literal`.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence

import pandas as pd

from app.show.frames import MOST_LINES
from app.show.progress import ago
from app.show.styles import label
from compt_core.backbone.english import origin
from compt_core.errors import plural as plural  # the one way to write a count, for all pages
from compt_core.methods.table import METHODS
from compt_core.runs.record import BUNDLED, IMPORTED, ExperimentRecord, RunRecord, State
from compt_core.tasks.seen import seen_before

_PUNCTUATION = str.maketrans({mark: f"\\{mark}" for mark in string.punctuation if mark not in "',%/=\""})
_ESCAPED = re.compile(rf"\\([{re.escape(string.punctuation)}])")


def literal(text: object) -> str:
    """`text` as Markdown that shows it as it is: on one line, nothing in it acts as markup."""
    return " ".join(str(text).split()).translate(_PUNCTUATION)


def plain(lines: Sequence[str]) -> str:
    """Markdown sentences as the plain text that an ``alt`` needs."""
    return _ESCAPED.sub(r"\1", " ".join(lines).replace("**", ""))


def listed(names: Sequence[object]) -> str:
    """``"a"``, ``"a and b"``, ``"a, b and c"``; ``"none"`` for none."""
    words = [str(name) for name in names]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0] if words else "none"


def several(counts: Sequence[int], noun: str) -> str:
    """``"1 shot"``, ``"8 shots"``, ``"4, 8 and 16 shots"``."""
    return plural(counts[0], noun) if len(counts) == 1 else f"{listed(counts)} {noun}s"


def every(count: int, noun: str) -> str:
    """``"the only run"``, ``"all 12 runs"``."""
    return f"the only {noun}" if count == 1 else f"all {plural(count, noun)}"


def experiment_line(experiment: ExperimentRecord, suites: str, now: float) -> str:
    """An experiment in one plain line for a picker: id, suites, methods, size, age."""
    config, total = experiment.config, sum(experiment.states.values())
    rows = ", ".join(name.upper() if name in METHODS else name for name in experiment.variants)
    return (f"{experiment.id} · {suites} · {rows} · {plural(len(config['tasks']), 'task')} · "
            f"{plural(total, 'run')} · {_when(experiment, now)}")


def experiment_card(experiment: ExperimentRecord, suites: str, now: float) -> str:
    """An experiment for a list of cards: what, how large, how far, when, its id; Markdown."""
    config = experiment.config
    rows = ", ".join(label(name) for name in experiment.variants)
    states = " · ".join(f"{count} {state}" for state, count in experiment.states.items())
    tasks = plural(len(config["tasks"]), f"{literal(suites)} task")
    return (f"**{rows}** on {tasks}, {several(config['shots'], 'shot')}  \n"
            f":small[{literal(config['backbone'])} · {plural(len(config['seeds']), 'seed')} · {states} · "
            f"{_when(experiment, now)} · id {literal(experiment.id)}]")


def _when(experiment: ExperimentRecord, now: float) -> str:
    if experiment.owner == BUNDLED:
        return "bundled with the project"
    return f"imported, {ago(experiment.created, now)}" if experiment.owner == IMPORTED else ago(experiment.created, now)


def provenance(experiment: ExperimentRecord, suites: str) -> str:
    """What the numbers stand on: backbone, suite, shots, seeds and dev rows; Markdown."""
    config = experiment.config
    rows = f"at most {plural(config['eval_rows'], 'dev row')} per task" if config["eval_rows"] else "all dev rows"
    return (f"Backbone **{literal(config['backbone'])}** (frozen) · suite **{literal(suites)}** · "
            f"{several(config['shots'], 'shot')} per {config['shots_per']} · "
            f"{plural(len(config['seeds']), 'seed')} · {rows}"
            + {BUNDLED: " · bundled with the project, not trained here",
               IMPORTED: " · imported, not trained here"}.get(experiment.owner, ""))


def not_yours(experiment: ExperimentRecord) -> str:
    """Why a visitor cannot cancel these runs; Markdown."""
    if experiment.owner == BUNDLED:
        return "These runs come with the project, finished: look at them, or launch your own to change something."
    return f"These runs belong to {literal(experiment.owner)}: you can look, not touch."


def caveats(experiment: ExperimentRecord, suites: str) -> list[str]:
    """What a reader must know before believing the numbers of this experiment."""
    found = []
    if experiment.config["backbone"] == "demo":
        found.append("These are results of the small bundled model, which knows only a made-up language: they show how "
                     "the methods behave here, not how they compare on a real T5.")
    else:
        found += [literal(said)] if (said := origin(experiment.config["backbone"])) else []
        found += seen_before(suites.split(", "), experiment.config["backbone"])
    if len(experiment.config["seeds"]) == 1:
        found.append("One seed: no interval, and single runs can differ by many points from seed to seed.")
    return found


def queue(queued: int, before: int | None, running: bool) -> str:
    """Where the queued runs of an experiment stand."""
    runs = f"{plural(queued, 'run')} of this experiment wait{'s' if queued == 1 else ''}"
    if before:
        return f"{runs}; {plural(before, 'other run')} come{'s' if before == 1 else ''} first."
    return f"{runs}, next in the queue" + (", after the fleet that is training." if running else ".")


def waits(runs: int, waited: Mapping[str, str]) -> str:
    """Which runs (with their states) must be completed before `runs` queued ones can start."""
    named = listed([f"{run} ({state})" for run, state in list(waited.items())[:5]])
    more = f" and {plural(len(waited) - 5, 'more run')}" if len(waited) > 5 else ""
    return f"{plural(runs, 'run')} start{'s' if runs == 1 else ''} when {named}{more} " \
           f"{'is' if len(waited) == 1 else 'are'} completed."


def failed(runs: Sequence[str], total: int) -> str:
    """The head of a failure message: which of the experiment's `total` runs. The message itself says why."""
    if len(runs) == total:
        return f"{_capital(every(total, 'run'))} failed"
    return f"{listed(runs)} failed" if len(runs) <= 3 else \
        f"{len(runs)} of {plural(total, 'run')} failed, among them {runs[0]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def nothing_to_show(states: Mapping[str, int], what: str) -> tuple[str, str]:
    """Title and text of a results page without results; `what` says which runs the page shows."""
    total, completed = sum(states.values()), states.get(State.COMPLETED, 0)
    for end, was in ((State.CANCELLED, f"{'was' if total == 1 else 'were'} cancelled"), (State.FAILED, "failed")):
        if total and states.get(end, 0) == total:
            those = _capital(every(total, "run"))
            return f"Nothing to show: {was.split()[-1]}", f"{those} {was}. Launch again to get results."
    if moving := [state.value for state in (State.RUNNING, State.QUEUED) if states.get(state)]:
        return "Not finished yet", f"Its runs are {listed(moving)}. {what}"
    if completed:
        return "Nothing to show", f"None of the completed runs has what this page shows. {what}"
    counts = listed([f"{count} {state}" for state, count in states.items() if count])
    return "Nothing to show", f"None of its runs completed ({counts})."


def loss(curves: pd.DataFrame, runs: int, ended: bool) -> str:
    """What the loss figures show of how many runs; `ended` when no run will move any more."""
    shown = curves["run"].nunique()
    by = "a line per run" if shown <= MOST_LINES else "a line per method and shot count, the mean over seeds"
    apart = ", a figure per shot count" if curves["shots"].nunique() > 1 else ""
    of = every(runs, "run") if shown == runs and ended else f"{shown} of {plural(runs, 'run')}"
    return (f"Loss on the training batches, {by}{apart}; {of}{'' if ended else ' so far'}. "
            "A lower training loss does not mean a better score.")


def deleted(runs: int, training: int, experiment: str | None) -> str:
    """What a deletion of so many runs came to, of which some still train; `experiment` where all of it is gone."""
    if experiment is not None:
        when = " as soon as its training has stopped" if training else ""
        return (f"The experiment {experiment} is deleted, with {plural(runs, 'run')}{when}. Shown is the newest one "
                "that is left, if there is any.")
    at_once = runs - training
    now = f"{plural(at_once, 'run')} {'is' if at_once == 1 else 'are'} deleted" if at_once else ""
    later = f"{plural(training, 'run')} {'goes' if training == 1 else 'go'} as soon as the training has stopped" \
        if training else ""
    return f"{'; '.join(filter(None, (now, later)))}."


def curves_alt(curves: pd.DataFrame, what: str) -> str:
    """A figure's take-away in plain text: first and last value per row of `what` (loss or score)."""
    parts = []
    for row, part in curves.groupby("variant", sort=False):
        ordered = part.sort_values("step")
        first, last = ordered.iloc[0], ordered.iloc[-1]
        parts.append(f"{label(str(row))} from {_number(first['value'])} at step {first['step']} "
                     f"to {_number(last['value'])} at step {last['step']}")
    return f"{what}: {'; '.join(parts)}"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "not finite"


def run_title(run: RunRecord) -> str:
    """A run in a list of its experiment's."""
    return f"{label(run.variant)}, {plural(run.shots, 'shot')}, seed {run.seed}"


def run_line(run: RunRecord) -> str:
    """A run in one plain line for a list."""
    return f"{label(run.variant)} · {plural(run.shots, 'shot')} · seed {run.seed} · {run.id}"


def methods(*, composed: bool) -> str:
    """The methods with, or without, attention over sources and gates: ``"PT, MST and MPT"``."""
    return listed([method.title for method in METHODS.values() if method.composed == composed])
