"""``python -m compt_core study``: prepared experiments on the questions that the paper leaves open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from compt_core.cli.options import settings
from compt_core.cli.output import writable, write_file
from compt_core.cli.terminal import Ticker, console, say
from compt_core.errors import ConfigError, Issue, plural, quoted
from compt_core.exchange.report import experiment_json
from compt_core.runs.drain import drain
from compt_core.runs.existing import existing_store
from compt_core.runs.record import State
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker
from compt_core.signals import Stopped
from compt_core.studies.launch import Launched, go_on, instance_of, launched, planned, read, submit
from compt_core.studies.study import Figure, Reading, Study
from compt_core.studies.table import known, named

DONE, FAILED = 0, 1
MOST_ROWS = 40  # of a figure's table


def study(
    name: Annotated[str | None, typer.Argument(help="The study; without it, they are listed.")] = None,
    preset: Annotated[str | None, typer.Option(help="Settings to start from; default: demo.")] = None,
    backbone: Annotated[str | None, typer.Option(help="demo, english, a folder with a T5, or a hub id.")] = None,
    tasks: Annotated[str | None, typer.Option(help="Task names: a,b,c.")] = None,
    methods: Annotated[str | None, typer.Option(help="Methods to compare.")] = None,
    shots: Annotated[str | None, typer.Option(help="Shot counts: 8,16.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds: 0,1,2 or 0-9.")] = None,
    steps: Annotated[str | None, typer.Option(help="Optimizer steps.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder with TASK/{train,dev}.{tsv,csv,jsonl,parquet,xlsx}.")
                        ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting; may be "
                                                   "repeated.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A first look in a few minutes: fewer tasks, seeds and steps."
                                        )] = False,
    resume: Annotated[str | None, typer.Option("--resume", metavar="LAUNCH", help="Go on with a launch of this study "
                                               "that was stopped: its id, or last.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers here.")] = None,
) -> int:
    """Run a study: train what it needs, print its reading and its figures as tables."""
    if name is None:
        _list()
        return DONE
    chosen = named(name)
    given = {"preset": preset, "backbone": backbone, "tasks": tasks, "methods": methods, "shots": shots,
             "seeds": seeds, "steps": steps, "data_dir": data_dir}
    file = writable(json_file, "--json") if json_file else None
    if resume is not None:
        if any(given.values()) or set_ or quick:
            raise ConfigError([Issue("resume", "--resume goes on with the settings of the launch, so it takes no "
                                               "others. Leave them out, or leave out --resume.")])
        store = existing_store()
        instance = _again(store, chosen, resume)
    else:
        checks = planned(chosen, settings(None, given, set_ or []), quick=quick)
        say(*(f"Note: {note}" for note in dict.fromkeys(note for one in checks.values() for note in one.notes)))
        store = Store()
        instance = instance_of(checks)
        submit(store, checks)
        say(f"{chosen.question} {plural(sum(len(one.runs) for one in checks.values()), 'run')}, launch {instance}.")
    ids = _to_the_end(store, chosen, instance)
    missing = [run for identity in ids.values() for run in store.runs(identity) if run.state != State.COMPLETED]
    say(*(f"Run {run.id} ({run.variant}) is {run.state.value}{f': {run.error_message}' if run.error_message else '.'}"
          for run in missing))
    reading = read(store, chosen, ids)
    if reading is None:
        return FAILED
    _print(chosen, reading)
    if file:
        write_file(file, json.dumps(_json(store, chosen, ids, reading), indent=1, allow_nan=False) + "\n")
    return FAILED if missing else DONE


def _to_the_end(store: Store, study: Study, instance: str) -> dict[str, str]:
    """Trains every part, and the parts that follow from them; part -> id of its experiment."""
    done = set[str]()
    while True:
        go_on(store, _launch(store, study, instance))
        ids = {part: record.id for part, record in _launch(store, study, instance).experiments.items()}
        left = [identity for identity in ids.values() if identity not in done]
        if not left:
            return ids
        for identity in left:
            _train(store, identity, study, instance)
        done.update(left)


def _launch(store: Store, study: Study, instance: str) -> Launched:
    """A launch of a study. Raises ConfigError where there is none of that id."""
    found = {one.instance: one for one in launched(store, study.name)}
    wanted = next(iter(found), "") if instance == "last" else instance
    if wanted not in found:
        known = f" There are {', '.join(found)}." if found else f" 'python -m compt_core study {study.name}' makes one."
        raise ConfigError([Issue("resume", f"There is no launch {quoted(instance)} of the study '{study.name}' in "
                                           f"{store.home}.{known}")])
    return found[wanted]


def _again(store: Store, study: Study, wanted: str) -> str:
    """Queues what a launch left undone; its id."""
    one = _launch(store, study, wanted)
    left = [run.id for record in one.experiments.values() for run in store.runs(record.id)
            if run.state not in (State.COMPLETED, State.QUEUED, State.RUNNING)]
    store.requeue(*left)
    say(f"Launch {one.instance}: {plural(len(left), 'run')} queued again.")
    return one.instance


def _train(store: Store, identity: str, study: Study, instance: str) -> None:
    worker = Worker(store)
    try:
        with Ticker(store, worker) as ticker:
            drain(store, identity, ticker.tick, worker=worker)
    except Stopped as stopped:
        stopped.note = f"The study is kept: 'python -m compt_core study {study.name} --resume {instance}' goes on."
        raise


def _list() -> None:
    table = Table("study", "what it asks", box=None, header_style="bold")
    for one in known().values():
        table.add_row(one.name, one.question)
    console().print(table)


def _print(study: Study, reading: Reading) -> None:
    console().print(study.question, style="bold", highlight=False)
    for sentence in reading.sentences:
        console().print(f"- {sentence}", markup=False, highlight=False)
    for figure in reading.figures:
        console().print(_table(figure))
    for sentence in study.cannot:
        console().print(f"What this cannot say: {sentence}", markup=False, highlight=False)


def _table(figure: Figure) -> Table:
    """A figure as a table; a matrix with its columns side by side."""
    table = Table(title=figure.title, box=None, header_style="bold", title_justify="left")
    if figure.kind == "matrix":
        rows, columns = (list(dict.fromkeys(row[at] for row in figure.rows)) for at in (0, 1))
        cells = {(row, column): value for row, column, value in figure.rows}
        for title in (figure.columns[0], *map(str, columns)):
            table.add_column(title)
        for row in rows:
            table.add_row(str(row), *(_cell(cells.get((row, column))) for column in columns))
        return table
    for title in figure.columns:
        table.add_column(title)
    for own in figure.rows[:MOST_ROWS]:
        table.add_row(*map(_cell, own))
    return table


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def _json(store: Store, study: Study, ids: Mapping[str, str], reading: Reading) -> dict[str, Any]:
    return {"study": study.name, "question": study.question, "reading": list(reading.sentences),
            "cannot": list(study.cannot), "numbers": reading.numbers,
            "figures": [{"name": one.name, "title": one.title, "kind": one.kind, "columns": one.columns,
                         "rows": one.rows, "reading": one.reading} for one in reading.figures],
            "experiments": {part: experiment_json(store.experiment(identity), store.runs(identity))
                            for part, identity in ids.items()}}
