"""The command line: ``python -m compt_core run | tasks | runs | show | export | backbone | worker | …``.

Exit codes: 0 done, 1 a run or a disk failed, 2 bad input, 130 interrupted by Ctrl+C, 129 stopped by SIGHUP, 143
stopped by SIGTERM. Bad input gives one line on stderr.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import warnings
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from compt_core.backbone import english
from compt_core.cli.backbone import commands as backbone_commands
from compt_core.cli.carry import export, import_
from compt_core.cli.control import cancel, delete, pause, resume
from compt_core.cli.data import data
from compt_core.cli.measure import measured
from compt_core.cli.options import Once, settings, whole
from compt_core.cli.output import writable
from compt_core.cli.study import study
from compt_core.cli.task import task, with_own
from compt_core.cli.terminal import console, quiet_libraries, say
from compt_core.cli.training import diagnosed, print_results, train
from compt_core.cli.whatif import whatif
from compt_core.errors import OF_DISK, ComptError, DiskError, nearest, quoted
from compt_core.methods.table import METHODS
from compt_core.planning.check import check
from compt_core.runs.existing import existing_store, has_store, looked_up
from compt_core.runs.many import train_many
from compt_core.runs.serving import LOG_NAME, log_to_file, serve
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker, checkpoint_seconds
from compt_core.settings.config import RunConfig, allowed_values, build_experiment
from compt_core.settings.presets import PRESETS
from compt_core.signals import Stopped
from compt_core.studies.launch import advance
from compt_core.tasks.own import catalogue, known
from compt_core.trackers.table import TRACKERS

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Compositional prompt tuning of a frozen T5, compared with PT and MST.")
app.add_typer(data, name="data")
app.add_typer(task, name="task")
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; the one place that turns errors into a line."""
    warnings.filterwarnings("ignore")  # the libraries' advice is not for the person at the terminal
    quiet_libraries()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        returned = app(given or ["--help"], standalone_mode=False)  # 130 where Ctrl+C was pressed
        code = returned if isinstance(returned, int) else DONE
        sys.stdout.flush()
    except Stopped as stopped:
        say(str(stopped))
        return stopped.code
    except DiskError as error:
        say(str(error))
        return FAILED
    except OSError as error:  # of the file that stdout goes to, for example
        if error.errno not in OF_DISK:
            raise
        say(f"The output cannot be written: {error.strerror}. Free some space on its disk or repair it, then "
            "try again.")
        return FAILED
    except ComptError as error:
        say(str(error))
        return BAD_INPUT
    except typer.TyperException as error:
        say(_usage(error))
        return BAD_INPUT
    if code == INTERRUPTED:
        say("Interrupted. What was running has been stopped.")
    return code


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the words of a command line, and where to find its help."""
    message = error.format_message() or "A command must follow."  # a group alone gives no message
    context, option = getattr(error, "ctx", None), getattr(error, "option_name", None)
    words, level = list[str](), context
    while level is not None and level.parent is not None:  # "backbone check", for example
        words, level = [level.info_name, *words], level.parent
    command = "".join(f"{word} " for word in words)
    known = [name for parameter in context.command.params for name in parameter.opts] if context else []
    if option and context and option not in known:
        message = f"There is no option {quoted(option)}.{nearest(option, known)}"
    return f"{message.rstrip('.?')}{message[-1] if message[-1:] in '.?' else '.'} " \
           f"See 'python -m compt_core {command}--help'."


@app.command(cls=Once)
def run(
    preset: Annotated[str | None, typer.Option(help=f"Settings to start from: {', '.join(PRESETS)}. Default: demo, "
                                               "unless --config or --tasks is given.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings by name.")] = None,
    backbone: Annotated[str | None, typer.Option(help="demo, english, a folder with a T5, a hub id, or ID@REVISION.")
                        ] = None,
    tasks: Annotated[str | None, typer.Option(help="Task names: a,b,c.")] = None,
    methods: Annotated[str | None, typer.Option(help=f"Methods to compare, out of {', '.join(METHODS)}.")] = None,
    variant: Annotated[list[str] | None, typer.Option(metavar="'NAME: method=pt KEY=VALUE'", help="A row of the "
                       "comparison: a method with its own settings; may be repeated.")] = None,
    shots: Annotated[str | None, typer.Option(help="Shot counts: 8,16.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds: 0,1,2 or 0-9.")] = None,
    steps: Annotated[str | None, typer.Option(help="Optimizer steps, instead of epochs.")] = None,
    eval_rows: Annotated[str | None, typer.Option(help="Dev rows scored per task; default: all.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder with TASK/{train,dev}.{tsv,csv,jsonl,parquet,xlsx}.")
                        ] = None,
    task_files: Annotated[list[Path] | None, typer.Option("--task", metavar="FILE", help="A task of your own: its "
                          "definition (YAML) beside its data; may be repeated.")] = None,
    init: Annotated[list[str] | None, typer.Option(metavar="PART=RUN", help="First prompts of a part (source or "
                    "private) from a run or a file; may be repeated.")] = None,
    track: Annotated[str | None, typer.Option(help=f"Also show the runs in {', '.join(TRACKERS)} (extras): a,b.")
                     ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, as in "
                                                   "sources=4; may be repeated. 'help' lists them all.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the results here.")] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Only check, time one step here, and print how long all "
                                          "of it would take.")] = False,
) -> int:
    """Train a grid of runs and print the accuracy table."""
    if set_ == ["help"]:
        console().print(_settings_table())
        return DONE
    given = {"backbone": backbone, "data_dir": data_dir, "tasks": tasks, "methods": methods, "shots": shots,
             "variants": variant or None, "seeds": seeds, "steps": steps, "eval_rows": eval_rows, "preset": preset,
             "init": init or None, "track": track}
    layers = settings(config, given, set_ or [])
    if task_files:
        layers["tasks"] = with_own(layers.get("tasks"), task_files)
    experiment = build_experiment(layers, preset=None if config or "tasks" in layers else "demo")
    if experiment.backbone == english.ENGLISH and not english.present():
        english.fetch(say)  # as a hub id is downloaded when it is first used
    own_tasks = catalogue(experiment.tasks, experiment.data_dir, task_files or (), say)
    checked = check(experiment, own_tasks)
    file = writable(json_file, "--json") if json_file else None
    for note in checked.notes:
        say(f"Note: {note}")
    return train(checked, file) if not measure else DONE if measured(checked) else FAILED


def _settings_table() -> Table:
    table = Table("setting", "default", "allowed", "meaning", box=None, header_style="bold")
    for name, field in RunConfig.model_fields.items():
        value = field.get_default()
        table.add_row(name, "" if value is None or value == () else str(value), allowed_values(name), field.description)
    return table


@app.command("tasks", cls=Once)
def list_tasks() -> None:
    """List all tasks with their label words."""
    table = Table(box=None, header_style="bold")
    for name in ("task", "suite", "family", "columns", "labels", "metrics"):
        table.add_column(name)
    for one in known().values():
        labels = f"{one.labels[0]} … {one.labels[-1]}" if one.numeric else ", ".join(one.labels)
        table.add_row(one.name, one.suite, one.family, ", ".join(one.columns), labels, ", ".join(one.metrics))
    console().print(table)


@app.command("runs", cls=Once)
def list_runs(
    limit: Annotated[int, typer.Option(parser=whole(1, 10_000), metavar="INTEGER",
                                       help="How many, newest first.")] = 50,
) -> None:
    """List the newest runs."""
    found, damaged = existing_store(say).read_runs(limit=limit) if has_store() else ([], [])
    if not found and not damaged:
        print("No runs yet. Start the first ones with 'python -m compt_core run'.")
        return
    table = Table("run", "experiment", "state", "variant", "shots", "seed", "step", "mean", "created", box=None,
                  header_style="bold")
    for r in found:
        mean = f"{100 * r.result['mean']:.1f}" if r.result and "mean" in r.result else ""
        table.add_row(r.id, r.experiment, r.state.value, Text(r.variant), str(r.shots), str(r.seed),
                      f"{r.step}/{r.steps}" if r.steps else "", mean, _when(r.created))
    for one in damaged:
        table.add_row(one.name, "", "cannot be read")
    console().print(table)
    say(*map(str, damaged))


@app.command(cls=Once)
def show(run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run or an experiment.")]) -> None:
    """Show a run: state, diagnosis, settings, scores, log; or the accuracy table of an experiment."""
    store, notes = existing_store(say), list[str]()
    experiment, runs = looked_up(store, run_id, notes)
    say(*notes)
    if experiment.id == run_id:
        print_results(store, experiment, runs)
        return
    r, found = runs[0], diagnosed(store, runs)
    shown = {"run": r.id, "experiment": r.experiment, "state": r.state.value, "step": r.step, "steps": r.steps,
             "created": _when(r.created), "started": _when(r.started), "finished": _when(r.finished),
             "error": r.error_message, "diagnosis": [one.line for one in found[r.id].findings] or None,
             "config": r.config, "versions": r.versions, "result": r.result}
    console().print_json(json.dumps({key: value for key, value in shown.items() if value is not None}))
    console().print(store.log(r.id), markup=False, highlight=False, end="")


for command in (study, export, whatif, cancel, pause, resume, delete):
    app.command(cls=Once)(command)
app.command("import", cls=Once)(import_)
app.add_typer(backbone_commands, name="backbone")


@app.command(cls=Once)
def worker(
    executor: Annotated[Literal["here", "ray"], typer.Option(help="Where fleets train: here, or on a Ray cluster "
                                                                  "(extra).")] = "here",
    address: Annotated[str, typer.Option(help="ray: HOST:PORT of the cluster, auto, or local for one on this machine.")
                       ] = "auto",
    fleets: Annotated[int, typer.Option(parser=whole(1, 1000), help="ray: fleets that train at once.")] = 4,
    cpus: Annotated[int, typer.Option(parser=whole(1, 1000), help="ray: CPUs that each fleet asks for.")] = 1,
    gpus: Annotated[int, typer.Option(parser=whole(0, 8), help="ray: GPUs that each fleet asks for.")] = 0,
) -> int:
    """Train what is queued until interrupted; wait while another process trains."""
    stop = threading.Event()
    ignored = signal.getsignal(getattr(signal, "SIGHUP", signal.SIGTERM)) == signal.SIG_IGN  # by nohup
    for name in ("SIGTERM", "SIGINT", *(() if ignored else ("SIGHUP",))):
        if number := getattr(signal, name, None):
            signal.signal(number, lambda *_: stop.set())
    store = Store()
    log_to_file(store.home)
    say(f"Training what is queued in {store.home}. The file {LOG_NAME} in that folder says what happens. Stop with "
        "Ctrl+C.")
    if executor == "here":
        return DONE if serve(Worker(store, more=lambda: advance(store)), stop) else FAILED
    from compt_core.executors.ray_tasks import RayTrain, connect

    say(f"Ray: {connect(address)}.")
    remote = RayTrain(cpus, gpus, checkpoint_seconds(), say)
    train_many(Worker(store, remote, more=lambda: advance(store)), stop, fleets)
    return DONE


def _when(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds).isoformat(sep=" ", timespec="seconds")
