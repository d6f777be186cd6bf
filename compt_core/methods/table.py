"""The methods by name, in the order of every table and list. Loads no torch.

    PT    a prompt per task                                  Lester et al., arXiv 2104.08691
    MST   one prompt for all tasks
    MPT   one prompt, scaled for each task                   Wang et al., arXiv 2303.02861
    SPP   mixed sources plus a private prompt                ComPT, arXiv 2408.13227
    SCP   mixed sources in front of a private prompt         ComPT, arXiv 2408.13227

To add a method, write a file next to these and add its METHOD here. Settings, fleets, store, pages and the common
tests take it from the table.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from compt_core.methods import mpt, mst, pt, scp, spp
from compt_core.methods.method import Method, Structure

if TYPE_CHECKING:
    from compt_core.settings.config import RunConfig

METHODS: dict[str, Method] = {method.name: method for method in (
    pt.METHOD, mst.METHOD, mpt.METHOD, spp.METHOD, scp.METHOD)}


def structure(config: RunConfig) -> Structure:
    """The structure of a run with options resolved: `auto` normaliser, half lengths, gates that are not needed."""
    return replace(METHODS[config.method].structure(config), frozen=tuple(sorted(config.freeze)))


def parameter_shapes(config: RunConfig, hidden: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape, for exactly the tensors that a run trains on a backbone of hidden size H."""
    return {one.name: one.shape for one in METHODS[config.method].parameters(config, hidden)
            if one.part not in config.freeze}


def trainable_parameters(config: RunConfig, hidden: int) -> int:
    """How many numbers a run trains on a backbone of hidden size H."""
    return sum(math.prod(shape) for shape in parameter_shapes(config, hidden).values())
