"""The methods as rows of one composition, and the tensors each of them trains. Loads no torch.

Every method composes the prompt of task t from a shared part C_t = sum_s A[t, s] source_s and a
private part; it only says which of the two it has and how they are joined:

    PT    private only                     a prompt per task (Lester et al., arXiv 2104.08691)
    MST   one source, A = 1                one prompt for all tasks, trained on all
    SPP   sources plus private             ComPT, arXiv 2408.13227: length P
    SCP   sources concatenated with private

To add a method, add a row to METHODS, its name to `config.MethodName` and, if it joins its parts in
a new way, a function to `composition.combine.FORMS`. The fleet, the store, the tables and the
common tests take it from there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from compt_core.errors import plural
from compt_core.settings.config import RunConfig


@dataclass(frozen=True)
class Method:
    """One row of the table: which parts a method has, how they are joined, and its name in full."""

    name: str
    title: str
    shared: bool
    private: bool
    composed: bool = True  # has attention over several sources and gates; else there is nothing to learn there
    concat: bool = False
    summary: str = ""


METHODS: dict[str, Method] = {
    method.name: method for method in (
        Method("pt", "PT", shared=False, private=True, composed=False, summary="an independent prompt per task"),
        Method("mst", "MST", shared=True, private=False, composed=False, summary="one prompt shared by all tasks"),
        Method("spp", "ComPT (SPP)", shared=True, private=True, summary="shared sources plus a private prompt"),
        Method("scp", "ComPT (SCP)", shared=True, private=True, concat=True,
               summary="shared sources concatenated with a private prompt"),
    )
}


@dataclass(frozen=True)
class Structure:
    """Everything that fixes the shapes and the formula of a run: runs of one structure are stacked.

    Sizes: tasks K, sources S (0 without a shared part), lengths of the shared and the private part.
    """

    method: str
    tasks: int
    sources: int
    shared_length: int
    private_length: int
    form: str
    normalizer: str | None  # None where no attention is learned
    attention: Literal["learned", "fixed"] | None
    gates: Literal["learned", "fixed"] | None
    encoder: str
    encoder_hidden: int

    @property
    def composed(self) -> bool:
        """Whether it has attention over sources, learned or fixed, and gates."""
        return METHODS[self.method].composed

    @property
    def length(self) -> int:
        """Vectors of the composed prompt."""
        if self.form == "concat":
            return self.shared_length + self.private_length
        return max(self.shared_length, self.private_length)


GATES_OF_FORM = {"mean": ("gate.alpha", "gate.beta"), "concat": ("gate.alpha", "gate.beta"),
                 "gated_sum": ("gate.alpha",), "sum": ()}


def structure(config: RunConfig) -> Structure:
    """The structure of a run, options resolved: `auto` normaliser, half lengths, gates that fall away."""
    method, k, p = METHODS[config.method], len(config.tasks), config.prompt_length
    half = p if config.scp_length == "each" else -(-p // 2)
    part = half if method.concat else p
    gates: Literal["learned", "fixed"] | None = None
    if method.composed:
        gates = "learned" if config.gates == "learned" and not _is_its_own_gate(config) else "fixed"
    return Structure(
        method=method.name, tasks=k,
        sources=(config.sources if method.composed else 1) if method.shared else 0,
        shared_length=part if method.shared else 0,
        private_length=part if method.private else 0,
        form="concat" if method.concat else config.form if method.composed else "mean",
        normalizer=resolve_normalizer(config)[0] if method.composed and config.attention == "learned" else None,
        attention=None if not method.composed else "learned" if config.attention == "learned" else "fixed",
        gates=gates, encoder=config.encoder, encoder_hidden=config.encoder_hidden,
    )


def _is_its_own_gate(config: RunConfig) -> bool:
    """Whether the one source's learned sigmoid weight does what gates would do."""
    return config.sources == 1 and config.normalizer == "auto" and config.attention == "learned"


def resolve_normalizer(config: RunConfig) -> tuple[str, str]:
    """(normaliser used, why): the `auto` rule of the paper by S sources and K tasks."""
    s, k = config.sources, len(config.tasks)
    if config.normalizer != "auto":
        return config.normalizer, "chosen in the settings"
    if s == 1:
        return "sigmoid", "one source: its weight is a gate of its own, and alpha and beta are not learned"
    if s <= k // 2:
        return "softmax", f"S = {plural(s, 'source')}, at most half of K = {plural(k, 'task')}"
    return "sparsemax", f"S = {plural(s, 'source')}, more than half of K = {plural(k, 'task')}"


def fixed_gates(config: RunConfig) -> tuple[float, float]:
    """(alpha, beta) where they are not learned: the fixed settings; 1 with gates off or not in the form."""
    if config.gates != "fixed":
        return 1.0, 1.0
    used = GATES_OF_FORM[structure(config).form]
    return (float(config.alpha or 0) if "gate.alpha" in used else 1.0,
            float(config.beta or 0) if "gate.beta" in used else 1.0)


def parameter_shapes(config: RunConfig, hidden: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor that a run trains on a backbone of hidden size H, and of no other."""
    s = structure(config)
    shapes: dict[str, tuple[int, ...]] = {}
    for part, count, length in (("source", s.sources, s.shared_length), ("private", s.tasks, s.private_length)):
        if length == 0:
            continue
        shapes[f"{part}.embedding"] = (count, length, hidden)
        if s.encoder != "none":
            shapes[f"{part}.encoder.w1"] = (count, hidden, s.encoder_hidden)
            shapes[f"{part}.encoder.b1"] = (count, s.encoder_hidden)
            shapes[f"{part}.encoder.w2"] = (count, s.encoder_hidden, hidden)
            shapes[f"{part}.encoder.b2"] = (count, hidden)
    if s.attention == "learned":
        shapes["attention.logits"] = (s.tasks, s.sources)
    for name in GATES_OF_FORM[s.form] if s.gates == "learned" else ():
        shapes[name] = (s.tasks,)
    return shapes


@dataclass(frozen=True)
class Rates:
    """Peak learning rates of a run's parts, after defaults and rules."""

    source: float
    private: float
    encoder: float
    attention: float
    gate: float


VOCABULARY_LR = 0.3  # where the embedding itself is the prompt (encoder "none")


def learning_rates(config: RunConfig) -> Rates:
    """Peak learning rates; with encoder "none" empty prompt rates become .3 (Lester et al.).

    ``lr_rule: author`` scales attention, private and source rates by S, as in the author's published settings.
    """
    bare = config.encoder == "none"
    source, private = config.lr_source, config.lr_private
    if source is None:
        source = VOCABULARY_LR if bare else 0.05
    if private is None:
        private = VOCABULARY_LR if bare else 0.05 if config.method == "pt" else 0.02
    attention = config.lr_attention
    if config.lr_rule == "author" and METHODS[config.method].composed:  # PT and MST have no S
        growth = 1 + math.log(config.sources)
        attention, private, source = attention / math.sqrt(config.sources), private / growth, min(source * growth, 0.15)
    return Rates(source, private, config.lr_encoder, attention, config.lr_gate)
