"""SPP: ComPT's sum of source prompts, mixed by attention, and a private prompt (arXiv 2408.13227, section 3).

P_t = (beta_t C_t + alpha_t private_t) / (alpha_t + beta_t) with C_t = sum_s A[t, s] source_s; the setting `form` offers
other ways to join the two. The length is P.
"""

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
    """S sources and a private prompt for each task, all of length P."""
    return composed("spp", config, config.prompt_length, config.form)


def composed(name: str, config: RunConfig, length: int, form: str) -> Structure:
    """The structure of a composed method whose two parts have the same length."""
    learned = config.attention == "learned"
    return Structure(
        name, len(config.tasks), config.sources, length, length, config.encoder, config.encoder_hidden, form,
        parts.resolve_normalizer(config)[0] if learned else None, "learned" if learned else "fixed",
        parts.learned_gates(config))


def parameters(config: RunConfig, hidden: int) -> tuple[Parameter, ...]:
    """Sources, private prompts, attention and gates."""
    return parameters_of(structure(config), config, hidden)


def parameters_of(shape: Structure, config: RunConfig, hidden: int) -> tuple[Parameter, ...]:
    """The parameters of a composed method with this structure."""
    at = parts.rates(config, composed=True)
    return (*parts.prompts("source", range(shape.sources), shape.shared_length, config, hidden, at),
            *parts.prompts("private", config.tasks, shape.private_length, config, hidden, at),
            *parts.attention(config, at), *parts.gates(config, shape, at))


def constants(config: RunConfig) -> Mapping[str, np.ndarray]:
    """Attention and gates that are not learned."""
    return constants_of(structure(config), config)


def constants_of(shape: Structure, config: RunConfig) -> Mapping[str, np.ndarray]:
    """The constants of a composed method with this structure: attention [K, S] if it is fixed, gates [K]."""
    fixed = {name: np.repeat(value, shape.tasks)
             for name, value in zip(("alpha", "beta"), parts.fixed_gates(config, shape.form), strict=True)}
    return fixed if shape.attention == "learned" else fixed | {"attention": parts.fixed_attention(config)}


def compose(block: Block) -> Tensor:
    """Both parts joined by the form [R, K, L, H]."""
    from compt_core.composition.combine import compose as join

    return join(block.mix(), block.prompts("private"), *block.gates(), block.structure.form)


def entering(block: Block) -> tuple[Tensor, Tensor]:
    """(shared, private) part as they enter the prompt, gates applied."""
    from compt_core.composition.combine import FORMS

    return FORMS[block.structure.form](block.mix(), block.prompts("private"), *block.gates())


METHOD = Method("spp", "ComPT (SPP)", "shared sources plus a private prompt", structure, parameters, compose, constants,
                entering, composed=True, ignores=frozenset({"scp_length"}))
