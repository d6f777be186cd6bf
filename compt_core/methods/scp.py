"""SCP: ComPT's concatenation of the mixed sources and, after them, the private prompt (arXiv 2408.13227, section 3).

P_t = [beta_t C_t ; alpha_t private_t]. With scp_length "total" each half has P / 2 vectors, rounded up, so that the
prompt is about as long as the other methods' prompts; with "each" both halves have P.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from compt_core.methods import spp
from compt_core.methods.method import Method, Parameter, Structure

if TYPE_CHECKING:
    from compt_core.settings.config import RunConfig


def structure(config: RunConfig) -> Structure:
    """The structure of SPP, but the two parts are the halves of a concatenation."""
    half = config.prompt_length if config.scp_length == "each" else -(-config.prompt_length // 2)
    return spp.composed("scp", config, half, "concat")


def parameters(config: RunConfig, hidden: int) -> tuple[Parameter, ...]:
    """Sources, private prompts, attention and gates."""
    return spp.parameters_of(structure(config), config, hidden)


def constants(config: RunConfig) -> Mapping[str, np.ndarray]:
    """Attention and gates that are not learned."""
    return spp.constants_of(structure(config), config)


METHOD = Method("scp", "ComPT (SCP)", "shared sources concatenated with a private prompt", structure, parameters,
                spp.compose, constants, spp.entering, composed=True, ignores=frozenset({"form"}))
