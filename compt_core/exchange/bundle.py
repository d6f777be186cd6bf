"""Finished experiments that come with the project, so that every page has real results to show at once.

An experiment is NAME.json (settings, definitions of its tasks, reference rows, each run's record) and NAME.safetensors
(prompts, dev scores and thinned curves, the runs of a variant stacked along the first axis as
"VARIANT/prompts/source"), which may be packed with gzip.
They are copied into a store once, numbered as older than anything in it and owned by BUNDLED. Loads no torch.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

import compt_core
from compt_core.errors import ConfigError, Damaged, DiskError, Issue, StoreError, UnknownId
from compt_core.methods.table import METHODS
from compt_core.runs.points import JUMPING, thin
from compt_core.runs.record import BUNDLED, ExperimentRecord, Left, RunRecord, State
from compt_core.runs.store import Store
from compt_core.tasks import catalogue
from compt_core.tasks.table import CATALOGUE

FOLDER = Path(compt_core.__file__).resolve().parents[1] / "assets" / "demo-runs"
# Points per run and kind, out of those in a store. Prompts over training are left out: they outweigh everything else.
POINTS = {"loss": 50, "task_loss": 50, "attention": 25, "gates": 25, "dev_score": 25, "phase_score": 100}
KEPT = ("composed", "source", "private", "attention.logits", "gate.alpha", "gate.beta")  # not how the prompts were made
FORMAT = 1
PACKED = ".safetensors.gz"
FIRST = ("demo", "english")
_LARGEST = float(np.finfo(np.float16).max)
Tensors = dict[str, np.ndarray]


def write_bundle(store: Store, experiments: Sequence[str], folder: Path, name: str) -> None:
    """Write finished experiments of `store`, which differ in their shot counts alone, as one experiment:
    FOLDER/NAME.{json,safetensors}. Its id is that of the first.

    What the results of all runs share is written once. Training times are left out where an estimate could take them
    for times of this machine. Raises StoreError when a run has not completed, or where the experiments differ in more.
    """
    runs = [run for one in experiments for run in store.runs(one)]
    record = _joined([store.experiment(one) for one in experiments])
    variants = list(dict.fromkeys(run.variant for run in runs))
    runs.sort(key=lambda run: (variants.index(run.variant), run.shots, run.seed))  # as one experiment trains them
    if unfinished := [run.experiment for run in runs if run.state != State.COMPLETED]:
        raise StoreError(f"Experiment '{unfinished[0]}' has runs that are not completed, so it cannot be bundled.")
    results = [{key: value for key, value in (run.result or {}).items() if key != "pace"} for run in runs]
    common = {key: value for key, value in results[0].items() if all(other.get(key) == value for other in results)}
    written = {
        "format": FORMAT,
        "experiment": {"id": record.id, "created": record.created, "config": record.config,
                       "references": record.references, "task_definitions": record.tasks.written()},
        "versions": runs[0].versions, "common": common,
        "runs": [
            {"id": run.id, "steps": run.steps, "created": run.created, "started": run.started,
             "finished": run.finished, "config": _beyond(run.config, runs[0].config if run is not runs[0] else {}),
             "result": _beyond(result, common)}
            for run, result in zip(runs, results, strict=True)
        ],
    }
    tensors: Tensors = {}
    for variant in dict.fromkeys(run.variant for run in runs):
        each = _filled([_tensors_of(store, run) for run in runs if run.variant == variant])
        tensors |= {f"{variant}/{key}": _stacked([one[key] for one in each]) for key in each[0]}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / f"{name}.safetensors")
    text = json.dumps(written, separators=(",", ":"))  # a share of nothing is NaN
    (folder / f"{name}.json").write_text(text.replace('{"id":', '\n{"id":') + "\n", encoding="utf-8")


def _joined(records: Sequence[ExperimentRecord]) -> ExperimentRecord:
    """One experiment with the shot counts of all of `records`."""
    first, *others = records
    shots = [count for one in records for count in one.config["shots"]]
    for other in others:
        apart = sorted(key for key in first.config.keys() | other.config.keys()
                       if key != "shots" and first.config.get(key) != other.config.get(key))
        if apart or other.references != first.references or other.tasks.written() != first.tasks.written():
            raise StoreError(f"The experiments '{first.id}' and '{other.id}' must differ in their shot counts alone. "
                             f"They also differ in {', '.join(apart) or 'their tasks or reference rows'}.")
    if len(set(shots)) < len(shots):
        raise StoreError("The experiments to bundle must have different shot counts. Got "
                         f"{', '.join(map(str, shots))}.")
    return replace(first, config=first.config | {"shots": sorted(shots)})


def import_bundles(store: Store, folder: Path = FOLDER) -> int:
    """Copy the experiments that `folder` holds and `store` does not, and return how many. Raises StoreError.

    COMPT_DEMO_RUNS=off leaves the store as it is. Raises ConfigError for any value but that and 'on'.
    """
    chosen = os.environ.get("COMPT_DEMO_RUNS", "").strip() or "on"
    if chosen not in ("on", "off"):
        raise ConfigError([Issue("COMPT_DEMO_RUNS", "The environment variable COMPT_DEMO_RUNS must be 'on' or 'off'. "
                                 f"Got {chosen!r} instead.")])
    if chosen == "off":
        return 0
    return sum(_import(store, path) for path in sorted(folder.glob("*.json"), key=_turn))


def _turn(path: Path) -> tuple[int, str]:
    """The order in which bundles are listed; pages open the first by themselves, and the demo needs no download."""
    return FIRST.index(path.stem) if path.stem in FIRST else len(FIRST), path.stem


def _import(store: Store, path: Path) -> bool:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        if read["format"] != FORMAT:
            raise ValueError(f"its format is {read['format']}, this version of ComPT Lab reads {FORMAT}")
        if holds(store, read["experiment"]["id"]):
            return False
        experiment, runs = records(read, BUNDLED)
        stacked = _read_tensors(path)
        parts = [of_run(stacked, run, runs) for run in runs]
    except (OSError, EOFError, zlib.error, ValueError, KeyError, IndexError, TypeError, SafetensorError) as error:
        raise StoreError(f"The bundled runs '{path}' cannot be read: {error}. Put the file back from the project's "
                         "repository, or set COMPT_DEMO_RUNS=off.") from error
    try:
        return store.restore(experiment, runs, parts)
    except DiskError as error:
        raise DiskError(f"The bundled runs cannot be copied to '{store.home}'. {error} Or set COMPT_DEMO_RUNS=off.") \
            from error


def _read_tensors(path: Path) -> Tensors:
    packed = path.with_suffix(PACKED)
    return load(gzip.decompress(packed.read_bytes()) if packed.is_file() else
                path.with_suffix(".safetensors").read_bytes())


def records(read: Mapping[str, Any], owner: str) -> tuple[ExperimentRecord, list[RunRecord]]:
    """The experiment and the runs of a bundle's JSON, as belonging to `owner`."""
    first, about = read["runs"][0]["config"], dict(read["experiment"])
    written = about.pop("task_definitions", None)  # bundles of older versions leave them to the bundled table
    tasks = CATALOGUE.only(about["config"]["tasks"]) if written is None else catalogue.read(written)
    runs = []
    for run in read["runs"]:
        config = first | run["config"]
        runs.append(RunRecord(
            id=run["id"], experiment=read["experiment"]["id"], owner=owner, method=config["method"],
            shots=config["shots"], seed=config["seed"], config=config, state=State.COMPLETED, step=run["steps"],
            steps=run["steps"], created=run["created"], started=run["started"], finished=run["finished"],
            heartbeat=None, request=None, error_type=None, error_message=None, traceback=None,
            result=read["common"] | run["result"], versions=read["versions"], fleet=None, tasks=tasks))
    states = {State.COMPLETED.value: len(runs)}
    return ExperimentRecord(**about, owner=owner, states=states, tasks=tasks), runs


