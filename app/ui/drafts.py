"""The launch form's values, pure: widget value <-> settings, and what a field accepts.

A draft holds one widget value per field of Experiment; lists of numbers are text ("8, 16", "0-9"),
so that a slip stays on screen beside the sentence that explains it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import yaml

from app.ui import rows
from compt_core.errors import ConfigError, Issue
from compt_core.settings import values
from compt_core.settings.config import Experiment, build_experiment, parse_value
from compt_core.tasks import own
from compt_core.tasks.definition import NAME

SETTINGS_FILE = "experiment.yaml"  # the name under which the form offers them
# Of a draft: the rows are methods that are chosen, and lines.
FIELDS = ("methods", *(name for name in Experiment.model_fields if name != "study"))
BASIC = ("tasks", "methods", "variants", "shots", "seeds", "backbone", "data_dir")
PROMPTS = ("sources", "prompt_length", "normalizer", "gates", "alpha", "beta")
BUDGET = ("steps", "epochs", "batch", "eval_rows")
ADVANCED = tuple(name for name in FIELDS if name not in BASIC + PROMPTS + BUDGET)
_LISTS = ("shots", "seeds")  # typed as text
LABELS = {
    "data_dir": "Data folder", "sources": "Source prompts (S)", "prompt_length": "Prompt length (P, tokens)",
    "normalizer": "Attention normaliser", "alpha": "alpha (private)", "beta": "beta (shared)",
    "eval_rows": "Dev rows per task", "steps": "Optimizer steps", "batch": "Batch (rows per step)",
    "lr_source": "Learning rate: sources", "lr_private": "Learning rate: private",
    "lr_encoder": "Learning rate: encoders", "lr_attention": "Learning rate: attention",
    "lr_gate": "Learning rate: gates", "lr_rule": "Learning rate rule", "form": "SPP form",
    "scp_length": "SCP length", "max_tokens": "Longest input (tokens)", "clip": "Gradient clip (norm)",
    "shots_per": "Shots per", "variants": "More rows", "phases": "Phases (tasks in sequence)",
    "init": "First prompts from", "after": "Wait for runs", "freeze": "Parts that are not trained",
    "shuffle_labels": "Tasks with shuffled labels", "track": "Also show the runs in",
    "freeze_after": "Kept after a task's phase", "units": "Unit of prompt sizes and rates",
}
EMPTY = {  # what an empty number means, as the field's placeholder
    "steps": "from epochs", "eval_rows": "all", "data_seed": "the run's seed", "init_seed": "the run's seed",
    "lr_source": "default", "lr_private": "default",
}


def key(name: str) -> str:
    """Session key of the widget of a field of Launch."""
    return f"form.{name}"


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
    methods, lines = rows.from_variants(experiment.variants)
    return {"methods": methods, "variants": lines,
            **{name: _widget_value(name, getattr(experiment, name)) for name in FIELDS[1:] if name != "variants"}}


def from_preset(preset: str) -> dict[str, Any]:
    """The widget values of a preset. Raises ConfigError for an unknown one."""
    return from_experiment(build_experiment({}, preset=preset))


def _widget_value(name: str, value: Any) -> Any:
    if name in _LISTS:
        return values.as_text(value, ", ")
    if name == "tasks":
        return list(value)
    if name == "phases":
        return ",".join("+".join(tasks) for tasks in value)
    if isinstance(value, tuple) and name != "attention":
        return ",".join(value)
    if name == "attention" and not isinstance(value, str):
        return yaml.safe_dump([list(row) for row in value], default_flow_style=True, width=10**6).strip()
    if kind(name).number is float and value is not None:
        return float(value)
    return "" if value is None and kind(name).number is None else value


def raw(draft: Mapping[str, Any]) -> dict[str, Any]:
    """Widget values as raw settings for build_experiment; gates' values only where gates are fixed."""
    settings = dict(draft)
    for name in ("data_dir", "backbone"):
        settings[name] = (settings[name] or "").strip() or (None if name == "data_dir" else "")
    settings["attention"] = parse_value(settings["attention"] or "", "attention")
    methods, lines = settings.pop("methods"), settings.pop("variants") or ""
    if found := rows.to_lines(methods, lines):
        settings["variants"] = found
    else:
        settings["methods"] = methods
    if settings["gates"] != "fixed":
        settings.pop("alpha"), settings.pop("beta")
    return settings


def build(draft: Mapping[str, Any]) -> tuple[Experiment | None, tuple[Issue, ...]]:
    """The experiment that the draft asks for and no issues, or None and every problem found."""
    try:
        experiment = build_experiment(raw(draft))
        own.known().named(_elsewhere(experiment))
    except ConfigError as error:
        return None, error.issues
    return experiment, ()


def _elsewhere(experiment: Experiment) -> list[str]:
    """The tasks without a folder in the data folder: what lies in there is read by the check, not at every click."""
    place = os.path.expanduser(experiment.data_dir or "")
    return [name for name in experiment.tasks if not (place and NAME.fullmatch(name) and
                                                      os.path.isdir(os.path.join(place, name)))]


def own_values(draft: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Row -> its own value of the field `name`, for the rows of the draft that have one."""
    return rows.own_values(draft["methods"], draft["variants"], name)


def changed(draft: Mapping[str, Any], preset: str) -> list[str]:
    """Labels of the fields in which the draft differs from a preset."""
    start = from_preset(preset)
    return [label(name) for name in start if start[name] != draft[name]]
