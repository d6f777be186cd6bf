"""What can be known of an experiment before it is queued: tasks, data, backbone, steps and sizes. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from compt_core.backbones import BackboneFiles, find_backbone
from compt_core.config import Experiment, RunConfig
from compt_core.errors import ComptError, ConfigError, Issue
from compt_core.methods import parameter_shapes
from compt_core.tasks.fewshot import hold_out, sample_shots, total_steps
from compt_core.tasks.files import load_task
from compt_core.tasks.spec import TaskData
from compt_core.tasks.table import get_tasks


@dataclass(frozen=True)
class LaunchCheck:
    """An experiment that can be launched.

    runs        the grid, in order
    steps       optimizer steps of each run
    parameters  trainable parameters of each run
    """

    backbone: BackboneFiles
    data: tuple[TaskData, ...]
    runs: tuple[RunConfig, ...]
    steps: tuple[int, ...]
    parameters: tuple[int, ...]


def check(experiment: Experiment) -> LaunchCheck:
    """Check everything that needs files: task names, data, shots against rows, the backbone.

    Raises ConfigError, DataError or BackboneError; where several parts are wrong, one ConfigError
    names them all.
    """
    problems: list[Issue] = []
    data, files = None, None
    try:
        tasks = get_tasks(experiment.tasks)
        data = tuple(load_task(task, experiment.data_dir) for task in tasks)
    except ConfigError as error:
        problems += error.issues
    except ComptError as error:
        problems.append(Issue("data_dir", str(error)))
    try:
        files = find_backbone(experiment.backbone)
    except ComptError as error:
        problems.append(Issue("backbone", str(error)))
    runs = tuple(experiment.runs())
    steps: tuple[int, ...] = ()
    if data is not None:
        try:
            steps = _steps(runs, data)
        except ConfigError as error:
            problems += error.issues
    if problems or data is None or files is None:
        raise ConfigError(problems)
    return LaunchCheck(files, data, runs, steps, tuple(trainable_parameters(run, files.hidden) for run in runs))


def trainable_parameters(config: RunConfig, hidden: int) -> int:
    """Numbers that a run trains on a backbone of hidden size `hidden`."""
    return sum(math.prod(shape) for shape in parameter_shapes(config, hidden).values())


def _steps(runs: tuple[RunConfig, ...], data: tuple[TaskData, ...]) -> tuple[int, ...]:
    """Steps of each run; the size of a sample depends on shots alone, so one seed stands for all."""
    rows: dict[tuple[int, str, str], int] = {}
    for run in runs:
        key = run.shots, run.shots_per, run.select
        if key not in rows:
            samples = [sample_shots(task, run) for task in data]
            rows[key] = sum(len(hold_out(s)[0]) if run.select == "best" else len(s) for s in samples)
    return tuple(total_steps(run, rows[run.shots, run.shots_per, run.select]) for run in runs)
