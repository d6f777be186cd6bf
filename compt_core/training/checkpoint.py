"""Checkpoints of runs in a fleet: taken between two steps, put back before the first.

Rows, dropout and order follow from (seed, step). So a run's future depends only on its parameters, the optimizer's
memory, the best step so far and the step itself. A run that continues in the same fleet, with all runs at the step of
one :meth:`~compt_core.training.events.Keeper.keep`, ends with the same bits as if it had never stopped (on a CPU, with
the same number of threads).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compt_core.training.best import Best
from compt_core.training.events import Checkpoint
from compt_core.training.fleet import Fleet
from compt_core.training.optim import AdamW, count_shape
from compt_core.training.plan import RunPlan

_BEST = "best."


def take(fleet: Fleet, optimizers: Mapping[int, AdamW], best: Best | None, run: str, step: int,
         seconds: float) -> Checkpoint:
    """The run after `step` steps and `seconds` of training; optimizers are given by the id of their block."""
    tensors = {name: view.detach().cpu().numpy().copy() for name, view in _views(fleet, optimizers, run).items()}
    if best is not None:
        tensors |= {name: tensor.detach().cpu().numpy() for name, tensor in best.state().items()}
    return Checkpoint(step, tensors, seconds)


def put(fleet: Fleet, optimizers: Mapping[int, AdamW], best: Best | None, run: str, checkpoint: Checkpoint) -> None:
    """Sets the run to a checkpoint that :func:`take` made and that :func:`fits` the run."""
    with torch.no_grad():
        for name, view in _views(fleet, optimizers, run).items():
            view.copy_(_tensor(checkpoint.tensors[name]))
    if best is not None:
        device = fleet.backbone.device
        best.go_on({name: _tensor(array).to(device) for name, array in checkpoint.tensors.items()
                    if name.startswith(_BEST)})


def fits(fleet: Fleet, plan: RunPlan, run: str, checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has exactly the tensors that the run needs to continue."""
    block, _ = fleet.slot[run]
    wanted = {f"{kind}/{name}": count_shape(block, name) if kind == "count" else tuple(tensor.shape[1:])
              for kind in ("parameter", "first", "second", "count") for name, tensor in block.parameters.items()}
    before = {f"count/{name}": () for name in block.parameters}  # earlier versions had one count for all tasks
    found = {name: np.shape(array) for name, array in checkpoint.tensors.items() if not name.startswith(_BEST)}
    return found in (wanted, wanted | before) and bool(plan.held_out) == (f"{_BEST}loss" in checkpoint.tensors) \
        and 0 <= checkpoint.step <= plan.steps


def _views(fleet: Fleet, optimizers: Mapping[int, AdamW], run: str) -> dict[str, Tensor]:
    """Name -> the run's slice of every tensor that training changes."""
    block, r = fleet.slot[run]
    stacked = {"parameter": block.parameters, **optimizers[id(block)].moments()}
    return {f"{kind}/{name}": tensor[r] for kind, tensors in stacked.items() for name, tensor in tensors.items()}


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.array(array))
