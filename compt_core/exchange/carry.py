"""A finished experiment as one zip file, with its own tasks and their rows, for another machine. Loads no torch.

The file holds what :mod:`compt_core.exchange.bundle` writes, and for each task with rows of its own their files, as
tasks/TASK/FILE. An import keeps these files in ``HOME/imported/EXPERIMENT`` and points the experiment's definitions
there, from the home on, so that the home may be moved. So no kept task is replaced, and no stored run changes its
meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from compt_core import __version__
from compt_core.errors import Damaged, DataError, DiskError, StoreError, UnknownId, plural, quoted
from compt_core.exchange import bundle, zipped
from compt_core.runs import shapes
from compt_core.runs.artifacts import Artifacts
from compt_core.runs.record import IMPORTED, ExperimentRecord, Left, RunRecord
from compt_core.runs.store import Store
from compt_core.scratch import scratch
from compt_core.settings.config import Experiment, RunConfig
from compt_core.tasks import catalogue, definition, own, selections
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.hub import SPLITS
from compt_core.tasks.readers import FORMATS
from compt_core.tasks.spec import HOME, KEPT, OWN, Task
from compt_core.whatif.trained import taken_apart

NAME = "experiment"  # of the two files of the bundle
_PART = r"[^/\\:\x00-\x1f\x7f]{1,200}"  # of a path
_FILES = rf"tasks/{definition.NAME.pattern}(/{_PART}){{1,2}}"
_OTHERS = rf"{NAME}\.(json|safetensors)|tasks/{definition.NAME.pattern}/{re.escape(definition.FILE)}"
_HUB = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)  # a data set's name that is no path
_MARKS = ("dataset_dict.json", "state.json")  # of a folder that save_to_disk wrote


def pack(store: Store, experiment: str, file: BinaryIO) -> list[str]:
    """Writes a finished experiment as a zip file; sentences on rows that are not in it. Raises StoreError where a run
    has not completed, DataError where it is too large, and OSError."""
    record, notes = store.experiment(experiment), list[str]()
    with scratch(store.home, "pack") as room:
        bundle.write_bundle(store, [experiment], room, NAME)
        _without_paths(room / f"{NAME}.json")
        members = {path.name: path for path in room.iterdir()}
        for name, task in record.tasks.items():
            for at, path in _files_of(task, record.config.get("data_dir"), notes).items():
                members[f"tasks/{name}/{at}"] = path
            if task.suite == OWN:
                members[f"tasks/{name}/{definition.FILE}"] = room / f"{name}.yaml"
                (room / f"{name}.yaml").write_text(definition.written(task), encoding="utf-8")
        if public := [name for name, task in record.tasks.items() if _public(task, record.config.get("data_dir"))]:
            notes.append(f"The texts of {', '.join(public)} are not in it: they come from public data sets with "
                         "licences of their own, and each machine fetches them itself.")
        zipped.write(file, members, {"compt": __version__, "experiment": experiment})
    return notes


def _without_paths(path: Path) -> None:
    """Removes this machine's folders from a bundle's JSON. The import writes its own folders there."""
    read = json.loads(path.read_text(encoding="utf-8"))
    for config in (read["experiment"]["config"], *(run["config"] for run in read["runs"])):
        if config.get("data_dir") not in (None, *selections.NAMES):
            config["data_dir"] = "data"
    for one in read["experiment"]["task_definitions"].values():
        if one.get("files"):
            one["files"]["folder"] = KEPT
    path.write_text(json.dumps(read, separators=(",", ":")), encoding="utf-8")


def _public(task: Task, data_dir: str | None) -> bool:
    """Whether a task's rows come from the datasets hub."""
    return not task.bundled and task.files is None and data_dir in (None, *selections.NAMES)


