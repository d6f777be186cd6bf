"""The command line: ``python -m compt_core run | tasks | runs | show | cancel | worker``.

Exit codes: 0 done, 1 a run failed, 2 bad input, 130 interrupted. Bad input is one line on stderr.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import warnings
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from compt_core.config import Experiment, build_experiment, parse_value, read_yaml
from compt_core.errors import ComptError, ConfigError, Issue
from compt_core.launch import check
from compt_core.presets import PRESETS
from compt_core.report import accuracy_table, experiment_json
from compt_core.runs.record import RunRecord, State
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker, drain
from compt_core.tasks.table import TASKS

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Compositional prompt tuning of a frozen T5, compared with PT and MST.")
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; the one place that turns errors into a line."""
    warnings.filterwarnings("ignore")  # the libraries' advice is not for the person at the terminal
    try:
        code = app(arguments, standalone_mode=False)
        return code if isinstance(code, int) else DONE
    except KeyboardInterrupt:
        return _say("Interrupted; what was running is stopped.", INTERRUPTED)
    except ComptError as error:
        return _say(str(error), BAD_INPUT)
    except typer.TyperException as error:
        return _say(error.format_message(), BAD_INPUT)
    except (typer.Exit, typer.Abort) as leaving:
        return getattr(leaving, "exit_code", INTERRUPTED)


def _say(message: str, code: int) -> int:
    print(" ".join(message.split()), file=sys.stderr)
    return code


@app.command()
def run(
    preset: Annotated[str | None, typer.Option(help=f"Start from: {', '.join(PRESETS)}. Default: demo, "
                                               "unless --config or --tasks is given.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings by name.")] = None,
    backbone: Annotated[str | None, typer.Option(help="demo, a folder with a T5, or a hub id.")] = None,
    tasks: Annotated[str | None, typer.Option(help="Task names: a,b,c.")] = None,
    methods: Annotated[str | None, typer.Option(help="Of pt, mst, spp, scp.")] = None,
    shots: Annotated[str | None, typer.Option(help="Shot counts: 8,16.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds: 0,1,2 or 0-9.")] = None,
    steps: Annotated[str | None, typer.Option(help="Optimizer steps, instead of epochs.")] = None,
    eval_rows: Annotated[str | None, typer.Option(help="Dev rows scored per task; default all.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder with TASK/{train,dev}.{tsv,csv,jsonl,parquet}.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, as in "
                                                   "sources=4; may be repeated.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write results here.")] = None,
) -> int:
    """Train a grid of runs and print the accuracy table."""
    given = {"backbone": backbone, "data_dir": data_dir, "tasks": tasks, "methods": methods, "shots": shots,
             "seeds": seeds, "steps": steps, "eval_rows": eval_rows}
    layers: dict[str, Any] = read_yaml(config) if config else {}
    layers |= {name: parse_value(text) if name in ("steps", "eval_rows") else text
               for name, text in given.items() if text is not None}
    layers |= dict(_pair(text) for text in set_ or [])
    experiment = build_experiment(layers, preset=preset or (None if config or "tasks" in layers else "demo"))
    if json_file and not json_file.resolve().parent.is_dir():
        raise ConfigError([Issue("json", f"The folder of --json '{json_file}' does not exist. Create it first.")])
    check(experiment)
    return _train(experiment, json_file)


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError([Issue("set", f"An option --set must have the form key=value. Got '{text}' instead.")])
    return name.strip(), parse_value(value)


