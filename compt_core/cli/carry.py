"""``python -m compt_core export`` and ``import``: results as files, and experiments that travel between machines."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from compt_core.analysis.answers import stored_answers
from compt_core.analysis.diagnosis import KINDS
from compt_core.cli.options import settings
from compt_core.cli.output import Write, writable, write_binary, write_folder
from compt_core.cli.terminal import say
from compt_core.cli.training import DONE, train
from compt_core.errors import ConfigError, Issue, StoreError, plural, quoted
from compt_core.exchange import carry, strangers
from compt_core.exchange.export import CURVES, document, tables, write_csv, write_json
from compt_core.planning.check import check
from compt_core.runs.existing import existing_store, looked_up
from compt_core.runs.record import RunRecord, State
from compt_core.runs.store import Store
from compt_core.tasks.own import catalogue


def export(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run or an experiment.")],
    kind: Annotated[Literal["csv", "json", "bundle", "peft"], typer.Option(
        "--format", help="csv: tidy tables; json: one document; bundle: a whole experiment for 'import'; peft: the "
                         "prompt of each task of a run as an adapter.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder for the files, created if it does not exist; with "
                                                         "--format bundle the file, FILE.zip.")],
    allow_position_change: Annotated[bool, typer.Option(
        "--allow-position-change", help="peft: export prompts that were trained in another place than in front of "
                                        "everything; the scores of both places are printed.")] = False,
    push: Annotated[str | None, typer.Option(metavar="USER/NAME", help="peft: also upload the adapters to this private "
                                                                       "repository of the hub.")] = None,
) -> None:
    """Write scores, weights, curves and predictions of a run or an experiment as files, or all of it as one."""
    store, notes = existing_store(say), list[str]()
    experiment, runs = looked_up(store, run_id, notes)
    if kind != "peft" and (push or allow_position_change):
        raise ConfigError([Issue("format", "--push and --allow-position-change go with --format peft. Got "
                                           f"--format {kind}; leave them out.")])
    if kind == "bundle":
        return _bundle(store, run_id, experiment.id, out)
    if kind == "peft":
        return _peft(store, run_id, runs, out, push, allow=allow_position_change)
    curves = {name: store.curves([r.id for r in runs], name, notes) for name in (KINDS if kind == "json" else CURVES)}
    written, files = document(experiment, runs, curves), dict[str, Write]()
    if kind == "json":
        files[f"{run_id}.json"] = partial(write_json, written)
    else:
        answers = stored_answers(store, runs, notes)
        files = {name: partial(write_csv, table) for name, table in tables(written, curves, answers).items()}
    write_folder(out, files, "--out")
    done = sum(r.state == State.COMPLETED for r in runs)
    print(f"Wrote {', '.join(files)} into '{out}': {done} of {plural(len(runs), 'run')} completed.")
    say(*notes)


def _peft(store: Store, given: str, runs: list[RunRecord], out: str, repository: str | None, *, allow: bool) -> None:
    """Writes the prompts of a run as adapters, and uploads them if asked."""
    from compt_core.exchange import peft

    if len(runs) != 1 or runs[0].id != given:
        raise StoreError(f"{quoted(given)} is an experiment, and --format peft takes one of its runs: "
                         f"{', '.join(run.id for run in runs[:6])}{', …' if len(runs) > 6 else ''}.")
    run = runs[0]
    peft.check(run, allow_move=allow)
    prompts, moved = store.prompts(run.id), None
    if run.settings.position != peft.STANDARD:
        moved = peft.scores_when_moved(run, prompts)
        for task, metrics in moved.items():
            metric, value = next(iter(metrics.items()))
            before = (run.result or {})["tasks"][task].get(metric)
            print(f"{task}: {metric} {_score(before)} where it was trained ({run.settings.position}), {_score(value)} "
                  f"in front of everything.")
    peft.write(Path(out), peft.exported(run, prompts, moved), "--out")
    print(f"Wrote {plural(len(run.settings.tasks), 'adapter')} and {peft.EXAMPLE} into '{out}': "
          f"{', '.join(run.settings.tasks)}.")
    if repository:
        print(f"Uploaded to {peft.push(Path(out), repository)}")


def _score(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _bundle(store: Store, given: str, experiment: str, out: str) -> None:
    if given != experiment:
        raise StoreError(f"{quoted(given)} is a run, and --format bundle takes its experiment: {experiment}.")
    if Path(out).suffix.lower() != ".zip":
        raise ConfigError([Issue("out", f"The file of --out must end in .zip. Got {quoted(out, 200)} instead.")])
    notes = write_binary(writable(Path(out), "--out"), partial(carry.pack, store, experiment), "--out")
    print(f"Wrote the experiment {experiment} as '{out}'. Another machine takes it with 'python -m compt_core import "
          f"{Path(out).name}'.")
    say(*notes)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'export --format bundle' wrote (.zip); or prompts: "
                                         "a folder with an adapter of peft, .safetensors or .npy.")],
    tasks: Annotated[str | None, typer.Option(help="Prompts: the task of each, in their order: a,b,c.")] = None,
    backbone: Annotated[str | None, typer.Option(help="Prompts: the backbone that they were trained on.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Prompts: folder with the tasks' rows.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Prompts: any other setting, "
                                                   "such as prefix=native; may be repeated.")] = None,
) -> int:
    """Take in an experiment of another machine, or prompts of another program as a run that is scored here."""
    given = {"tasks": tasks, "backbone": backbone, "data_dir": data_dir}
    if file.suffix.lower() == ".zip":
        if any(given.values()) or set_:
            raise ConfigError([Issue("tasks", "The options --tasks, --backbone, --data-dir and --set go with prompts. "
                                              "A bundle has its own; leave them out.")])
        print(carry.line(*carry.unpack(Store(), file)))
        return DONE
    experiment, notes = strangers.experiment(file, settings(None, given, set_ or []))
    say(*notes)
    checked = check(experiment, catalogue(experiment.tasks, experiment.data_dir, (), say))
    say(*(f"Note: {note}" for note in checked.notes))
    return train(checked, None)
