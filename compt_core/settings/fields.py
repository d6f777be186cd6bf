"""What all runs of an experiment share, field by field. Loads no torch.

Each field says what it means and in what unit; bounds are part of its type. Options and defaults come from Pouramini &
Faili, arXiv 2408.13227, and the author's settings.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from compt_core.prompts.start import FORM, read_line
from compt_core.settings.plain import number
from compt_core.settings.values import Refused, as_phases, as_words, has_bool

Numbers = tuple[Annotated[float, Field(strict=True)], ...]
Matrix = tuple[Numbers, ...]
Part = Literal["source", "private", "attention", "gates"]  # of a method; MPT's matrices count as private
Tracker = Literal["tensorboard", "mlflow", "trackio", "wandb"]
Normalizer = Literal["sigmoid", "softmax", "sparsemax", "entmax15"]


def _init_line(line: str) -> str:
    return str(read_line(line))


_NUMBERS = (int, float, int | None, float | None)

_OFF = BeforeValidator(lambda value: "off" if value is False else value)  # some people write false for off


def setting(default: Any, doc: str, *, allowed: str = "", **bounds: Any) -> Any:
    """A field. Numbers are strict: only the rules of `plain` turn text into numbers."""
    strict = True if bounds.keys() & {"ge", "gt"} else None
    return Field(default, description=doc, strict=strict, json_schema_extra={"allowed": allowed} if allowed else None,
                 **bounds)


class Settings(BaseModel):
    """Everything that all runs of an experiment share."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    tasks: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(as_words)] = setting(
        (), "Names of the tasks; every table and matrix keeps this order.",
        min_length=1, max_length=64, allowed="one or more task names",
    )
    backbone: str = setting("demo", "'demo' (bundled), 'english' (a real small T5, to be fetched once), a folder "
                            "with a T5 checkpoint, or a hub id.", min_length=1,
                            allowed="'demo', 'english', a folder with a T5 checkpoint, or a hub id")
    data_dir: str | None = setting(
        None, "Folder with TASK/{train,dev}.{tsv,csv,jsonl,parquet} or TASK/ written by save_to_disk; "
        "without it GLUE and SET2 come from the datasets hub.", min_length=1, allowed="a folder, or left out",
    )

    sources: int = setting(3, "S, number of source prompts (SPP, SCP).", ge=1, le=64)
    prompt_length: int = setting(5, "P, prompt length in soft tokens.", ge=1, le=256)
    scp_length: Literal["total", "each"] = setting(
        "total", "SCP: with 'total' each part has half of P (rounded up), with 'each' both have P.")
    normalizer: Normalizer | Literal["auto"] = setting(
        "auto", "How attention logits become weights over the sources; 'auto' chooses by S and the number of tasks K.",
        allowed="one of 'auto', 'sigmoid', 'softmax', 'sparsemax', 'entmax15'")
    attention: Literal["learned", "uniform"] | Matrix = setting(
        "learned", "Attention: 'learned' logits, 'uniform' weights, or a fixed matrix of weights [K, S].",
        allowed="'learned', 'uniform' or a matrix of finite numbers >= 0 with a row per task and a column per source")
    gates: Annotated[Literal["learned", "fixed", "off"], _OFF] = setting(
        "learned", "Gates alpha (private) and beta (shared): 'learned', 'fixed' to the next two, or 'off' (= 1).")
    alpha: float | None = setting(None, "Fixed gate of the private prompt, with gates=fixed.", ge=0, le=10)
    beta: float | None = setting(
        None, "Fixed gate of the shared prompt, with gates=fixed; it does nothing in gated_sum.", ge=0, le=10)
    form: Literal["mean", "gated_sum", "sum"] = setting(
        "mean", "SPP: 'mean' = (beta shared + alpha private) / (alpha + beta); 'gated_sum' = shared + alpha private; "
        "'sum' = shared + private.")
    encoder: Literal["residual", "mlp", "none"] = setting(
        "residual", "Prompt encoder: E + MLP(E), MLP(E), or none (E itself, from the vocabulary).")
    encoder_hidden: int = setting(384, "Hidden width of the prompt encoder.", ge=1, le=4096)
    units: Literal["plain", "table"] = setting(
        "plain", "Unit of init_range, lr_source and lr_private: plain numbers, or the standard deviation of the "
        "backbone's embedding table, so that one value suits backbones of any scale.")
    init_range: float = setting(
        0.5, "Prompt embeddings start uniform in [-init_range, init_range] (not with encoder=none).", gt=0, le=1000)
    init: Annotated[tuple[Annotated[str, AfterValidator(_init_line)], ...], BeforeValidator(as_words)] = setting(
        (), "First prompts taken from elsewhere, a line for each part: source=RUN, private=RUN:composed@sst2. RUN is a "
        "run, EXPERIMENT/ROW or a row of this experiment (with the same shots and seed), or a file of prompts.",
        max_length=2, allowed=f"lines of the form {FORM}")
    after: Annotated[tuple[str, ...], BeforeValidator(as_words)] = setting(
        (), "Runs that must be completed before this one starts, named as in init; those of init are among them.",
        max_length=64, allowed="runs, named by id, as EXPERIMENT/ROW or as a row of this experiment")
    position: Literal["before_all", "after_prefix", "after_text"] = setting(
        "after_prefix", "Where the prompt goes: before everything, between prefix and text, or before </s>.")
    prefix: Literal["neutral", "native", "question"] = setting(
        "neutral", "Task prefix: 'TASK: sentence1: …' (neutral), T5's own ('mnli premise: …'), or a question that is "
        "answered in everyday words ('Do these questions ask the same thing?', yes or no). A task without the chosen "
        "one keeps the neutral prefix.")
    max_tokens: int = setting(
        256, "Longest input in tokens, without the prompt; the longer text field is cut first.", ge=16, le=4096)

    shots_per: Literal["task", "class"] = setting("task", "Whether shots count per task or per label.")
    steps: int | None = setting(
        None, "Optimizer steps; empty = rows of all tasks x epochs / batch, rounded up.", ge=1, le=1_000_000)
    epochs: float = setting(15, "Passes over the shots, used when steps is empty.", gt=0, le=10_000)
    batch: int = setting(16, "Rows per step, over all tasks.", ge=1, le=4096)
    phases: Annotated[tuple[tuple[str, ...], ...], BeforeValidator(as_phases)] = setting(
        (), "Tasks in sequence: 'sst2,mnli+qnli' trains on sst2 first, then on the other two. Every task has one "
        "phase, and all phases are equally long; 'each' is one task after another. Empty = all tasks together.",
        allowed="phases such as 'sst2,mnli+qnli' that name every task once, 'each', or empty")
    freeze: Annotated[tuple[Part, ...], BeforeValidator(as_words)] = setting(
        (), "Parts that are not trained and keep their first values; a method without such a part ignores it.",
        allowed="none or more of 'source', 'private', 'attention', 'gates'")
    freeze_after: Literal["private", "used", "all"] = setting(
        "private", "With phases, what no longer moves once a task's phase is over: its 'private' prompt, attention and "
        "gates; also the sources that it has 'used' (weight at least 1 / S); or 'all' sources.")
    lr_source: float | None = setting(
        None, "Learning rate of source prompts; empty = .05, or with encoder=none .25 times the standard deviation of "
        "the backbone's embedding table.", ge=0, le=100)
    lr_private: float | None = setting(
        None, "Learning rate of private prompts (MPT: of each task's matrix); empty = .05 for PT, .02 for the others, "
        "with encoder=none as for sources (MPT: .02).",
        ge=0, le=100)
    lr_encoder: float = setting(0.003, "Learning rate of the prompt encoders' weights.", ge=0, le=10)
    lr_attention: float = setting(0.07, "Learning rate of attention logits.", ge=0, le=100)
    lr_gate: float = setting(0.1, "Learning rate of gates.", ge=0, le=100)
    lr_rule: Annotated[Literal["off", "author"], _OFF] = setting(
        "off", "'author': attention / sqrt(S); private / (1 + ln S); source x (1 + ln S), at most .15.")
    warmup: float = setting(
        0.2, "Share of the steps in which the learning rate rises; after that it falls linearly.", ge=0, le=1)
    weight_decay_prompt: float = setting(0.01, "AdamW weight decay of prompts and encoders.", ge=0, le=10)
    weight_decay_weights: float = setting(0.1, "AdamW weight decay of attention logits and gates.", ge=0, le=10)
    clip: float = setting(1.0, "Largest gradient norm of a run (PT: of a task's prompt).", gt=0, le=1_000_000)
    dropout: float = setting(0.0, "Dropout rate in the frozen T5 while training; each run draws its own.", ge=0, lt=1)
    select: Literal["last", "best"] = setting(
        "last", "Which step counts: the 'last', or the 'best' on a held-out quarter of the shots, never on dev.")

    scoring: Literal["sum", "mean", "generate"] = setting(
        "sum", "Score of a label: 'sum' or 'mean' of the log-probabilities of its pieces and </s>, or 'generate'.")
    similarity: Literal["argmax", "expectation"] = setting(
        "argmax", "What is predicted for STS-B: the best of its 26 candidates, or their expected value.")
    eval_rows: int | None = setting(
        None, "Dev rows that are scored per task, the same ones each time; empty = all.", ge=1, le=10_000_000)
    watch_rows: int = setting(
        8, "Dev rows per task scored about ten times during training, for the curves; 0 = none.", ge=0, le=10_000)
    shuffle_labels: Annotated[tuple[str, ...], BeforeValidator(as_words)] = setting(
        (), "Tasks whose training rows keep their texts and get each other's labels at random: a control, since there "
        "is nothing to learn in them.", max_length=64, allowed="none or more of the experiment's tasks")
    data_seed: int | None = setting(None, "Seed of the few-shot sample; empty = the run's seed.", ge=0, lt=2**32)
    init_seed: int | None = setting(None, "Seed of the initialisation; empty = the run's seed.", ge=0, lt=2**32)

    @field_validator("*", mode="before")
    @classmethod
    def _a_value(cls, value: Any, info: Any) -> Any:
        """Refuses anything but values: Python would count true as 1, and pydantic would read 1_0 as 10."""
        if isinstance(value, Refused) or (
                has_bool(value) and not (value is False and info.field_name in ("gates", "lr_rule"))):
            raise ValueError("this is not a value of a setting")
        is_number = isinstance(value, str) and cls.model_fields[info.field_name].annotation in _NUMBERS
        return value if not is_number or (found := number(value)) is None else found