def _train(experiment: Experiment, json_file: Path | None) -> int:
    store = Store()
    identity = store.submit(experiment)
    _quiet()
    with _Ticker(store) as ticker:
        drain(store, identity, ticker.tick)
    record, runs = store.experiment(identity), store.runs(identity)
    if json_file:
        partial = json_file.with_name(json_file.name + ".part")
        partial.write_text(json.dumps(experiment_json(record, runs), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(json_file)
    if any(r.state == State.COMPLETED for r in runs):
        Console(width=None if sys.stdout.isatty() else 160).print(accuracy_table(record, runs))
    for failed in (r for r in runs if r.state != State.COMPLETED):
        _say(f"Run {failed.id} ({failed.method}, {failed.shots} shots, seed {failed.seed}) is {failed.state.value}"
             f"{': ' + failed.error_message if failed.error_message else '.'}", FAILED)
    return DONE if all(r.state == State.COMPLETED for r in runs) else FAILED


def _quiet() -> None:
    """Progress bars and notices of the libraries off: stderr is for one clear sentence."""
    import datasets
    from transformers.utils import logging as transformers_logging

    datasets.disable_progress_bars()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)


class _Ticker:
    """Progress of one experiment on stderr: a bar on a terminal, else a line when its state changes."""

    def __init__(self, store: Store):
        self.store, self.said = store, ""
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        self.task = self.bar.add_task("queued", total=None)

    def __enter__(self) -> _Ticker:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def tick(self, runs: list[RunRecord]) -> None:
        going = [r for r in runs if r.state == State.RUNNING]
        if going and any(r.steps for r in going):
            done, total = sum(r.step for r in runs), sum(r.steps or 0 for r in runs)
            text = f"training {len(going)} runs side by side" if done < total else "scoring dev rows"
            self.bar.update(self.task, description=text, completed=done, total=total)
        else:
            ahead = self.store.position(runs[0].id)
            text = "starting" if going or not ahead else f"waiting: {ahead} experiments are ahead in the queue"
            self.bar.update(self.task, description=text)
        if text != self.said and not sys.stderr.isatty() and "waiting" in text:
            print(text, file=sys.stderr, flush=True)
        self.said = text


@app.command("tasks")
def list_tasks() -> None:
    """List all tasks with their label words."""
    table = Table(box=None, header_style="bold")
    for name in ("task", "suite", "family", "columns", "labels", "metrics"):
        table.add_column(name)
    for task in TASKS.values():
        labels = f"{task.labels[0]} … {task.labels[-1]}" if task.numeric else ", ".join(task.labels)
        table.add_row(task.name, task.suite, task.family, ", ".join(task.columns), labels, ", ".join(task.metrics))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@app.command("runs")
def list_runs(limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50) -> None:
    """List the newest runs."""
    table = Table(box=None, header_style="bold")
    for name in ("run", "experiment", "state", "method", "shots", "seed", "step", "mean", "created"):
        table.add_column(name)
    for r in Store().runs(limit=limit):
        mean = f"{100 * r.result['mean']:.1f}" if r.result else ""
        table.add_row(r.id, r.experiment, r.state.value, r.method, str(r.shots), str(r.seed),
                      f"{r.step}/{r.steps}" if r.steps else "", mean, _when(r.created))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@app.command()
def show(run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run or of an experiment.")]) -> None:
    """Show a run: state, settings, scores, log; or the accuracy table of an experiment."""
    store = Store()
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        r = store.run(run_id)
    except ComptError:
        experiment = store.experiment(run_id)
        console.print(accuracy_table(experiment, store.runs(run_id)))
        return
    shown = {"run": r.id, "experiment": r.experiment, "state": r.state.value, "step": r.step, "steps": r.steps,
             "created": _when(r.created), "started": _when(r.started), "finished": _when(r.finished),
             "error": r.error_message, "config": r.config, "versions": r.versions, "result": r.result}
    console.print_json(json.dumps({key: value for key, value in shown.items() if value is not None}))
    console.print(store.log(r.id), markup=False, highlight=False, end="")


@app.command()
def cancel(run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run.")]) -> None:
    """Cancel a queued or running run; a finished one stays as it is."""
    r = Store().request(run_id, "cancel")
    print(f"Run {r.id} is {r.state.value}" + (", and stops at its next step." if r.request else "."))


@app.command()
def worker() -> int:
    """Train what is queued until interrupted; waits while another process is training."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _quiet()
    store = Store()
    print(f"Training what is queued in {store.home}. Stop with Ctrl+C.", file=sys.stderr, flush=True)
    Worker(store).run(stop)
    return DONE


def _when(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds).isoformat(sep=" ", timespec="seconds")
