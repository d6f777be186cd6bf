"""The training loop of a fleet: rate → forward and backward → clip → step → report → stop?

One step serves all runs that are still going: their rows go through the frozen backbone together,
each with its own composed prompt. A run that ends, fails, pauses or is cancelled leaves; the others
go on unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from compt_core.errors import ComptError
from compt_core.fleet import Fleet
from compt_core.training.best import Best
from compt_core.training.events import Ask, Event, OnEvent
from compt_core.training.optim import AdamW, clip, schedule
from compt_core.training.passes import Item, Losses, forward_backward
from compt_core.training.plan import RunPlan

POINTS = 100  # attention and gate snapshots per run, the initial one apart

Ended = Literal["completed", "failed", "cancelled", "paused"]


class TrainingError(ComptError):
    """A run that cannot go on, such as one whose loss is not finite."""


def train(
    fleet: Fleet, plans: Mapping[str, RunPlan], on_event: OnEvent, control: Ask,
    on_end: Callable[[str, Ended, ComptError | None], None],
) -> None:
    """Train every run of `plans` to its last step, in place.

    control(run) is asked before each step; on_end(run, state, error) is called as a run leaves the
    fleet, its parameters final. Raises nothing of its own: a run whose loss is not finite ends as
    failed.
    """
    optimizers = [AdamW(block) for block in fleet.blocks]
    going = list(plans)
    best = {run: Best(fleet, run, plan) for run, plan in plans.items() if plan.held_out}
    for run in going:
        _report_weights(fleet, run, 0, on_event)
    step = 0
    while going:
        for run in list(going):
            if step < plans[run].steps and (asked := control(run)) != "keep":
                going.remove(run)
                on_end(run, "cancelled" if asked == "cancel" else "paused", None)
        items: list[Item] = [(run, example) for run in going for example in plans[run].batch(step)]
        if not items:
            break
        losses = forward_backward(fleet, items, step, plans)
        norms = [clip(block) for block in fleet.blocks]
        for run in _not_finite(fleet, norms, losses, plans, going):
            going.remove(run)
            on_end(run, "failed", TrainingError(
                f"The loss or gradient of run '{run}' is not finite at step {step + 1}. "
                "Lower its learning rates (source, private, encoder, attention, gate) or its clip, and run it again."))
        for block, optimizer in zip(fleet.blocks, optimizers, strict=True):
            optimizer.step([_factor(plans[run], step) if run in going else 0.0 for run in block.runs])
        step += 1
        for run in list(going):
            _report(fleet, plans[run], run, step, losses, on_event)
            if run in best and (step % max(1, plans[run].steps // 10) == 0 or step == plans[run].steps):
                best[run].look()
            if step == plans[run].steps:
                going.remove(run)
                if run in best:
                    best[run].restore()
                on_end(run, "completed", None)


def _factor(plan: RunPlan, step: int) -> float:
    return schedule(step, plan.steps, plan.config.warmup)


def _not_finite(
    fleet: Fleet, norms: Sequence[Tensor], losses: Losses, plans: Mapping[str, RunPlan], going: Sequence[str]
) -> list[str]:
    """Runs that must not take this step: it would spoil their prompts and stop the whole block."""
    finite = {run: ok for block, norm in zip(fleet.blocks, norms, strict=True)
              for run, ok in zip(block.runs, norm.isfinite().tolist(), strict=True)}
    return [r for r in going if not finite[r] or not math.isfinite(losses.of(r, len(plans[r].train))[0])]


def _report(fleet: Fleet, plan: RunPlan, run: str, step: int, losses: Losses, on_event: OnEvent) -> None:
    loss, each = losses.of(run, len(plan.train))
    on_event(Event(run, "loss", step, (loss,)))
    on_event(Event(run, "task_loss", step, each))
    if step % math.ceil(plan.steps / POINTS) == 0 or step == plan.steps:
        _report_weights(fleet, run, step, on_event)


def _report_weights(fleet: Fleet, run: str, step: int, on_event: OnEvent) -> None:
    block, r = fleet.slot[run]
    attention = block.attention()
    if attention is None or not block.structure.composed:
        return
    on_event(Event(run, "attention", step, tuple(attention[r].detach().flatten().tolist())))
    gates = torch.stack([g[r] for g in block.gates()])
    on_event(Event(run, "gates", step, tuple(gates.detach().flatten().tolist())))
