"""Stacked runs of one structure: their trained tensors, and the parts that prompts are composed of.

R runs · K tasks · S sources · P, L prompt lengths · H hidden size. Every tensor has a leading axis of runs, so that a
step is a handful of batched operations however many runs there are; a single run is R = 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from compt_core.composition.combine import shared_part
from compt_core.composition.encoder import encode
from compt_core.composition.gates import gate
from compt_core.composition.normalize import normalise
from compt_core.methods.method import Method, Parameter, Structure, Vocabulary
from compt_core.methods.table import METHODS, structure
from compt_core.streams import stream

if TYPE_CHECKING:
    from compt_core.settings.config import RunConfig


@dataclass
class Block:
    """Runs of one structure.

    declared    for each run, what its method says about every tensor that it trains, by name
    parameters  those tensors, each [R, …]; those of frozen parts need no gradient
    constants   what the settings fix, by name, as far as it applies: "attention" [R, K, S], "alpha" and "beta" [R, K]
    """

    runs: tuple[str, ...]
    configs: tuple[RunConfig, ...]
    structure: Structure
    declared: tuple[Mapping[str, Parameter], ...]
    parameters: dict[str, Tensor]
    constants: dict[str, Tensor]

    @property
    def method(self) -> Method:
        """The method of these runs."""
        return METHODS[self.structure.method]

    def attention(self) -> Tensor | None:
        """Weights A [R, K, S], learned or fixed; None for methods that mix no sources."""
        logits = self.parameters.get("attention.logits")
        return self.constants.get("attention") if logits is None else normalise(logits, str(self.structure.normalizer))

    def gates(self) -> tuple[Tensor, Tensor]:
        """(alpha, beta) [R, K] of a composed method: its private and its shared gate, 1 if they are off."""
        alpha, beta = (self.parameters.get(f"gate.{name}") for name in ("alpha", "beta"))
        return (self.constants["alpha"] if alpha is None else gate(alpha),
                self.constants["beta"] if beta is None else gate(beta))

    def prompts(self, part: str) -> Tensor:
        """Encoded prompts of a part: "source" [R, S, P, H] or "private" [R, K, P, H]."""
        e = self.parameters[f"{part}.embedding"]
        if self.structure.encoder == "none":
            return e
        weights = [self.parameters[f"{part}.encoder.{name}"] for name in ("w1", "b1", "w2", "b2")]
        return encode(e, *weights, residual=self.structure.encoder == "residual")

    def mix(self) -> Tensor:
        """The shared part C [R, K, P, H] of every task: sources mixed by attention. Raises ValueError without any."""
        attention = self.attention()
        if attention is None:
            raise ValueError(f"The method '{self.structure.method}' has no attention to mix sources with.")
        return shared_part(attention, self.prompts("source"))

    def compose(self) -> Tensor:
        """The composed prompt of every run and task [R, K, L, H]."""
        return self.method.compose(self)

    def entering(self) -> tuple[Tensor, Tensor] | None:
        """Both parts as they enter the prompt, gates applied; None for a method with one part."""
        return self.method.entering(self) if self.method.entering else None


Starts = Mapping[str, np.ndarray]  # "source" or "private" -> a run's first prompts [n, P, H]


def build_block(runs: Sequence[str], configs: Sequence[RunConfig], hidden: int, vocabulary: Vocabulary,
                device: torch.device, dtype: torch.dtype, starts: Mapping[str, Starts] = MappingProxyType({})) -> Block:
    """Runs of one structure with their initial values, on a backbone of hidden size H. Runs in `starts` begin with
    given prompts: E is the prompt, and the encoder's last layer is 0, so that E + MLP(E) is the prompt as well."""
    def put(arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(device, dtype)

    method = METHODS[configs[0].method]
    declared = [{one.name: one.on(vocabulary) for one in method.parameters(config, hidden)} for config in configs]
    initial = [{name: _start(config, one, vocabulary, starts.get(run, {})) for name, one in own.items()}
               for run, config, own in zip(runs, configs, declared, strict=True)]
    fixed, shape = [method.constants(config) for config in configs], structure(configs[0])
    return Block(
        tuple(runs), tuple(configs), shape, tuple(declared),
        {name: put([run[name] for run in initial]).requires_grad_(one.part not in shape.frozen)
         for name, one in declared[0].items()},
        {name: put([run[name] for run in fixed]) for name in fixed[0]})


def _start(config: RunConfig, one: Parameter, vocabulary: Vocabulary, given: Starts) -> np.ndarray:
    """The initial values of a tensor: given ones, or random ones, where each row has its own stream."""
    part, _, name = one.name.partition(".")
    if part in given and name == "embedding":
        return np.asarray(given[part], np.float64).reshape(one.shape)
    if part in given and name in ("encoder.w2", "encoder.b2"):
        return np.zeros(one.shape)
    seed = config.seed if config.init_seed is None else config.init_seed
    return np.stack([one.start(stream(seed, "init", one.name, owner), vocabulary) for owner in one.owners])
