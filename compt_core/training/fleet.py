"""A fleet: runs of one experiment that train together, in blocks of stacked runs; each run and task has an address.

R runs · K tasks · L prompt length · H hidden size · N prompt vectors of all runs. Runs of one structure (method, S,
lengths, …) form a block (`compt_core.methods.block`); a single run is a fleet of one block with R = 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from compt_core.backbone.load import Backbone
from compt_core.methods.block import Block, Starts, build_block
from compt_core.methods.method import Structure
from compt_core.methods.table import structure
from compt_core.settings.config import RunConfig


@dataclass
class Fleet:
    """Blocks of runs, and the positions of each run's prompts in the flat list of all prompt vectors."""

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
        """Indices [M] into :meth:`vectors` for the prompts of the rows, row after row, and each row's prompt length."""
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


def build_fleet(configs: Mapping[str, RunConfig], backbone: Backbone,
                starts: Mapping[str, Starts] = MappingProxyType({})) -> Fleet:
    """Initialise every run, those in `starts` with given prompts; runs of one structure are stacked in the given order.
    """
    groups: dict[Structure, list[str]] = {}
    for run, config in configs.items():
        groups.setdefault(structure(config), []).append(run)
    dtype = torch.float64 if backbone.model.dtype == torch.float64 else torch.float32
    return Fleet([build_block(runs, [configs[run] for run in runs], backbone.hidden, _Vocabulary(backbone),
                              backbone.device, dtype, starts) for runs in groups.values()], backbone)


@dataclass(frozen=True)
class _Vocabulary:
    """The pieces of a loaded backbone."""

    backbone: Backbone

    def pieces(self, draw: np.random.Generator, count: int) -> np.ndarray:
        table = self.backbone.model.get_input_embeddings().weight
        ids = draw.integers(0, len(self.backbone.tokenizer), count)
        return table[torch.from_numpy(ids).to(table.device)].double().cpu().numpy()

    def deviation(self) -> float:
        return self.backbone.table_deviation
