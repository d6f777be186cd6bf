"""MPT: one shared prompt, scaled for each task by a rank-one matrix (Wang et al., ICLR 2023, arXiv 2303.02861).

P_t = source ⊙ (u_t v_tᵀ) with u_t [P] and v_t [H]. It is trained from scratch on all tasks together, without the
paper's distillation from prompts of single tasks. u and v start at 1, so that every task begins with the shared prompt
itself; they learn at the rate of private prompts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from compt_core.methods import parts
from compt_core.methods.method import Method, Parameter, Structure

if TYPE_CHECKING:
    from torch import Tensor

    from compt_core.methods.block import Block
    from compt_core.settings.config import RunConfig

LR = 0.02  # of u and v if the settings give none: steps of 2% of their initial value


def structure(config: RunConfig) -> Structure:
    """One source of length P."""
    return Structure("mpt", len(config.tasks), 1, config.prompt_length, 0, config.encoder, config.encoder_hidden)


def parameters(config: RunConfig, hidden: int) -> tuple[Parameter, ...]:
    """The shared prompt, and u [K, P] and v [K, H] for the tasks."""
    def scale(name: str, width: int) -> Parameter:
        rate = LR if config.lr_private is None else config.lr_private
        return Parameter(f"scale.{name}", (len(config.tasks), width), config.tasks, lambda draw, _: np.ones(width),
                         rate, config.weight_decay_prompt, by_task=True)

    return (*parts.prompts("source", range(1), config.prompt_length, config, hidden, parts.rates(config)),
            scale("u", config.prompt_length), scale("v", hidden))


def compose(block: Block) -> Tensor:
    """The shared prompt times each task's matrix: [R, 1, P, H] ⊙ [R, K, P, H] -> [R, K, P, H]."""
    u, v = block.parameters["scale.u"], block.parameters["scale.v"]
    return block.prompts("source") * (u[..., None] * v[..., None, :])


METHOD = Method("mpt", "MPT", "one shared prompt, scaled for each task by a rank-one matrix", structure, parameters,
                compose, ignores=parts.COMPOSITION,
                lacks="MPT has no attention, gates or private prompts: each task scales the one shared prompt "
                      "by its own matrix.")
