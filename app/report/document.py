"""An experiment as one HTML file that needs nothing else: no network, no program, no dashboard. It reads no file but
the definitions of the experiment's own tasks.

What the pages show, as tables and inline SVG. The template escapes every text, and the file's own
Content-Security-Policy forbids it to load anything, whatever a name holds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from pydantic import ValidationError

from app.report import results as report_results
from app.report import tables as report_tables
from app.report.blocks import Block, block
from app.show import captions, frames, progress
from app.show.styles import label
from app.ui import command, diagnoses
from compt_core import __version__
from compt_core.analysis.diagnosis import by_signature, diagnose_runs
from compt_core.analysis.signatures import titled
from compt_core.exchange import export
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.settings.config import Experiment
from compt_core.settings.values import as_text
from compt_core.settings.variants import as_line

ASSETS = Path(__file__).resolve().parents[2] / "assets"
TEMPLATE = "report.html.jinja"
_HASH = 16  # characters shown of a hash
_LISTED_RUNS = 12  # of a failure
Curves = Mapping[str, tuple[np.ndarray, np.ndarray]]  # run -> (steps [n], losses [n, 1])


def report(experiment: ExperimentRecord, runs: Sequence[RunRecord], curves: Mapping[str, Curves], now: float,
           study: Block | None = None) -> str:
    """The report as HTML; `curves` are the runs' by kind (diagnosis.KINDS), `now` in seconds since the epoch, `study`
    what the study found that the experiment is a part of."""
    suites = frames.suites(experiment)
    made = time.strftime("%d %B %Y, %H:%M UTC", time.gmtime(now)).lstrip("0")
    blocks = [study, report_results.scores(experiment, runs), report_results.attention(runs),
              report_results.gates(runs), report_results.losses(runs, curves.get("loss", {})),
              diagnosis(runs, curves), unfinished(runs), repeat(experiment), versions(runs)]
    return _template().render(
        title=title(experiment, suites), experiment=experiment.id, made=made, version=__version__,
        standing=captions.plain([captions.provenance(experiment, suites)]), state=progress.headline(runs, {}),
        caveats=[captions.plain([line]) for line in captions.caveats(experiment, suites)],
        blocks=[block for block in blocks if block])


def title(experiment: ExperimentRecord, suites: str) -> str:
    """What was compared on what: ``"PT, MST and ComPT (SPP) on 12 demo tasks"``."""
    methods = captions.listed([label(name) for name in experiment.variants])
    return f"{methods} on {captions.plural(len(experiment.config['tasks']), f'{suites} task')}"


def diagnosis(runs: Sequence[RunRecord], curves: Mapping[str, Curves]) -> Block:
    """Which failure signatures the runs that have begun show, and what could not be checked."""
    begun = [run for run in runs if run.step or run.error_message]
    found = diagnose_runs(begun, curves)
    rows = {titled(list(of.values())): [signature.severity, _runs([run for run in begun if run.id in of]),
                              diagnoses.numbers(signature, list(of.values())), signature.advice]
            for signature, of in by_signature(found).items()}
    table = report_tables.words(rows, "What was found", "signature", ["severity", "which runs", "number", "try"])
    said, missing = diagnoses.headline(found), diagnoses.unchecked(found)
    return block("Diagnosis", [f"{said.capitalize()}."] if said else ["No run has begun."],
                 [missing] if missing else [], tables=(table,) if rows else ())


def unfinished(runs: Sequence[RunRecord]) -> Block | None:
    """The runs that did not complete, the failed ones with their message; None where all completed."""
    left = [run for run in runs if run.state != State.COMPLETED]
    if not left:
        return None
    rows = {f"{kind}: {message}": [captions.plural(len(failed), "run"), _runs(failed)]
            for (kind, message), failed in progress.failures(runs)}
    for state in State:
        those = [run for run in left if run.state == state]
        if those and state != State.FAILED:
            rows[state.value] = [captions.plural(len(those), "run"), _runs(those)]
    table = report_tables.words(rows, f"{len(left)} of {captions.plural(len(runs), 'run')} did not complete; nothing "
                                "above counts them", "why", ["how many", "which"])
    return Block("Runs that did not complete", tables=(table,))


def _runs(runs: Sequence[RunRecord]) -> str:
    named = [f"{label(run.variant)}, {captions.plural(run.shots, 'shot')}, seed {run.seed}"
             for run in runs[:_LISTED_RUNS]]
    return "; ".join(named) + (f"; and {len(runs) - _LISTED_RUNS} more" if len(runs) > _LISTED_RUNS else "")


def repeat(experiment: ExperimentRecord) -> Block:
    """The command line that trains the same again, and every setting with its meaning."""
    config = experiment.config
    try:
        settings = Experiment.model_validate(config)
    except ValidationError:  # of another version of the project
        lines = ["The settings are those of another version of ComPT Lab: this one has no command for them."]
        copied = list[str]()
    else:
        line, notes = command.again(settings, experiment.tasks)
        lines, copied = notes or ["This command trains the same runs again."], [line]
    variants = config["variants"]
    rows = {name: [_said(value), _own(variants, name), _meaning(name)]
            for name, value in config.items() if name != "variants"}
    rows["variants"] = ["; ".join(as_line(name, own) for name, own in variants.items()), "", _meaning("variants")]
    table = report_tables.words(rows, "Every setting", "setting", ["all rows", "single rows", "meaning"])
    return Block("How to repeat it", tuple(lines), tables=(table,), copied=tuple(copied))


def _said(value: Any) -> str:
    if value is None:
        return "empty"
    return as_text(value, ", ") if isinstance(value, list) else str(value)


def _own(variants: Mapping[str, Mapping[str, Any]], name: str) -> str:
    return "; ".join(f"{label(variant)}: {_said(own[name])}" for variant, own in variants.items() if name in own)


def _meaning(name: str) -> str:
    field = Experiment.model_fields.get(name)
    return (field.description or "") if field else ""


def versions(runs: Sequence[RunRecord]) -> Block | None:
    """Libraries, backbone, device and data that the runs stood on; None where none has begun."""
    found = [one for one in export.versions(runs) if _flat(one)]
    if not found:
        return None
    flat = [_flat(one) for one in found]
    names = list(dict.fromkeys(name for one in flat for name in one))
    rows = {name: [one.get(name, "–") for one in flat] for name in names}
    heads = [captions.plural(len(one["runs"]), "run") for one in found]
    caption = f"What the runs stood on; of each SHA-256 hash the first {_HASH} characters"
    return Block("Versions", tables=(report_tables.words(rows, caption, "", heads),))


def _flat(one: Mapping[str, Any]) -> dict[str, str]:
    backbone = one.get("backbone") or {}
    hashes = {"backbone hash": backbone.get("hash"), **{f"data of {task}": digest
                                                        for task, digest in (one.get("data") or {}).items()}}
    about = {"ComPT Lab": one.get("compt"), **(one.get("packages") or {}), "backbone": backbone.get("id"),
             "origin of the backbone": backbone.get("origin"),
             "device": backbone.get("device"), "number type": backbone.get("dtype"), "threads": one.get("threads"),
             **{name: str(digest)[:_HASH] for name, digest in hashes.items() if digest}}
    return {name: str(value) for name, value in about.items() if value is not None}


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    return jinja2.Environment(loader=jinja2.FileSystemLoader(ASSETS), autoescape=True, trim_blocks=True,
                              lstrip_blocks=True, undefined=jinja2.StrictUndefined).get_template(TEMPLATE)