def _files_of(task: Task, data_dir: str | None, notes: list[str]) -> dict[str, Path]:
    """The data files of a task by their path in its folder: of its own, or in a folder with data of several tasks."""
    if task.bundled or _public(task, data_dir):
        return {}
    folder = own.folder_of(task) if task.files else Path(data_dir or "") / task.name
    names = task.files.names if task.files and task.files.train else \
        [f"{name}.{ending}" for names in SPLITS.values() for name in names for ending in FORMATS]
    try:
        saved = not (task.files and task.files.train) and any((folder / mark).is_file() for mark in _MARKS)
        found = sorted(folder.rglob("*")) if saved else [folder / name for name in names]
        files = {str(PurePosixPath(path.relative_to(folder))): path for path in found if path.is_file()}
        if not files or (task.files and task.files.train and len(files) < len(names)):
            raise OSError(0, "they are not there")
        for path in files.values():
            path.open("rb").close()
        if wrong := next((at for at in files if not re.fullmatch(_FILES, f"tasks/{task.name}/{at}")), None):
            raise OSError(0, f"a file must not be called '{wrong}'")
    except OSError as error:
        notes.append(f"The rows of task '{task.name}' are not in it: {error.strerror or error}.")
        return {}
    return files


class _Run(BaseModel):
    model_config = ConfigDict(strict=True)

    id: shapes.Id
    steps: shapes.Count
    created: shapes.Time
    started: shapes.Time | None
    finished: shapes.Time | None
    config: dict[str, Any]
    result: dict[str, Any]


