"""Settings of a run and of an experiment (a grid of runs): one model behind YAML, CLI, URL and form.

Meaning and unit stand under each field; bounds are part of the type. All problems of a set of
settings are reported together, each as one sentence (:func:`build_experiment`). Loads no torch.
Source of options and defaults: Pouramini & Faili, arXiv 2408.13227, and the author's settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from compt_core.errors import ConfigError, Issue, nearest, plural, quoted
from compt_core.methods.table import METHODS
from compt_core.settings import sentences
from compt_core.settings.plain import number
from compt_core.settings.presets import PRESETS
from compt_core.settings.values import Refused, as_list, as_text, as_words, by_field, for_all, has_bool
from compt_core.settings.values import parse_value as parse_value  # settings of any source start here
from compt_core.settings.values import read_yaml as read_yaml

Numbers = tuple[Annotated[float, Field(strict=True)], ...]
Matrix = tuple[Numbers, ...]


def _method(name: str) -> str:
    if name not in METHODS:
        raise ValueError("this is no method")
    return name


MethodName = Annotated[str, AfterValidator(_method)]
Normalizer = Literal["sigmoid", "softmax", "sparsemax", "entmax15"]

_METHODS = ", ".join(map(repr, METHODS))
_NUMBERS = (int, float, int | None, float | None)
MAX_RUNS = 2000  # one experiment; keeps a slip such as --seeds 0-99999 from filling the store

_OFF = BeforeValidator(lambda value: "off" if value is False else value)  # of those who write false for off


def _setting(default: Any, doc: str, *, allowed: str = "", **bounds: Any) -> Any:
    """A field. Numbers are strict: text is read by the rules of `plain` alone."""
    strict = True if bounds.keys() & {"ge", "gt"} else None
    return Field(default, description=doc, strict=strict, json_schema_extra={"allowed": allowed} if allowed else None,
                 **bounds)


class Settings(BaseModel):
    """Everything that all runs of an experiment share."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    tasks: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(as_words)] = _setting(
        (), "Names of the tasks, in the order of every table and matrix.",
        min_length=1, max_length=64, allowed="one or more task names",
    )
    backbone: str = _setting("demo", "'demo' (bundled), a folder with a T5 checkpoint, or a hub id.", min_length=1,
                            allowed="'demo', a folder with a T5 checkpoint, or a hub id")
    data_dir: str | None = _setting(
        None, "Folder with TASK/{train,dev}.{tsv,csv,jsonl,parquet} or TASK/ written by save_to_disk; "
        "without it GLUE and SET2 come from the datasets hub.", min_length=1, allowed="a folder, or left out",
    )

    sources: int = _setting(3, "S, number of source prompts (SPP, SCP).", ge=1, le=64)
    prompt_length: int = _setting(5, "P, prompt length in soft tokens.", ge=1, le=256)
    scp_length: Literal["total", "each"] = _setting(
        "total", "SCP: 'total' = shared and private half of P each (rounded up); 'each' = P each.")
    normalizer: Normalizer | Literal["auto"] = _setting(
        "auto", "Attention logits to weights over sources; 'auto' chooses from S and K (tasks).",
        allowed="one of 'auto', 'sigmoid', 'softmax', 'sparsemax', 'entmax15'")
    attention: Literal["learned", "uniform"] | Matrix = _setting(
        "learned", "'learned' logits, 'uniform' weights, or a fixed matrix of weights [K, S].",
        allowed="'learned', 'uniform' or a matrix of finite numbers >= 0 with a row per task and a column per source")
    gates: Annotated[Literal["learned", "fixed", "off"], _OFF] = _setting(
        "learned", "alpha (private) and beta (shared): 'learned', 'fixed' to the two settings below, or 'off' (= 1).")
    alpha: float | None = _setting(None, "Fixed gate of the private prompt, with gates=fixed.", ge=0, le=10)
    beta: float | None = _setting(None, "The same of the shared prompt; without effect in gated_sum.", ge=0, le=10)
    form: Literal["mean", "gated_sum", "sum"] = _setting(
        "mean", "SPP: 'mean' = (beta C + alpha private) / (alpha + beta); 'gated_sum' = C + alpha private; "
        "'sum' = C + private.")
    encoder: Literal["residual", "mlp", "none"] = _setting(
        "residual", "Prompt encoder: E + MLP(E), MLP(E), or none (E itself, from the vocabulary).")
    encoder_hidden: int = _setting(384, "Hidden width of the prompt encoder.", ge=1, le=4096)
    init_range: float = _setting(
        0.5, "Prompt embeddings start uniform in [-init_range, init_range] (not with encoder=none).", gt=0, le=1000)
    position: Literal["before_all", "after_prefix", "after_text"] = _setting(
        "after_prefix", "Where the prompt stands: before everything, between prefix and text, or before </s>.")
    prefix: Literal["neutral", "native"] = _setting(
        "neutral", "Task prefix: 'TASK: sentence1: …' or T5's own ('mnli premise: …').")
    max_tokens: int = _setting(
        256, "Longest input in tokens, prompt not counted; the longer text field is cut first.", ge=16, le=4096)

    shots_per: Literal["task", "class"] = _setting("task", "Whether shots count per task or per label.")
    steps: int | None = _setting(
        None, "Optimizer steps; empty = rows of all tasks x epochs / batch, rounded up.", ge=1, le=1_000_000)
    epochs: float = _setting(15, "Passes over the shots, where steps is empty.", gt=0, le=10_000)
    batch: int = _setting(16, "Rows per step over all tasks.", ge=1, le=4096)
    lr_source: float | None = _setting(
        None, "Learning rate of source prompts; empty = .05, or .3 with encoder=none.", ge=0, le=100)
    lr_private: float | None = _setting(
        None, "Learning rate of private prompts (MPT: of each task's matrix); empty = .05 for PT, .02 for the others, "
        ".3 with encoder=none (MPT: .02).",
        ge=0, le=100)
    lr_encoder: float = _setting(0.003, "Learning rate of the prompt encoders' weights.", ge=0, le=10)
    lr_attention: float = _setting(0.07, "Learning rate of attention logits.", ge=0, le=100)
    lr_gate: float = _setting(0.1, "Learning rate of gates.", ge=0, le=100)
    lr_rule: Annotated[Literal["off", "author"], _OFF] = _setting(
        "off", "'author': attention / sqrt(S); private / (1 + ln S); source x (1 + ln S), at most .15.")
    warmup: float = _setting(0.2, "Share of the steps with rising learning rate; then it falls linearly.", ge=0, le=1)
    weight_decay_prompt: float = _setting(0.01, "AdamW weight decay of prompts and encoders.", ge=0, le=10)
    weight_decay_weights: float = _setting(0.1, "AdamW weight decay of attention logits and gates.", ge=0, le=10)
    clip: float = _setting(1.0, "Largest gradient norm of a run (PT: of a task's prompt).", gt=0, le=1_000_000)
    dropout: float = _setting(0.0, "Dropout rate inside the frozen T5 while training, a generator per run.", ge=0, lt=1)
    select: Literal["last", "best"] = _setting(
        "last", "'last' step, or 'best' step on a quarter of the shots held out (never on dev).")

    scoring: Literal["sum", "mean", "generate"] = _setting(
        "sum", "Score of a label: summed or mean log-probability of its pieces and </s>; or greedy generation.")
    similarity: Literal["argmax", "expectation"] = _setting(
        "argmax", "STS-B prediction: the best of its 26 candidates, or their expected value.")
    eval_rows: int | None = _setting(
        None, "Dev rows scored per task, by a fixed draw; empty = all.", ge=1, le=10_000_000)
    watch_rows: int = _setting(8, "Dev rows per task scored at ten steps, for curves alone; 0 = none.", ge=0, le=10_000)
    data_seed: int | None = _setting(None, "Seed of the few-shot sample; empty = the run's seed.", ge=0, lt=2**32)
    init_seed: int | None = _setting(None, "Seed of the initialisation; empty = the run's seed.", ge=0, lt=2**32)

    @field_validator("*", mode="before")
    @classmethod
    def _a_value(cls, value: Any, info: Any) -> Any:
        """Python would count a truth value as 1 or 0, and pydantic read 1_0 as 10; what was refused is no value."""
        if isinstance(value, Refused) or (
                has_bool(value) and not (value is False and info.field_name in ("gates", "lr_rule"))):
            raise ValueError("this is no value of a setting")
        is_number = isinstance(value, str) and cls.model_fields[info.field_name].annotation in _NUMBERS
        return value if not is_number or (found := number(value)) is None else found


