"""The launch form's values, pure: widget value <-> settings, what a field accepts, the command line that says the same.

A draft holds one widget value per field of Experiment; lists of numbers are text ("8, 16", "0-9"),
so that a slip stays on screen beside the sentence that explains it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

import yaml

from compt_core.errors import ConfigError, Issue
from compt_core.settings import values
from compt_core.settings.config import Experiment, build_experiment, parse_value
from compt_core.settings.presets import PRESETS
from compt_core.tasks.table import CATALOGUE

SETTINGS_FILE = "experiment.yaml"  # the name under which the form offers them
BASIC = ("tasks", "methods", "shots", "seeds", "backbone", "data_dir")
PROMPTS = ("sources", "prompt_length", "normalizer", "gates", "alpha", "beta")
BUDGET = ("steps", "epochs", "batch", "eval_rows")
ADVANCED = tuple(name for name in Experiment.model_fields if name not in BASIC + PROMPTS + BUDGET)
_LISTS = ("shots", "seeds")  # typed as text
_COMMAND_OPTIONS = {
    "backbone": "--backbone", "tasks": "--tasks", "methods": "--methods", "shots": "--shots", "seeds": "--seeds",
    "steps": "--steps", "eval_rows": "--eval-rows", "data_dir": "--data-dir",
}
LABELS = {
    "data_dir": "Data folder", "sources": "Source prompts (S)", "prompt_length": "Prompt length (P, tokens)",
    "normalizer": "Attention normaliser", "alpha": "alpha (private)", "beta": "beta (shared)",
    "eval_rows": "Dev rows per task", "steps": "Optimizer steps", "batch": "Batch (rows per step)",
    "lr_source": "Learning rate: sources", "lr_private": "Learning rate: private",
    "lr_encoder": "Learning rate: encoders", "lr_attention": "Learning rate: attention",
    "lr_gate": "Learning rate: gates", "lr_rule": "Learning rate rule", "form": "SPP form",
    "scp_length": "SCP length", "max_tokens": "Longest input (tokens)", "clip": "Gradient clip (norm)",
    "shots_per": "Shots per",
}
EMPTY = {  # what an empty number means, as the field's placeholder
    "steps": "from epochs", "eval_rows": "all", "data_seed": "the run's seed", "init_seed": "the run's seed",
    "lr_source": "default", "lr_private": "default",
}


def label(name: str) -> str:
    """A field's name as a person reads it."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


@dataclass(frozen=True)
class Kind:
    """How a field is asked for.

    choices   the allowed words, empty for anything typed
    number    int or float, None for text
    optional  may stay empty (None)

    Bounds are left to the model: a browser drops a number outside of a widget's bounds, and the old one would be used.
    """

    choices: tuple[str, ...] = ()
    number: type[int] | type[float] | None = None
    optional: bool = False


def kind(name: str) -> Kind:
    """How the field `name` of Experiment is asked for, read off the model."""
    field = Experiment.model_fields[name]
    parts = _flatten(field.annotation)
    choices = tuple(str(word) for part in parts if get_origin(part) is Literal for word in get_args(part))
    number = next((part for part in (int, float) if part in parts), None)
    return Kind(choices, None if choices else number, type(None) in parts)