class _About(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    id: shapes.Id
    created: shapes.Time
    config: dict[str, Any]
    references: dict[str, Any] | None
    task_definitions: dict[str, Any]


class _Bundle(BaseModel):
    """A bundle's JSON; what its parts hold is checked as the store's cells are."""

    model_config = ConfigDict(strict=True)

    format: int
    experiment: _About
    versions: dict[str, Any] | None
    common: dict[str, Any]
    runs: list[_Run]


def unpack(store: Store, path: Path, what: str = "", endings: Collection[str] = ()
           ) -> tuple[ExperimentRecord, bool]:
    """Adds the experiment of a zip file to the store as its newest; whether it was not there yet.

    `what` is the file in messages, and `endings`, where given, are those that files with rows may have. Raises
    DataError for a file that :func:`pack` did not write, StoreError, and DiskError; then nothing is added.
    """
    what = what or f"The file {quoted(str(path), 200)}"
    files = rf"{_FILES}(?<=\.)({'|'.join(map(re.escape, endings))})" if endings else _FILES
    try:
        with scratch(store.home, "unpack") as room:
            manifest = zipped.unpack(path, room, re.compile(f"{_OTHERS}|{files}"), what)
            try:
                return _restored(store, room, manifest)
            except (ValueError, KeyError, IndexError, TypeError, OverflowError, SafetensorError) as error:
                raise DataError(f"{what} cannot be imported: {_said(error)}. Export it again.") from None
            except Damaged as error:
                raise DataError(f"{what} cannot be imported: of its {error.noun} '{error.name}', {error.why}. "
                                "Export it again.") from None
    except OSError as error:
        raise DiskError(f"{what} cannot be unpacked into '{store.home}': {error.strerror or error}. Free some disk "
                        "space or repair the folder, then try again.") from None


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'][:3]))}: {first['msg']}"
    return str(error) or type(error).__name__


def _restored(store: Store, room: Path, manifest: Mapping[str, Any]) -> tuple[ExperimentRecord, bool]:
    read = _Bundle.model_validate(zipped.read_json(room / f"{NAME}.json")).model_dump()
    identity = read["experiment"]["id"]
    if read["format"] != bundle.FORMAT or manifest.get("experiment") != identity or not read["runs"]:
        raise ValueError("its parts do not belong together")
    if bundle.holds(store, identity):
        return store.experiment(identity), False
    target = Artifacts(store.home).brought(identity)
    if read["experiment"]["config"].get("data_dir") not in (None, *selections.NAMES):
        read["experiment"]["config"]["data_dir"] = str(target)
    first = read["runs"][0]["config"]
    for run in read["runs"]:
        config = first | run["config"]
        if config.get("data_dir") not in (None, *selections.NAMES):
            config["data_dir"] = str(target)
        RunConfig.model_validate(config)
        run["config"] = config
    Experiment.model_validate(read["experiment"]["config"])
    experiment, runs = bundle.records(read, IMPORTED)
    tasks = _tasks_of(experiment, HOME + target.relative_to(store.home).as_posix())
    experiment, runs = replace(experiment, tasks=tasks), [replace(run, tasks=tasks) for run in runs]
    _check_new(store, experiment, runs)
    stacked = load_file(room / f"{NAME}.safetensors")
    left = [_checked(run, bundle.of_run(stacked, run, runs)) for run in runs]
    data = room / "tasks"
    if data.is_dir():
        store.keep_brought(identity, data)
    try:
        return experiment, store.restore(experiment, runs, left, newest=True)
    except BaseException:
        Artifacts(store.home).remove_brought(identity)
        raise


def _tasks_of(experiment: ExperimentRecord, target: str) -> Catalogue:
    """Its tasks, with the files of their own in `target`. Raises ValueError where one would read anything else."""
    found = {}
    for name, task in experiment.tasks.items():
        named = task.files.names if task.files else ()
        if not definition.NAME.fullmatch(name) or any(re.fullmatch(_PART, one) is None or one in (".", "..")
                                                      for one in named):
            raise ValueError(f"a task or a file of it must not be called {name!r} {list(named)}")
        if task.hub and not _HUB.fullmatch(task.hub[0]):
            raise ValueError(f"the data set of task '{name}' is no name on the hub")
        found[name] = replace(task, files=replace(task.files, folder=f"{target}/{name}")) if task.files else task
    if set(experiment.config["tasks"]) - found.keys():
        raise ValueError("the definition of a task is missing")
    return catalogue.read(Catalogue(found).written())


def _check_new(store: Store, experiment: ExperimentRecord, runs: list[RunRecord]) -> None:
    """Raises unless the runs are of the experiment's grid, each once, and none is in the store."""
    for place, run in enumerate(runs):
        if run.id in {other.id for other in runs[:place]}:
            raise ValueError(f"it has the run '{run.id}' twice")
        if run.variant not in experiment.variants or run.config["tasks"] != experiment.config["tasks"]:
            raise ValueError(f"the run '{run.id}' is none of its experiment")
        try:
            store.run(run.id)
        except UnknownId:
            continue
        raise StoreError(f"The store has a run '{run.id}' already, of another experiment. Delete that one first.")


def _checked(run: RunRecord, left: Left) -> Left:
    """What a run left, if its arrays are as the run's settings ask for. Raises ValueError and StoreError."""
    for name, values in _arrays(left):
        if values.dtype.kind != "f" or values.size == 0:
            raise ValueError(f"the numbers '{name}' of run '{run.id}' are none")
    taken_apart(run, left.prompts)
    tasks, sources = len(run.config["tasks"]), run.config["sources"]
    hidden = left.prompts["composed"].shape[-1]
    shapes_of = {"attention.logits": (tasks, sources), "gate.alpha": (tasks,), "gate.beta": (tasks,)}
    for name, values in left.prompts.items():
        if name not in bundle.KEPT or (values.shape != shapes_of[name] if name in shapes_of else
                                       values.ndim != 3 or values.shape[-1] != hidden):
            raise ValueError(f"the prompts '{name}' of run '{run.id}' do not fit its settings")
    for task, scores in left.scores.items():
        if task not in run.tasks or scores.ndim != 2 or scores.shape[1] != len(run.tasks[task].labels):
            raise ValueError(f"the scores of run '{run.id}' on '{task}' do not fit the task")
    for kind, (steps, values) in left.curves.items():
        if kind not in bundle.POINTS or steps.ndim != 1 or steps.dtype.kind not in "iu" or values.ndim != 2 \
                or len(steps) != len(values):
            raise ValueError(f"the curve '{kind}' of run '{run.id}' has no points")
    return left


def _arrays(left: Left) -> Iterator[tuple[str, np.ndarray]]:
    yield from left.prompts.items()
    yield from left.scores.items()
    for kind, (_, values) in left.curves.items():
        yield kind, values


def line(experiment: ExperimentRecord, new: bool) -> str:
    """What an import came to."""
    runs = plural(sum(experiment.states.values()), "run")
    return f"Imported the experiment {experiment.id} with {runs} on {', '.join(experiment.config['tasks'])}." if new \
        else f"The experiment {experiment.id} is here already, so nothing was imported."