_OF_ALL = frozenset({  # else the methods of an experiment could not be compared
    "tasks", "backbone", "data_dir", "position", "prefix", "max_tokens", "shots_per", "scoring", "similarity",
    "eval_rows", "data_seed",
})


class RunConfig(Settings):
    """One run: a method, a number of shots and a seed on the shared settings."""

    method: MethodName = _setting("spp", "How a task's prompt comes about.", allowed=f"one of {_METHODS}")
    shots: int = _setting(16, "Training rows per task (or per label).", ge=1, le=1024)
    seed: int = _setting(0, "Seed of data, initialisation and order, as separate streams.", ge=0, lt=2**32)


class Experiment(Settings):
    """A grid of runs: methods x shots x seeds on shared settings."""

    methods: Annotated[tuple[MethodName, ...], BeforeValidator(as_words)] = _setting(
        ("pt", "mst", "spp"), "Methods to compare.", min_length=1, allowed=f"one or more of {_METHODS}")
    shots: Annotated[
        tuple[Annotated[int, Field(strict=True, ge=1, le=1024)], ...], BeforeValidator(partial(as_list, most=MAX_RUNS))
    ] = _setting((16,), "Shot counts, each run apart.", min_length=1, allowed="an integer in [1, 1024]")
    seeds: Annotated[
        tuple[Annotated[int, Field(strict=True, ge=0, lt=2**32)], ...], BeforeValidator(as_list)
    ] = _setting((0,), "Seeds, each run apart.", min_length=1, allowed="integers >= 0, as in 0,1,2 or 0-9")
    method_settings: dict[MethodName, dict[str, Any]] = _setting(
        {}, "Settings of single methods that differ from the shared ones, as in {pt: {lr_private: 0.3}}.",
        allowed="settings by method, as in {pt: {lr_private: 0.3}}")

    def runs(self) -> list[RunConfig]:
        """The grid, method by method, then shots, then seeds."""
        shared = self.model_dump(include=set(Settings.model_fields))
        return [
            RunConfig(**{**shared, **self.method_settings.get(method, {})}, method=method, shots=shots, seed=seed)
            for method in self.methods for shots in self.shots for seed in self.seeds
        ]