def _flatten(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (None, Literal, tuple, dict):
        return [annotation]
    return [leaf for part in get_args(annotation) for leaf in _flatten(part)]


def from_experiment(experiment: Experiment) -> dict[str, Any]:
    """The widget values that ask for `experiment`."""
    return {name: _widget_value(name, getattr(experiment, name)) for name in Experiment.model_fields}


def from_preset(preset: str) -> dict[str, Any]:
    """The widget values of a preset. Raises ConfigError for an unknown one."""
    return from_experiment(build_experiment({}, preset=preset))


def _widget_value(name: str, value: Any) -> Any:
    if name in _LISTS:
        return values.as_text(value, ", ")
    if name in ("tasks", "methods"):
        return list(value)
    if name == "method_settings" or (name == "attention" and not isinstance(value, str)):
        return yaml.safe_dump(_plain(value), default_flow_style=True, width=10**6).strip() if value else ""
    if kind(name).number is float and value is not None:
        return float(value)
    return "" if value is None and kind(name).number is None else value


def _plain(value: Any) -> Any:
    return [list(row) for row in value] if isinstance(value, tuple) else value


def raw(draft: Mapping[str, Any]) -> dict[str, Any]:
    """Widget values as raw settings for build_experiment; gates' values only where gates are fixed."""
    settings = dict(draft)
    for name in ("data_dir", "backbone"):
        settings[name] = (settings[name] or "").strip() or (None if name == "data_dir" else "")
    for name in ("attention", "method_settings"):
        settings[name] = parse_value(settings[name] or "", name)
    settings["method_settings"] = settings["method_settings"] or {}
    if settings["gates"] != "fixed":
        settings.pop("alpha"), settings.pop("beta")
    return settings


def build(draft: Mapping[str, Any]) -> tuple[Experiment | None, tuple[Issue, ...]]:
    """The experiment that the draft asks for and no issues, or None and every problem found."""
    try:
        experiment = build_experiment(raw(draft))
        CATALOGUE.named(experiment.tasks)
    except ConfigError as error:
        return None, error.issues
    return experiment, ()


def own_values(draft: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Method -> its own value of the field `name`, for the methods of the draft that have one."""
    return {method: own[name] for method, own in _methods_own(draft["method_settings"]).items()
            if name in own and method in draft["methods"]}


def own_names(method_settings: str) -> set[str]:
    """The fields of which a method has a value of its own."""
    return {name for own in _methods_own(method_settings).values() for name in own}


def for_all(method_settings: str, name: str) -> str:
    """The text of the method settings without the field `name`, which is to hold for all methods; else as typed."""
    own = _methods_own(method_settings)
    if not any(name in settings for settings in own.values()):
        return method_settings
    return str(_widget_value("method_settings", values.for_all(own, [name])))


@lru_cache(maxsize=32)
def _methods_own(method_settings: str) -> Mapping[str, Mapping[str, Any]]:
    """What the text says, or nothing where it is not settings by method; kept, as each field of a form asks."""
    read = parse_value(method_settings or "", "method_settings")
    whole = isinstance(read, dict) and all(isinstance(own, dict) for own in read.values())
    return read if whole else {}


def changed(draft: Mapping[str, Any], preset: str) -> list[str]:
    """Labels of the fields in which the draft differs from a preset."""
    start = from_preset(preset)
    return [label(name) for name in start if start[name] != draft[name]]


def command_line(experiment: Experiment) -> str:
    """The command that runs the same experiment, in the fewest options: from a preset, or from none.

    It needs the downloaded settings file where methods have settings of their own that no preset has.
    """
    words = ["python", "-m", "compt_core", "run"]
    said = {preset: names for preset in PRESETS if (names := _from_preset(preset, experiment)) is not None}
    scratch = _differing(Experiment(tasks=("?",)), experiment)
    nearest = min(said, key=lambda preset: len(said[preset]), default=None)
    if nearest and (experiment.method_settings or len(said[nearest]) < len(scratch)):
        return shlex.join([*words, "--preset", nearest, *_options(experiment, said[nearest])])
    if experiment.method_settings:
        return shlex.join([*words, "--config", SETTINGS_FILE])
    return shlex.join(words + _options(experiment, scratch))


def _from_preset(preset: str, experiment: Experiment) -> list[str] | None:
    """The fields that make `experiment` of a preset; None where the command line cannot say so."""
    base = build_experiment({}, preset=preset)
    own, kept = ({name for settings in one.method_settings.values() for name in settings} for one in (base, experiment))
    differing = {*_differing(base, experiment), *(own - kept)}  # what holds for all methods now may be what most had
    names = [name for name in Experiment.model_fields if name in differing and name != "method_settings"]
    try:
        made = build_experiment({name: getattr(experiment, name) for name in names}, preset=preset)
    except ConfigError:  # a preset's own method settings may not go with the rest
        return None
    return names if made == experiment else None


def _differing(base: Experiment, experiment: Experiment) -> list[str]:
    return [name for name in Experiment.model_fields if getattr(base, name) != getattr(experiment, name)]


def _options(experiment: Experiment, names: list[str]) -> list[str]:
    """The named fields as words of the command line: options first, then --set."""
    words: list[str] = []
    for name in sorted(names, key=lambda name: name not in _COMMAND_OPTIONS):
        value = getattr(experiment, name)
        if name in _COMMAND_OPTIONS and value is not None:
            words += [_COMMAND_OPTIONS[name], values.as_text(value) if isinstance(value, tuple) else str(value)]
        else:
            words += ["--set", f"{name}={'' if value is None else _widget_value(name, value)}"]
    return words
