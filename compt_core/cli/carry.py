"""``python -m compt_core export`` and ``import``: results as files, and experiments that travel between machines."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from compt_core.analysis.answers import stored_answers
from compt_core.analysis.diagnosis import KINDS
from compt_core.cli.output import Write, writable, write_binary, write_folder
from compt_core.cli.terminal import say
from compt_core.errors import ConfigError, Issue, StoreError, plural, quoted
from compt_core.exchange import carry
from compt_core.exchange.export import CURVES, document, tables, write_csv, write_json
from compt_core.runs.existing import existing_store, looked_up
from compt_core.runs.record import State
from compt_core.runs.store import Store


def export(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run or an experiment.")],
    kind: Annotated[Literal["csv", "json", "bundle"], typer.Option(
        "--format", help="csv: tidy tables; json: one document; bundle: a whole experiment for 'import'.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder for the files, created if it does not exist; with "
                                                         "--format bundle the file, FILE.zip.")],
) -> None:
    """Write scores, weights, curves and predictions of a run or an experiment as files, or all of it as one."""
    store, notes = existing_store(say), list[str]()
    experiment, runs = looked_up(store, run_id, notes)
    if kind == "bundle":
        return _bundle(store, run_id, experiment.id, out)
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


def _bundle(store: Store, given: str, experiment: str, out: str) -> None:
    if given != experiment:
        raise StoreError(f"{quoted(given)} is a run, and --format bundle takes its experiment: {experiment}.")
    if Path(out).suffix.lower() != ".zip":
        raise ConfigError([Issue("out", f"The file of --out must end in .zip. Got {quoted(out, 200)} instead.")])
    notes = write_binary(writable(Path(out), "--out"), partial(carry.pack, store, experiment), "--out")
    print(f"Wrote the experiment {experiment} as '{out}'. Another machine takes it with 'python -m compt_core import "
          f"{Path(out).name}'.")
    say(*notes)


def import_(file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="What 'export --format bundle' wrote.")]
            ) -> None:
    """Take in an experiment of another machine, with its own tasks and their rows."""
    print(carry.line(*carry.unpack(Store(), file)))
