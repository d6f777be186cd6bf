"""Trains one experiment at the terminal: what the commands `run` and `import` share."""

from __future__ import annotations

import json
from pathlib import Path

from compt_core.analysis.diagnosis import KINDS, diagnose_runs
from compt_core.analysis.signatures import Diagnosis
from compt_core.cli.output import write_file
from compt_core.cli.terminal import Ticker, console, say
from compt_core.errors import plural
from compt_core.exchange.report import accuracy_table, diagnosis_lines, experiment_json
from compt_core.planning.check import LaunchCheck
from compt_core.runs.drain import drain
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker
from compt_core.signals import Stopped

DONE, FAILED = 0, 1


def train(checked: LaunchCheck, json_file: Path | None) -> int:
    """Trains a checked experiment, prints its tables and writes its results; the exit code."""
    store = Store()
    worker = Worker(store)
    identity = store.submit(checked.experiment, tasks=checked.tasks)
    try:
        with Ticker(store, worker) as ticker:
            drain(store, identity, ticker.tick, worker=worker)
    except Stopped as stopped:
        states = ", ".join(f"{count} {state}" for state, count in store.experiment(identity).states.items())
        stopped.note = f"Experiment {identity} is kept: {states}. 'python -m compt_core resume {identity}' queues " \
            "the interrupted runs again, and 'python -m compt_core worker' trains them."
        raise
    record, runs = store.experiment(identity), store.runs(identity)
    if any(r.state == State.COMPLETED for r in runs):
        print_results(store, record, runs)
    for failed in (r for r in runs if r.state != State.COMPLETED):
        say(f"Run {failed.id} ({failed.variant}, {plural(failed.shots, 'shot')}, seed {failed.seed}) is "
            f"{failed.state.value}{': ' + failed.error_message if failed.error_message else '.'}")
    if json_file:
        text = json.dumps(experiment_json(record, runs), indent=1, allow_nan=False) + "\n"
        try:
            write_file(json_file, text)
        except OSError as error:  # the disk may have filled up meanwhile; the store has it all
            say(f"The results are in the store, but '{json_file}' could not be written: {error.strerror}.")
            return FAILED
    return DONE if all(r.state == State.COMPLETED for r in runs) else FAILED


def print_results(store: Store, experiment: ExperimentRecord, runs: list[RunRecord]) -> None:
    """Prints the accuracy tables and what the diagnosis found."""
    console().print(accuracy_table(experiment, runs), *diagnosis_lines(runs, diagnosed(store, runs)), sep="\n")


def diagnosed(store: Store, runs: list[RunRecord]) -> dict[str, Diagnosis]:
    """Run -> its diagnosis; curves that cannot be read are said."""
    notes = list[str]()
    found = diagnose_runs(runs, {name: store.curves([r.id for r in runs], name, notes) for name in KINDS})
    say(*notes)
    return found
