"""Runs of one experiment side by side: stacked parameters, composed prompts, one address per run and task.

R runs · K tasks · S sources · P, L prompt lengths · H hidden size · N prompt vectors of all runs.
Runs of one structure (method, S, lengths, …) form a block whose tensors have a leading run axis, so
that a step is a handful of batched operations however many runs there are; a solo run is R = 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compt_core.backbone.load import Backbone
from compt_core.composition.combine import FORMS, compose, shared_part
from compt_core.composition.encoder import encode
from compt_core.composition.gates import gate
from compt_core.composition.normalize import normalise
from compt_core.methods.table import Structure, fixed_gates, parameter_shapes, structure
from compt_core.settings.config import RunConfig
from compt_core.streams import stream


@dataclass
class Block:
    """Runs of one structure. `parameters` holds every trained tensor, each [R, …] as in `parameter_shapes`."""

    runs: tuple[str, ...]
    configs: tuple[RunConfig, ...]
    structure: Structure
    parameters: dict[str, Tensor]
    fixed_attention: Tensor | None  # [R, K, S] where attention is not learned
    fixed_gates: tuple[Tensor, Tensor]  # alpha, beta [R, K] where they are not learned

    def attention(self) -> Tensor | None:
        """Weights A [R, K, S]; None for methods without a shared part."""
        logits = self.parameters.get("attention.logits")
        return self.fixed_attention if logits is None else normalise(logits, str(self.structure.normalizer))

    def gates(self) -> tuple[Tensor, Tensor]:
        """(alpha, beta) [R, K]: private and shared gate, 1 where they are off, 0 for a part that is not there."""
        alpha, beta = (self.parameters.get(f"gate.{name}") for name in ("alpha", "beta"))
        return (self.fixed_gates[0] if alpha is None else gate(alpha),
                self.fixed_gates[1] if beta is None else gate(beta))

    def prompts(self, part: str) -> Tensor:
        """Encoded prompts of a part: "source" [R, S, P, H] or "private" [R, K, P, H]."""
        e = self.parameters[f"{part}.embedding"]
        if self.structure.encoder == "none":
            return e
        weights = [self.parameters[f"{part}.encoder.{name}"] for name in ("w1", "b1", "w2", "b2")]
        return encode(e, *weights, residual=self.structure.encoder == "residual")

    def parts(self) -> tuple[Tensor | None, Tensor | None]:
        """(shared part C [R, K, P, H], private part [R, K, P, H]) before gates; None for a missing one."""
        attention, s = self.attention(), self.structure
        shared = None if attention is None else shared_part(attention, self.prompts("source"))
        return shared, self.prompts("private") if s.private_length else None

    def compose(self) -> Tensor:
        """The composed prompt of every run and task [R, K, L, H]."""
        shared, private = self.parts()
        if shared is None or private is None:  # PT, MST: nothing to join
            only = private if shared is None else shared
            assert only is not None
            return only
        return compose(shared, private, *self.gates(), self.structure.form)

    def entering_parts(self) -> tuple[Tensor, Tensor] | None:
        """Both parts as they enter the prompt, gates applied; None for a method with one part."""
        shared, private = self.parts()
        if shared is None or private is None:
            return None
        return FORMS[self.structure.form](shared, private, *self.gates())


@dataclass
class Fleet:
    """Blocks of runs, and where each run's prompts stand in the flat list of all prompt vectors."""

    blocks: list[Block]
    backbone: Backbone

    def __post_init__(self) -> None:
        self.address: dict[tuple[str, int], tuple[int, int]] = {}  # (run, task index) -> (offset, length)
        self.slot: dict[str, tuple[Block, int]] = {}
        offset = 0
        for block in self.blocks:
            for r, run in enumerate(block.runs):
                self.slot[run] = block, r
                for k in range(block.structure.tasks):
                    self.address[run, k] = offset, block.structure.length
                    offset += block.structure.length

    def vectors(self) -> Tensor:
        """All composed prompts as one list of vectors [N, H], in the order of `address`."""
        return torch.cat([block.compose().flatten(0, 2) for block in self.blocks])

    def places(self, rows: Sequence[tuple[str, int]]) -> tuple[np.ndarray, list[int]]:
        """Indices into :meth:`vectors` [M] of the rows' prompts, row after row, and each row's prompt length."""
        spans = [self.address[row] for row in rows]
        index = np.concatenate([np.arange(offset, offset + length) for offset, length in spans])
        return index, [length for _, length in spans]

    def state(self, run: str) -> dict[str, Tensor]:
        """A copy of one run's parameters, without the run axis."""
        block, r = self.slot[run]
        return {name: tensor[r].detach().clone() for name, tensor in block.parameters.items()}

    def restore(self, run: str, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`state` returned."""
        block, r = self.slot[run]
        with torch.no_grad():
            for name, tensor in block.parameters.items():
                tensor[r] = state[name]


def build_fleet(configs: Mapping[str, RunConfig], backbone: Backbone) -> Fleet:
    """Initialise every run; runs of one structure are stacked in the order given."""
    groups: dict[Structure, list[str]] = {}
    for run, config in configs.items():
        groups.setdefault(structure(config), []).append(run)
    blocks = [_block(shape, runs, [configs[run] for run in runs], backbone) for shape, runs in groups.items()]
    return Fleet(blocks, backbone)


def _block(shape: Structure, runs: Sequence[str], configs: Sequence[RunConfig], backbone: Backbone) -> Block:
    dtype = torch.float64 if backbone.model.dtype == torch.float64 else torch.float32

    def put(arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(backbone.device, dtype)

    names = parameter_shapes(configs[0], backbone.hidden)
    initial = [_initial(config, names, backbone) for config in configs]
    constant = shape.sources and shape.attention != "learned"
    gates = [np.repeat(_constant_gates(config, shape), shape.tasks).reshape(2, -1) for config in configs]  # [2, K]
    return Block(
        tuple(runs), tuple(configs), shape,
        {name: put([run[name] for run in initial]).requires_grad_() for name in names},
        put([_constant_attention(config, shape) for config in configs]) if constant else None,
        (put([alpha for alpha, _ in gates]), put([beta for _, beta in gates])),
    )


def _constant_gates(config: RunConfig, shape: Structure) -> tuple[float, float]:
    if not shape.sources or not shape.private_length:  # PT: private alone; MST: shared alone
        return (0.0, 1.0) if shape.sources else (1.0, 0.0)
    return fixed_gates(config)


def _constant_attention(config: RunConfig, shape: Structure) -> np.ndarray:
    if isinstance(config.attention, tuple) and shape.attention == "fixed":
        return np.array(config.attention)  # [K, S]
    return np.full((shape.tasks, shape.sources), 1 / shape.sources)  # uniform; MST: its one source


def _initial(config: RunConfig, names: Mapping[str, tuple[int, ...]], backbone: Backbone) -> dict[str, np.ndarray]:
    """Initial values of one run, each tensor's rows from streams of their own: E ~ U(−init_range, init_range) or
    pieces of the vocabulary; Linear layers as torch's default; attention logits 0; gates N(0, .02)."""
    seed = config.seed if config.init_seed is None else config.init_seed
    owners: dict[str, Sequence[Any]] = {"source": range(config.sources), "private": config.tasks, "gate": config.tasks}
    values = {}
    for name, shape in names.items():
        part = name.split(".")[0]
        if part == "attention":
            values[name] = np.zeros(shape)
            continue
        rows: list[Any] = []
        for owner in list(owners[part])[: shape[0]]:
            draw = stream(seed, "init", name, owner)
            if part == "gate":
                rows.append(draw.normal(0, 0.02))
            elif name.endswith("embedding") and config.encoder == "none":
                rows.append(_pieces(backbone, draw.integers(0, len(backbone.tokenizer), shape[1])))
            elif name.endswith("embedding"):
                rows.append(draw.uniform(-config.init_range, config.init_range, shape[1:]))
            else:
                fan_in = backbone.hidden if name.endswith("1") else config.encoder_hidden
                rows.append(draw.uniform(-1, 1, shape[1:]) / np.sqrt(fan_in))
        values[name] = np.stack(rows)
    return values


def _pieces(backbone: Backbone, ids: np.ndarray) -> np.ndarray:
    table = backbone.model.get_input_embeddings().weight
    return table[torch.from_numpy(ids).to(table.device)].double().cpu().numpy()