def build_experiment(raw: Mapping[str, Any], *, preset: str | None = None) -> Experiment:
    """Settings from any outside source, over those of `preset`.

    `raw` holds Experiment's fields by name (also RunConfig's ``method`` and ``seed``) and may name
    a ``preset`` itself. What is given holds for all methods, so it goes before the settings that the preset
    has for single ones. Raises ConfigError with every problem found.
    """
    given, named = by_field(raw), preset is not None or "preset" in raw
    preset = given.pop("preset", preset)
    if named and (not isinstance(preset, str) or preset not in PRESETS):  # an empty one, too
        got = "nothing" if preset is None else quoted(preset)
        raise ConfigError([Issue("preset", f"The preset must be one of {', '.join(map(repr, PRESETS))}. "
                                 f"Got {got} instead.{nearest(str(preset), PRESETS)}")])
    start = PRESETS[preset] if preset else {}
    values: dict[str, Any] = {**start, "method_settings": for_all(start.get("method_settings", {}), given), **given}
    try:
        experiment = Experiment.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        issues = sentences.sentences(problems, values, Experiment.model_fields)
        wrong = {str(problem["loc"][0]) for problem in problems}
        with suppress(ValidationError):  # what remains may have problems between fields: report those as well
            rest = Experiment.model_validate({"tasks": ["?"]} | {k: v for k, v in values.items() if k not in wrong})
            issues += _problems_between(rest, set(given) - wrong, skip=wrong)
        raise ConfigError(dict.fromkeys(issues)) from None
    if issues := _problems_between(experiment, set(given)):
        raise ConfigError(dict.fromkeys(issues))
    return experiment


def to_yaml(experiment: Experiment) -> str:
    """Every setting that differs from its default, as a file that ``--config`` reads back."""
    ranges = {name: text for name in ("shots", "seeds") if "-" in (text := as_text(getattr(experiment, name)))}
    values = experiment.model_dump(mode="json", exclude_defaults=True) | ranges
    texts = "".join([*experiment.tasks, experiment.backbone, experiment.data_dir or ""])
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=texts.isprintable())  # it folds a bare NEL to a space


def allowed_values(name: str) -> str:
    """What the field `name` accepts, in words: ``"an integer in [1, 1024]"``."""
    return sentences.allowed_values((Experiment.model_fields | RunConfig.model_fields)[name])


def _problems_between(exp: Experiment, given: AbstractSet[str], skip: AbstractSet[str] = frozenset()) -> list[Issue]:
    """Problems that single fields cannot show, for the shared settings and every method's own."""
    found = []
    for name in ("tasks", "methods", "shots", "seeds"):
        listed = getattr(exp, name)
        twice = next((v for i, v in enumerate(listed) if v in listed[:i]), None) if len(listed) <= MAX_RUNS else None
        if twice is not None:
            found.append(Issue(name, f"The '{name}' setting of an experiment must not repeat a value. "
                                     f"Got {quoted(twice)} twice."))
    count = len(exp.methods) * len(exp.shots) * len(exp.seeds)
    if count > MAX_RUNS:
        found.append(Issue("seeds", f"An experiment holds at most {MAX_RUNS} runs. Got {count}; choose fewer methods, "
                                    "shots or seeds."))
    if exp.gates != "fixed" and {"alpha", "beta"} & given:
        found.append(_idle_gates(exp.gates))
    own = [issue for method in exp.method_settings for issue in _problems_of_method(exp, method)]
    if own or count > MAX_RUNS:
        return found + own
    configs = {(run.method, run.shots): run for run in exp.runs()}.values()
    return found + [issue for config in configs for issue in _problems_of_run(config, skip)]


