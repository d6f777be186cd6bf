"""Runs that build on others: the names in the settings `init` and `after`, resolved, checked and read. Loads no torch.

Names are resolved when an experiment is submitted: a run that was named by its row is from then on named by its id.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compt_core.backbone.load import find_backbone
from compt_core.errors import ComptError, ConfigError, DataError, Issue, StoreError, plural, quoted
from compt_core.methods.table import METHODS, structure
from compt_core.prompts import foreign
from compt_core.prompts.start import Origin, Prompts, Wanted, fitted, read_line
from compt_core.runs.ids import is_id, new_id
from compt_core.runs.record import RunRecord, State
from compt_core.settings.config import Experiment, RunConfig
from compt_core.training.events import Outcome

if TYPE_CHECKING:
    from compt_core.runs.store import Store

_ADAPTER = "adapter_model.safetensors", "adapter_config.json"  # in a folder that peft wrote


def resolved(store: Store, experiment: Experiment) -> dict[str, RunConfig]:
    """New ids -> the runs of an experiment, with ids of runs and absolute paths in `init` and `after`.

    Raises ConfigError where a name means nothing, rows wait for each other in a circle, or first prompts do not fit.
    """
    grid = {new_id(): config for config in experiment.runs()}
    if not any(config.init or config.after for config in grid.values()):
        return grid
    if circle := _circle(experiment, grid.values()):
        raise ConfigError([Issue("after", f"The rows {' and '.join(map(quoted, circle))} wait for each other, so none "
                                          "could start. Take one of them out of init or after.")])
    problems, found = list[Issue](), dict[str, RunConfig]()
    own = {(config.variant, config.shots, config.seed): run for run, config in grid.items()}
    for run, config in grid.items():
        try:
            origins = [read_line(line) for line in config.init]
            lines = [str(Origin(one.part, _named(store, one.ref, config, own, "init"), one.taken, one.tasks))
                     for one in origins]
            after = [_named(store, ref, config, own, "after") for ref in config.after]
            found[run] = config.model_copy(update={"init": tuple(lines), "after": tuple(after)})
        except ConfigError as error:
            problems += error.issues
    for config in () if problems else found.values():
        try:
            read(store, config, planned=found)
        except ComptError as error:
            problems.append(Issue("init", str(error)))
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return found


def waits(runs: Mapping[str, RunConfig]) -> list[tuple[str, str]]:
    """(run, run that it waits for) for resolved runs."""
    return [(run, ref) for run, config in runs.items()
            for ref in dict.fromkeys([*config.after, *(read_line(line).ref for line in config.init)]) if is_id(ref)]


def read(store: Store, config: RunConfig, planned: Mapping[str, RunConfig] | None = None) -> dict[str, np.ndarray]:
    """"source" or "private" -> the first prompts [n, P, H] that a resolved run starts from, float32; {} without `init`.

    With `planned`, the runs submitted with it, nothing is trained yet: shapes are checked, and unfinished runs give 0.
    Raises DataError where prompts are missing or do not fit, and StoreError where a run or its file is gone.
    """
    if not config.init:
        return {}
    hidden = find_backbone(config.backbone, fetch=False).hidden
    shape, found = structure(config), dict[str, np.ndarray]()
    for origin in map(read_line, config.init):
        length = shape.shared_length if origin.part == "source" else shape.private_length
        if not length:
            raise DataError(f"{METHODS[config.method].title} has no prompts of the part {quoted(origin.part)} that "
                            "could start from others. Give init only to rows whose method has some.")
        names = [f"s{s}" for s in range(shape.sources)] if origin.part == "source" else config.tasks
        given = prompts_of_file(Path(origin.ref), hidden) if not is_id(origin.ref) else \
            _of_config(planned[origin.ref], f"row {quoted(planned[origin.ref].variant)}", hidden) \
            if planned and origin.ref in planned else \
            _of_run(store, store.run(origin.ref), config, hidden, planned=planned is not None)
        found[origin.part] = fitted(origin, given, Wanted(names, length, hidden))
    return found


def read_all(store: Store, fleet: Sequence[RunRecord], end: Callable[[str, Outcome], None]
             ) -> tuple[dict[str, RunConfig], dict[str, Mapping[str, np.ndarray]]]:
    """(settings, given first prompts) of runs by id; a run whose first prompts cannot be had fails alone, by `end`."""
    configs, found = dict[str, RunConfig](), dict[str, Mapping[str, np.ndarray]]()
    for record in fleet:
        config = record.settings
        try:
            if given := read(store, config):
                found[record.id] = given
            configs[record.id] = config
        except (ComptError, OSError) as error:
            end(record.id, Outcome("failed", error=error))
    return configs, found


def _named(store: Store, ref: str, config: RunConfig, own: Mapping[tuple[str, int, int], str], field: str) -> str:
    """A name as the id of a run, or as an absolute path. Raises ConfigError."""
    if (run := own.get((ref, config.shots, config.seed))) is not None:
        return run
    try:
        if is_id(ref):
            return store.run(ref).id
        experiment, slash, row = ref.partition("/")
        if slash and is_id(experiment):
            return _of_row(store.runs(experiment), row, config, ref)
    except StoreError as error:
        raise ConfigError([Issue(field, str(error))]) from None
    path = os.path.abspath(os.path.expanduser(ref))
    if field == "init" and os.path.exists(path):
        return path
    raise ConfigError([Issue(field, f"The '{field}' setting must name a run, EXPERIMENT/ROW"
                             f"{', a row of this experiment or a file' if field == 'init' else ' or a row of this one'}"
                             f". Got {quoted(ref, 200)}, which is none of them. 'python -m compt_core runs' lists the "
                             "runs.")])


def _of_row(runs: Sequence[RunRecord], row: str, config: RunConfig, ref: str) -> str:
    of_row = [run for run in runs if (run.variant, run.seed) == (row, config.seed)]
    for run in of_row:
        if run.shots == config.shots or len(of_row) == 1:  # the only shots that it was trained with
            return run.id
    raise StoreError(f"There is no run of {quoted(ref)} with {plural(config.shots, 'shot')} and seed {config.seed}. "
                     "Train it with these first, or name a single run.")


def _circle(experiment: Experiment, grid: Iterable[RunConfig]) -> list[str]:
    """The rows that wait for each other; [] if there is no circle."""
    needs: dict[str, set[str]] = {}
    for config in grid:
        refs = [*config.after, *(read_line(line).ref for line in config.init)]
        needs.setdefault(config.variant, set()).update(ref for ref in refs if ref in experiment.variants)
    while ready := [row for row, before in needs.items() if not before & needs.keys()]:
        for row in ready:
            del needs[row]
    return [row for row in needs if any(row in before for before in needs.values())]


def _of_run(store: Store, record: RunRecord, config: RunConfig, hidden: int, *, planned: bool) -> Prompts:
    """The prompts of a run; of one that is not completed yet only their shapes, which is enough while planning."""
    where = f"run '{record.id}'"
    if record.config["backbone"] != config.backbone:
        raise DataError(f"The initial prompts must come from a run on the same backbone. Run '{record.id}' is on "
                        f"{quoted(record.config['backbone'], 60)}; choose another run.")
    if record.state == State.COMPLETED:
        arrays = store.prompts(record.id)
        kinds = {str(kind): arrays[kind] for kind in ("source", "private", "composed") if kind in arrays}
        return Prompts(where, kinds, _names(kinds, record.config["tasks"]))
    if not planned:
        raise DataError(f"The run starts from prompts of {where}, which is {record.state.value}. Resume that one "
                        "first, and then this one.")
    return _of_config(record.settings, where, hidden)


def _of_config(config: RunConfig, where: str, hidden: int) -> Prompts:
    """Prompts of the shapes that a run will have, all 0."""
    shape = structure(config)
    sizes = {"source": (shape.sources, shape.shared_length),
             "private": (len(config.tasks) if shape.private_length else 0, shape.private_length),
             "composed": (len(config.tasks), shape.length)}
    kinds = {kind: np.broadcast_to(np.float32(0), (n, length, hidden)) for kind, (n, length) in sizes.items() if n}
    return Prompts(where, kinds, _names(kinds, config.tasks))


def _names(kinds: Mapping[str, np.ndarray], tasks: Sequence[str]) -> dict[str, Sequence[str]]:
    return {kind: [f"s{s}" for s in range(len(array))] if kind == "source" else list(tasks)
            for kind, array in kinds.items()}


def prompts_of_file(path: Path, hidden: int, notes: list[str] | None = None) -> Prompts:
    """The prompts of a file, or of a folder with an adapter that peft wrote; those of one array are called "prompt-0",
    "prompt-1". `notes` gets sentences on what is used of an adapter. Raises DataError."""
    file, config = (path / _ADAPTER[0], path / _ADAPTER[1]) if path.is_dir() else (path, None)
    try:
        if file.stat().st_size > foreign.MOST_BYTES:
            raise DataError(f"The file '{file}' must have at most {foreign.MOST_BYTES:,} bytes. Save fewer prompts in "
                            "one file.")
        about = config.read_bytes() if config is not None and config.is_file() else None
        found = foreign.read(file.name, file.read_bytes(), hidden, about, notes)
    except OSError as error:
        raise DataError(f"The file of prompts '{file}' cannot be read: {error.strerror}. Put it back, or choose "
                        "another start.") from None
    if len({array.shape for array in found.values()}) > 1:
        raise DataError(f"The prompts of the file '{file}' have different lengths. Save prompts of one length in it.")
    return Prompts(f"the file '{file}'", {"composed": np.stack(list(found.values()))},
                   {"composed": [f"prompt-{name}" if name.isdigit() else name.replace(" ", "-") for name in found]})
