"""The parts that methods are made of: prompts with their encoders, attention and gates, and their learning rates.

K tasks · S sources · P prompt length · H hidden size · D encoder width. Loads no torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from compt_core.errors import plural
from compt_core.methods.method import Parameter, Start, Structure, Vocabulary

if TYPE_CHECKING:
    from compt_core.settings.config import RunConfig

GATES_OF_FORM = {"mean": ("gate.alpha", "gate.beta"), "concat": ("gate.alpha", "gate.beta"),
                 "gated_sum": ("gate.alpha",), "sum": ()}
# Settings of mixed sources and gates, which only composed methods read.
COMPOSITION = frozenset({"sources", "normalizer", "attention", "gates", "alpha", "beta", "form", "scp_length",
                         "lr_attention", "lr_gate", "lr_rule", "weight_decay_weights"})
VOCABULARY_LR = 0.25  # if the embedding itself is the prompt (encoder "none"), in the table's standard deviations


@dataclass(frozen=True)
class Rates:
    """Peak learning rates of a run's parts, after defaults and rules; `by_table` names the prompts whose rate is in
    units of the embedding table's standard deviation."""

    source: float
    private: float
    encoder: float
    attention: float
    gate: float
    by_table: frozenset[str] = frozenset()


def rates(config: RunConfig, *, independent: bool = False, composed: bool = False) -> Rates:
    """Peak learning rates. An empty rate for prompts becomes .05 for sources and for independent tasks, and .02 for
    private prompts that are combined with sources. With encoder "none" it is VOCABULARY_LR for all, in units of the
    backbone's embedding table: the prompts start there, and what counts is the step relative to their size.

    ``lr_rule: author`` scales attention, private and source rates by S, as in the author's published settings; only
    composed methods have an S.
    """
    bare = config.encoder == "none"
    source, private = config.lr_source, config.lr_private
    if source is None:
        source = VOCABULARY_LR if bare else 0.05
    if private is None:
        private = VOCABULARY_LR if bare else 0.05 if independent else 0.02
    attention = config.lr_attention
    by_table = frozenset(part for part, own in (("source", config.lr_source), ("private", config.lr_private))
                         if config.units == "table" or (bare and own is None))
    if config.lr_rule == "author" and composed:
        growth = 1 + math.log(config.sources)
        attention, private, source = attention / math.sqrt(config.sources), private / growth, min(source * growth, 0.15)
    return Rates(source, private, config.lr_encoder, attention, config.lr_gate, by_table)


def prompts(part: Literal["source", "private"], owners: Sequence[Any], length: int, config: RunConfig, hidden: int,
            at: Rates) -> tuple[Parameter, ...]:
    """The prompts of a part, one for each owner: embeddings E [n, P, H], and the weights of their encoders (paper,
    section 3), Linear(H, D) and Linear(D, H), initialised as in torch. E ~ U(−init_range, init_range), or pieces of
    the vocabulary if E itself is the prompt. With ``units: table``, init_range is in units of the embedding table's
    standard deviation."""
    n, width, bare = len(owners), config.encoder_hidden, config.encoder == "none"

    def trained(name: str, shape: tuple[int, ...], start: Start, rate: float, by_table: bool = False
                ) -> Parameter:
        return Parameter(f"{part}.{name}", (n, *shape), owners, start, rate, config.weight_decay_prompt,
                         by_task=part == "private", by_table=by_table)

    def piece(draw: np.random.Generator, vocabulary: Vocabulary) -> np.ndarray:
        return vocabulary.pieces(draw, length)

    embedding = trained("embedding", (length, hidden), piece if bare else
                        _uniform((length, hidden), config.init_range, config.units == "table"), getattr(at, part),
                        part in at.by_table)
    layers: tuple[tuple[str, tuple[int, ...], int], ...] = (
        ("w1", (hidden, width), hidden), ("b1", (width,), hidden),
        ("w2", (width, hidden), width), ("b2", (hidden,), width))
    return (embedding, *(trained(f"encoder.{name}", shape, _linear(shape, fan_in), at.encoder)
                         for name, shape, fan_in in layers if not bare))


def _uniform(shape: tuple[int, ...], most: float, by_table: bool) -> Start:
    def start(draw: np.random.Generator, vocabulary: Vocabulary) -> np.ndarray:
        limit = most * vocabulary.deviation() if by_table else most
        return draw.uniform(-limit, limit, shape)

    return start


def _linear(shape: tuple[int, ...], fan_in: int) -> Start:
    """Initial weights of a Linear layer with `fan_in` inputs, as in torch."""
    return lambda draw, _: draw.uniform(-1, 1, shape) / np.sqrt(fan_in)


def attention(config: RunConfig, at: Rates) -> tuple[Parameter, ...]:
    """Logits [K, S] of learned attention, 0 at the start; none if it is fixed."""
    if config.attention != "learned":
        return ()
    return (Parameter("attention.logits", (len(config.tasks), config.sources), config.tasks, by_task=True,
                      start=lambda draw, _: np.zeros(config.sources), rate=at.attention,
                      decay=config.weight_decay_weights),)


def gates(config: RunConfig, shape: Structure, at: Rates) -> tuple[Parameter, ...]:
    """Scalars [K] behind the gates that the form has, N(0, .02) at the start; none if gates are fixed."""
    if shape.gates != "learned":
        return ()
    return tuple(Parameter(name, (shape.tasks,), config.tasks, lambda draw, _: draw.normal(0, 0.02), at.gate,
                           config.weight_decay_weights, by_task=True) for name in GATES_OF_FORM[shape.form])


def learned_gates(config: RunConfig) -> Literal["learned", "fixed"]:
    """Whether a composed method's gates are trained. One source with a learned sigmoid weight needs no gates: the
    weight does what gates would do."""
    own_gate = config.sources == 1 and config.normalizer == "auto" and config.attention == "learned"
    return "learned" if config.gates == "learned" and not own_gate else "fixed"


def fixed_attention(config: RunConfig) -> np.ndarray:
    """Attention [K, S] that is not learned: the given matrix, or uniform."""
    if isinstance(config.attention, tuple):
        return np.array(config.attention)
    return np.full((len(config.tasks), config.sources), 1 / config.sources)


def fixed_gates(config: RunConfig, form: str) -> tuple[float, float]:
    """(alpha, beta) that are not learned: the fixed settings, or 1 if gates are off or not in the form."""
    if config.gates != "fixed":
        return 1.0, 1.0
    used = GATES_OF_FORM[form]
    return (float(config.alpha or 0) if "gate.alpha" in used else 1.0,
            float(config.beta or 0) if "gate.beta" in used else 1.0)


def resolve_normalizer(config: RunConfig) -> tuple[str, str]:
    """(normaliser used, why), by the paper's `auto` rule for S sources and K tasks."""
    s, k = config.sources, len(config.tasks)
    if config.normalizer != "auto":
        return config.normalizer, "chosen in the settings"
    if s == 1:
        return "sigmoid", "with one source, its weight is itself a gate, and alpha and beta are not learned"
    if s <= k // 2:
        return "softmax", f"S = {plural(s, 'source')}, at most half of K = {plural(k, 'task')}"
    return "sparsemax", f"S = {plural(s, 'source')}, more than half of K = {plural(k, 'task')}"
