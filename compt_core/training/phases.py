"""Tasks in sequence: which sources no longer move, and the dev scores after each phase.

S sources · K tasks. A finished task's own tensors stay as they are in any case, because tasks move only in steps with a
row of theirs. What later tasks can spoil are the sources that they share with it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from compt_core.training.fleet import Fleet
from compt_core.training.optim import SOURCE
from compt_core.training.plan import RunPlan

_SLACK = 1e-6  # below 1 / S, for weights that are equal but for rounding


def held_sources(fleet: Fleet, run: str, plan: RunPlan, step: int) -> tuple[int, ...]:
    """The sources of a run that stay as they are in step `step` (from 0), by its setting `freeze_after`.

    With "used" these are the sources to which a task of an earlier phase gives a weight of at least 1 / S. That task's
    weights do not move any more, so a run that goes on from a checkpoint finds the same ones.
    """
    phase, how = plan.phase(step)[0], plan.config.freeze_after
    if not phase or how == "private":
        return ()
    block, r = fleet.slot[run]
    sources = block.structure.sources
    attention = block.attention()
    if how == "all" or attention is None:  # one source that every task uses
        return tuple(range(sources))
    done = [k for tasks in plan.config.order[:phase] for k in tasks]
    with torch.no_grad():
        used = (attention[r, done] >= 1 / sources - _SLACK).any(dim=0)  # [S]
    return tuple(used.nonzero().flatten().tolist())


def hold(fleet: Fleet, held: Mapping[str, tuple[int, ...]]) -> None:
    """Sets the gradients of held sources to 0, so that clipping takes the others alone."""
    for run, sources in held.items():
        block, r = fleet.slot[run]
        for name, tensor in block.parameters.items():
            if sources and name.startswith(SOURCE) and tensor.grad is not None:
                tensor.grad[r, list(sources)] = 0
