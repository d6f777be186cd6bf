"""MST: one prompt for all tasks, trained on the rows of all of them (the paper's shared baseline)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from compt_core.methods import parts
from compt_core.methods.method import Method, Parameter, Structure

if TYPE_CHECKING:
    from torch import Tensor

    from compt_core.methods.block import Block
    from compt_core.settings.config import RunConfig


def structure(config: RunConfig) -> Structure:
    """One source of length P."""
    return Structure("mst", len(config.tasks), 1, config.prompt_length, 0, config.encoder, config.encoder_hidden)


def parameters(config: RunConfig, hidden: int) -> tuple[Parameter, ...]:
    """The one source."""
    return parts.prompts("source", range(1), config.prompt_length, config, hidden, parts.rates(config))


def constants(config: RunConfig) -> Mapping[str, np.ndarray]:
    """Every task takes the one source with weight 1 [K, 1]."""
    return {"attention": np.ones((len(config.tasks), 1))}


def compose(block: Block) -> Tensor:
    """Every task's prompt is the source [R, K, P, H]."""
    return block.mix()


METHOD = Method("mst", "MST", "one prompt shared by all tasks", structure, parameters, compose, constants,
                repeats=True, ignores=parts.COMPOSITION | {"lr_private"},
                lacks="MST has no private prompts, attention or gates: all tasks share one prompt.")
