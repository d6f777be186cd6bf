"""Settings of a run and of an experiment (a grid of runs): one model behind YAML, CLI, URL and form.

All problems of a set of settings are reported together, each as one sentence (:func:`build_experiment`). What each
field means is described in :mod:`compt_core.settings.fields`. Loads no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator

from compt_core.errors import ConfigError, Issue, nearest, quoted
from compt_core.methods.table import METHODS
from compt_core.settings import sentences
from compt_core.settings.fields import Settings, Tracker, setting
from compt_core.settings.presets import PRESETS
from compt_core.settings.together import EACH, problems_of_run
from compt_core.settings.values import as_list, as_text, as_words, by_field
from compt_core.settings.values import parse_value as parse_value  # settings of any source start here
from compt_core.settings.values import read_yaml as read_yaml
from compt_core.settings.variants import DEFAULT_METHODS, FORM, MOST_NAME, NAMING, Variants, is_plain, of_raw, plain


def _method(name: str) -> str:
    if name not in METHODS:
        raise ValueError("this is not a method")
    return name


MethodName = Annotated[str, AfterValidator(_method)]
_METHODS = ", ".join(map(repr, METHODS))
MAX_RUNS = 2000  # of one experiment, so that a slip such as --seeds 0-99999 does not fill the store

_OF_ALL = frozenset({  # else the methods of an experiment could not be compared
    "tasks", "backbone", "data_dir", "position", "prefix", "max_tokens", "shots_per", "scoring", "similarity",
    "eval_rows", "data_seed",
})


class RunConfig(Settings):
    """One run: a variant's method and settings, a number of shots and a seed."""

    variant: str = setting("", "Name of the row of the comparison; empty = the method's name.", max_length=MOST_NAME)
    method: MethodName = setting("spp", "How the prompt of a task is made.", allowed=f"one of {_METHODS}")
    shots: int = setting(16, "Training rows per task (or per label).", ge=1, le=1024)
    seed: int = setting(0, "Seed of the sample, the initialisation and the order of the rows.", ge=0, lt=2**32)

    @model_validator(mode="before")
    @classmethod
    def _of_plain_method(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("variant"):
            return values
        return {**values, "variant": values.get("method", cls.model_fields["method"].default)}


    @property
    def order(self) -> tuple[tuple[int, ...], ...]:
        """The tasks of each phase, by their number in `tasks`; a single phase with all of them if there are none."""
        if not self.phases:
            return (tuple(range(len(self.tasks))),)
        if self.phases == EACH and "each" not in self.tasks:
            return tuple((k,) for k in range(len(self.tasks)))
        return tuple(tuple(map(self.tasks.index, phase)) for phase in self.phases)


class Experiment(Settings):
    """A grid of runs: variants x shots x seeds on shared settings.

    `variants`: name of a row -> its method and the settings in which it differs. Older files and stores have
    ``methods`` and ``method_settings`` instead, which are read as variants.
    """

    variants: Variants = setting(
        plain(DEFAULT_METHODS, {}), f"Rows of the comparison, each with a name, as in '{FORM}'; a method's own name "
        "stands for the plain method.", min_length=1, allowed=f"lines such as '{FORM}', or settings by name")
    shots: Annotated[
        tuple[Annotated[int, Field(strict=True, ge=1, le=1024)], ...], BeforeValidator(partial(as_list, most=MAX_RUNS))
    ] = setting((16,), "Shot counts; each makes runs of its own.", min_length=1, allowed="an integer in [1, 1024]")
    seeds: Annotated[
        tuple[Annotated[int, Field(strict=True, ge=0, lt=2**32)], ...], BeforeValidator(as_list)
    ] = setting((0,), "Seeds; each makes runs of its own.", min_length=1, allowed="integers >= 0, as in 0,1,2 or 0-9")
    study: str = setting("", "The study that this experiment is a part of, as NAME/INSTANCE/PART.",
                         pattern=r"([a-z_]{1,40}/[a-z0-9]{10}/[\w .=+-]{1,60})?",
                         allowed="NAME/INSTANCE/PART, or empty")

    track: Annotated[tuple[Tracker, ...], BeforeValidator(as_words)] = setting(
        (), "Other programs that the runs are also shown in; what they write is in COMPT_HOME/track.",
        allowed="none or more of 'tensorboard', 'mlflow', 'trackio', 'wandb'")

    @model_validator(mode="before")
    @classmethod
    def _rows(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or not values.keys() & {"methods", "method_settings"}:
            return values
        try:
            rows = of_raw(values, {})
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return {name: value for name, value in values.items() if name not in NAMING} | {"variants": rows}

    @field_validator("variants", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        try:
            return of_raw({"variants": value}, {})
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of the rows, each once."""
        return tuple(dict.fromkeys(own["method"] for own in self.variants.values()))

    def runs(self) -> list[RunConfig]:
        """The grid, row by row, then shots, then seeds."""
        shared = self.model_dump(include=set(Settings.model_fields))
        return [RunConfig(**{**shared, **own}, variant=name, shots=shots, seed=seed)
                for name, own in self.variants.items() for shots in self.shots for seed in self.seeds]


def build_experiment(raw: Mapping[str, Any], *, preset: str | None = None) -> Experiment:
    """Settings from any outside source, over those of `preset`.

    `raw` holds Experiment's fields by name (also ``methods`` or RunConfig's ``method`` and ``seed``) and may name a
    ``preset`` itself. What is given holds for all rows, so it overrides the settings that the preset has for single
    methods. Raises ConfigError with every problem found.
    """
    given, named = by_field(raw), preset is not None or "preset" in raw
    preset = given.pop("preset", preset)
    if named and (not isinstance(preset, str) or preset not in PRESETS):  # even an empty one
        got = "nothing" if preset is None else quoted(preset)
        raise ConfigError([Issue("preset", f"The preset must be one of {', '.join(map(repr, PRESETS))}. "
                                 f"Got {got} instead.{nearest(str(preset), PRESETS)}")])
    start = PRESETS[preset] if preset else {}
    values: dict[str, Any] = {**start, **given}
    issues: list[Issue] = []
    try:
        values["variants"] = of_raw(given, start)
    except ConfigError as error:
        issues += error.issues
        values.pop("variants", None)
    values = {name: value for name, value in values.items() if name not in NAMING}
    try:
        experiment = Experiment.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        issues += sentences.sentences(problems, values, Experiment.model_fields)
        wrong = {str(problem["loc"][0]) for problem in problems}
        with suppress(ValidationError):  # what remains may have problems between fields: report those as well
            rest = Experiment.model_validate({"tasks": ["?"]} | {k: v for k, v in values.items() if k not in wrong})
            issues += _problems_between(rest, set(given) - wrong, skip=wrong)
        raise ConfigError(dict.fromkeys(issues)) from None
    issues += _problems_between(experiment, set(given))
    if issues:
        raise ConfigError(dict.fromkeys(issues))
    return experiment


def to_yaml(experiment: Experiment) -> str:
    """Every setting that differs from its default, as a file that ``--config`` reads back."""
    ranges = {name: text for name in ("shots", "seeds") if "-" in (text := as_text(getattr(experiment, name)))}
    values = experiment.model_dump(mode="json", exclude_defaults=True) | ranges
    if "variants" in values and all(is_plain(name, own) for name, own in values["variants"].items()):
        values = {"methods": list(values.pop("variants"))} | values
    texts = "".join([*experiment.tasks, experiment.backbone, experiment.data_dir or ""])
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=texts.isprintable())  # it folds a bare NEL to a space


def allowed_values(name: str) -> str:
    """What the field `name` accepts, in words: ``"an integer in [1, 1024]"``."""
    if name == "methods":  # a short form of variants
        return f"one or more of {_METHODS}"
    return sentences.allowed_values((Experiment.model_fields | RunConfig.model_fields)[name])


def _problems_between(exp: Experiment, given: AbstractSet[str], skip: AbstractSet[str] = frozenset()) -> list[Issue]:
    """Problems that single fields cannot show, for the shared settings and every method's own."""
    found = []
    for name in ("tasks", "shots", "seeds"):
        listed = getattr(exp, name)
        twice = next((v for i, v in enumerate(listed) if v in listed[:i]), None) if len(listed) <= MAX_RUNS else None
        if twice is not None:
            found.append(Issue(name, f"The '{name}' setting of an experiment must not repeat a value. "
                                     f"Got {quoted(twice)} twice."))
    count = len(exp.variants) * len(exp.shots) * len(exp.seeds)
    if count > MAX_RUNS:
        found.append(Issue("seeds", f"An experiment can have at most {MAX_RUNS} runs. Got {count}; choose fewer rows, "
                                    "shots or seeds."))
    if exp.gates != "fixed" and {"alpha", "beta"} & given:
        found.append(_idle_gates(exp.gates))
    own = [issue for name in exp.variants for issue in _problems_of_variant(exp, name)]
    if own or count > MAX_RUNS:
        return found + own
    configs = {(run.variant, run.shots): run for run in exp.runs()}.values()
    return found + [issue for config in configs for issue in problems_of_run(config, skip)]


def _problems_of_variant(exp: Experiment, name: str) -> list[Issue]:
    """Problems with the settings that belong to one row."""
    own = {key: value for key, value in exp.variants[name].items() if key != "method"}
    known = set(Settings.model_fields) - _OF_ALL
    found = [Issue("variants", f"The '{key}' setting must be the same for all rows, so that they can be compared. "
                               f"Got it for {quoted(name)} only; set it for the whole experiment."
                   if key in _OF_ALL or key in ("shots", "seeds", "seed") else
                   f"There is no setting {quoted(key)} for a single row such as {quoted(name)}.{nearest(key, known)}")
             for key in own if key not in known]
    if found:
        return found
    try:
        run = RunConfig(**{**exp.model_dump(include=set(Settings.model_fields)), **exp.variants[name]})
    except ValidationError as error:
        problems = sentences.sentences(error.errors(), own, RunConfig.model_fields)
        return [Issue("variants", _of_row(name, problem)) for problem in problems]
    if run.gates != "fixed" and {"alpha", "beta"} & own.keys():
        return [Issue("variants", _of_row(name, _idle_gates(run.gates)))]
    return []


def _of_row(name: str, problem: Issue) -> str:
    return f"For {quoted(name)}, {problem.message[:1].lower()}{problem.message[1:]}"


def _idle_gates(gates: str) -> Issue:
    return Issue("gates", "The settings 'alpha' and 'beta' are used only with gates=fixed. "
                          f"Got gates='{gates}'; set gates=fixed or leave them out.")