def _problems_of_method(exp: Experiment, method: MethodName) -> list[Issue]:
    """Problems of the settings that a single method has of its own."""
    own, known = exp.method_settings[method], set(Settings.model_fields) - _OF_ALL
    found = [Issue("method_settings", f"The '{key}' setting must be the same for all methods, or they could not be "
                                      f"compared. Got it for method '{method}'; set it for the experiment."
                   if key in _OF_ALL else
                   f"There is no setting {quoted(key)} for a single method.{nearest(key, known)}")
             for key in own if key not in known]
    if found:
        return found
    try:
        run = RunConfig(**{**exp.model_dump(include=set(Settings.model_fields)), **own}, method=method)
    except ValidationError as error:
        problems = sentences.sentences(error.errors(), own, RunConfig.model_fields)
        return [Issue("method_settings", f"For method '{method}': {problem.message}") for problem in problems]
    if run.gates != "fixed" and {"alpha", "beta"} & own.keys():
        return [Issue("method_settings", f"For method '{method}': {_idle_gates(run.gates).message}")]
    return []


def _idle_gates(gates: str) -> Issue:
    return Issue("gates", "The settings 'alpha' and 'beta' are used with gates=fixed only. "
                          f"Got gates='{gates}'; set gates=fixed or leave them out.")


def _problems_of_run(run: RunConfig, skip: AbstractSet[str]) -> list[Issue]:
    found = []
    if run.gates == "fixed" and not {"alpha", "beta"} & skip:
        if run.alpha is None or run.beta is None:
            found.append(Issue("alpha", "gates=fixed needs both 'alpha' and 'beta', each a number in [0, 10]. "
                                        f"Got alpha={run.alpha}, beta={run.beta} instead."))
        elif run.alpha == run.beta == 0:
            found.append(Issue("alpha", "The fixed gates 'alpha' and 'beta' must not both be 0: the prompt would be "
                                        "empty. Got alpha=0, beta=0 instead; raise one of them."))
    if isinstance(run.attention, tuple) and not {"tasks", "sources"} & skip:
        found += _problems_of_matrix(run.attention, len(run.tasks), run.sources)
    if run.gates == "fixed" and METHODS[run.method].structure(run).form == "sum" and "form" not in skip:
        found.append(Issue("form", "gates=fixed needs a form of SPP that has gates. Got form=sum, the plain sum; "
                                   "choose form=mean or form=gated_sum, or leave out gates, alpha and beta."))
    if run.similarity == "expectation" and run.scoring == "generate" and not {"similarity", "scoring"} & skip:
        found.append(Issue("similarity", "similarity=expectation needs a score of every label. Got scoring=generate, "
                                         "which has none; choose scoring=sum or mean, or similarity=argmax."))
    if run.select == "best" and run.shots < 4:
        found.append(Issue("select", "select=best holds out a quarter of the shots and needs at least 4. "
                                     f"Got {plural(run.shots, 'shot')} instead; use select=last."))
    return found


def _problems_of_matrix(matrix: Matrix, tasks: int, sources: int) -> list[Issue]:
    widths = sorted({len(row) for row in matrix})
    if (len(matrix), widths) != (tasks, [sources]):
        got = "rows of different length" if len(widths) != 1 else f"{len(matrix)} x {widths[0]}"
        return [Issue("attention", "The fixed 'attention' matrix must have a row per task and a column per source "
                                   f"({tasks} x {sources}). Got {got} instead.")]
    if any(not math.isfinite(weight) or weight < 0 for row in matrix for weight in row):
        return [Issue("attention", f"The 'attention' setting of an experiment must be {allowed_values('attention')}. "
                                   "Got a negative or infinite weight instead.")]
    empty = next((number for number, row in enumerate(matrix, 1) if not any(row)), None)
    if empty is not None:
        return [Issue("attention", "Every row of the fixed 'attention' matrix must have a weight above 0, or the "
                                   f"shared part of its task would be empty. Got only zeros in row {empty}.")]
    return []
