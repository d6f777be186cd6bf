"""The command line that runs an experiment, in the fewest options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from app.show import captions
from compt_core.errors import ConfigError
from compt_core.methods.table import METHODS
from compt_core.settings import values
from compt_core.settings.config import Experiment, build_experiment
from compt_core.settings.presets import PRESETS
from compt_core.settings.variants import as_line
from compt_core.tasks import own
from compt_core.tasks.spec import Task

_OPTIONS = {
    "backbone": "--backbone", "tasks": "--tasks", "shots": "--shots", "seeds": "--seeds", "steps": "--steps",
    "eval_rows": "--eval-rows", "data_dir": "--data-dir",
}


def command_line(experiment: Experiment, files: Sequence[Path] = ()) -> str:
    """The shortest command that runs the same experiment, from a preset or from none; `files` define tasks of it."""
    bare = Experiment(tasks=("?",))
    rows = [] if experiment.variants == bare.variants else _rows(experiment, {})
    scratch = [*rows, *_options(experiment, _differing(bare, experiment))]
    said = [_from_preset(preset, experiment) for preset in PRESETS]
    found = min([*(one for one in said if one is not None), scratch], key=lambda words: len(shlex.join(words)))
    return shlex.join(["python", "-m", "compt_core", "run", *found, *(word for file in files
                                                                      for word in ("--task", str(file)))])


def again(experiment: Experiment, tasks: Mapping[str, Task]) -> tuple[str, list[str]]:
    """The command that trains a stored experiment again, and a sentence where it would not be the same; plain text.
    `tasks` are those that the experiment was trained on."""
    found = own.ways({name: tasks[name] for name in experiment.tasks if name in tasks}, experiment.data_dir)
    said = []
    if found.another:
        said.append(f"The definition of {captions.listed(found.another)} is another one by now, so this command would "
                    "not train the same.")
    if found.gone:
        said.append(f"The definition of {captions.listed(found.gone)} is no longer on this machine. Give it with "
                    "--task FILE.")
    return command_line(experiment, found.files), said


def _from_preset(preset: str, experiment: Experiment) -> list[str] | None:
    """The options that make `experiment` of a preset; None where there are none."""
    base = build_experiment({}, preset=preset)
    freed = {name for row, own in base.variants.items() if row in experiment.variants
             for name in own.keys() - experiment.variants[row].keys()}
    differing = {*_differing(base, experiment), *freed}  # what holds for all now may be what most had
    names = [name for name in Experiment.model_fields if name in differing and name != "variants"]
    given = {name: getattr(experiment, name) for name in names}
    inherited = values.for_all(PRESETS[preset].get("method_settings", {}), given)
    for words, rows in (([], {}), (_rows(experiment, inherited), _asked(experiment, inherited))):
        try:
            if build_experiment(given | rows, preset=preset) == experiment:
                return ["--preset", preset, *words, *_options(experiment, names)]
        except ConfigError:  # a preset's own settings of a method may not go with the rest
            continue
    return None


def _asked(experiment: Experiment, inherited: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The rows as raw settings: methods that need no more than they inherit, and lines."""
    methods = [name for name, own in experiment.variants.items()
               if name in METHODS and own == {"method": name, **inherited.get(name, {})}]
    lines = [as_line(name, own) for name, own in experiment.variants.items() if name not in methods]
    return {key: value for key, value in (("methods", methods), ("variants", lines)) if value}


def _rows(experiment: Experiment, inherited: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The same as words of the command line."""
    asked = _asked(experiment, inherited)
    methods = ["--methods", ",".join(asked["methods"])] if "methods" in asked else []
    return [*methods, *(word for line in asked.get("variants", ()) for word in ("--variant", line))]


def _differing(base: Experiment, experiment: Experiment) -> list[str]:
    return [name for name in Experiment.model_fields
            if name != "variants" and getattr(base, name) != getattr(experiment, name)]


def _options(experiment: Experiment, names: Sequence[str]) -> list[str]:
    """The named fields as words of the command line: options first, then --set."""
    words: list[str] = []
    for name in sorted(names, key=lambda name: name not in _OPTIONS):
        value = getattr(experiment, name)
        if name in _OPTIONS and value is not None:
            words += [_OPTIONS[name], values.as_text(value) if isinstance(value, tuple) else str(value)]
        else:
            words += ["--set", f"{name}={_text(value)}"]
    return words


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):  # a matrix
        return yaml.safe_dump([list(row) for row in value], default_flow_style=True, width=10**6).strip()
    return str(value)