def _beyond(values: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """The items of `values` that `shared` does not hold with the same value."""
    return {key: value for key, value in values.items() if key not in shared or shared[key] != value}


def _tensors_of(store: Store, run: RunRecord) -> Tensors:
    """What is kept of a run: its prompts, the dev scores of each task, and a thinned version of its curves."""
    prompts = store.prompts(run.id)
    found = {f"prompts/{name}": prompts[name] for name in KEPT if name in prompts}
    if METHODS[run.method].repeats:  # the composed prompt is the private one or the source
        del found["prompts/composed"]
    found |= {f"scores/{task}": _half(values) for task, values in store.scores(run.id).items()}
    for kind, most in POINTS.items():
        steps, values = store.events(run.id, kind)
        if len(steps):
            chosen = thin(values, most) if kind in JUMPING else \
                np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))
            found[f"steps/{kind}"] = steps[chosen]
            found[f"curve/{kind}"] = _narrow(values[chosen])
    return found


def _filled(each: Sequence[Tensors]) -> Sequence[Tensors]:
    """The same tensors for each run: a curve that an older version did not record has its one point at step -1."""
    every = {key: values for one in each for key, values in one.items()}
    return [{key: one.get(key, np.full_like(values[:1], -1)) for key, values in every.items()} for one in each]


def _stacked(each: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of a variant's runs along a new first axis; shorter curves are filled up with their last point."""
    longest = max(len(one) for one in each)
    return np.stack([np.pad(one, [(0, longest - len(one)), *[(0, 0)] * (one.ndim - 1)], mode="edge") for one in each])


def _narrow(curve: np.ndarray) -> np.ndarray:
    """A curve in half the bytes, unless a value is too large for that."""
    return curve.astype(np.float16) if np.abs(curve).max(where=np.isfinite(curve), initial=0) < _LARGEST else curve


def _half(scores: np.ndarray) -> np.ndarray:
    """Dev scores [rows, labels] in half the bytes, unless that would change the best label of a row."""
    half = scores.astype(np.float16)
    return half if np.array_equal(half.argmax(-1), scores.argmax(-1)) else scores


def of_run(stacked: Tensors, run: RunRecord, runs: Sequence[RunRecord]) -> Left:
    """The run's slices of the stacked tensors."""
    at = [other.id for other in runs if other.variant == run.variant].index(run.id)
    own: dict[str, Tensors] = {}
    for name, values in stacked.items():
        variant, part, key = name.split("/", 2)
        if variant == run.variant:
            own.setdefault(part, {})[key] = values[at]
    prompts = own["prompts"]
    if "composed" not in prompts:
        tasks = len(run.config["tasks"])
        prompts["composed"] = prompts.get("private", np.repeat(prompts.get("source", np.empty(0)), tasks, axis=0))
    curves = {}
    for kind, values in own.get("curve", {}).items():
        steps, first = np.unique(own["steps"][kind], return_index=True)  # without the filling of a shorter curve
        if steps[0] >= 0:  # else this run recorded none
            curves[kind] = steps, values[first]
    return Left(prompts, {task: values.astype(np.float32) for task, values in own["scores"].items()}, curves)


def holds(store: Store, experiment: str) -> bool:
    """Whether the store has the experiment, readable or not."""
    try:
        return bool(store.experiment(experiment))
    except UnknownId:
        return False
    except Damaged:  # it is there, and reports the damage itself
        return True
