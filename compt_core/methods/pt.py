"""PT: prompt tuning, an independent prompt for each task (Lester et al., arXiv 2104.08691)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compt_core.methods import parts
from compt_core.methods.method import Method, Parameter, Structure

if TYPE_CHECKING:
    from torch import Tensor

    from compt_core.methods.block import Block
    from compt_core.settings.config import RunConfig


def structure(config: RunConfig) -> Structure:
    """A private prompt of length P for each task."""
    return Structure("pt", len(config.tasks), 0, 0, config.prompt_length, config.encoder, config.encoder_hidden)


def parameters(config: RunConfig, hidden: int) -> tuple[Parameter, ...]:
    """The private prompts."""
    return parts.prompts("private", config.tasks, config.prompt_length, config, hidden,
                         parts.rates(config, independent=True))


def compose(block: Block) -> Tensor:
    """A task's prompt is its private prompt [R, K, P, H]."""
    return block.prompts("private")


METHOD = Method("pt", "PT", "an independent prompt per task", structure, parameters, compose,
                independent=True, repeats=True, ignores=parts.COMPOSITION | {"lr_source"},
                lacks="PT has no sources, attention or gates: each task has its own prompt.")
