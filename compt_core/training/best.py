"""The option select=best: keeps the parameters with the lowest loss on held-out shots; dev rows are never used."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from compt_core.methods.table import METHODS
from compt_core.training.fleet import Fleet
from compt_core.training.passes import task_losses
from compt_core.training.plan import RunPlan

LOOKS = 10  # looks at the held-out rows, roughly


class Best:
    """The best parameters of one run so far; chosen per task if tasks are independent, as K runs would choose."""

    def __init__(self, fleet: Fleet, run: str, plan: RunPlan):
        self.fleet, self.run, self.plan = fleet, run, plan
        self.per_task = METHODS[plan.config.method].independent
        self.loss = [math.inf] * (len(plan.train) if self.per_task else 1)
        self.kept: dict[str, Tensor] = {}

    def after(self, step: int) -> None:
        """Look if a look is due after `step` steps of the run; after the last step put the best back."""
        if tasks := self._due(step):
            self.look(tasks)
        if step == self.plan.steps:
            self.restore()

    def _due(self, step: int) -> Collection[int]:
        """The tasks to look at: all of them ten times in the run. If tasks are independent, each is looked at ten times
        within the steps that have a row of it."""
        steps = self.plan.steps
        if not self.per_task:
            return range(len(self.plan.train)) if _looks(step, steps) else ()
        clocks = zip(*map(self.plan.clocks, (step - 1, step, steps)), strict=True)
        return [k for k, (before, now, end) in enumerate(clocks) if now > before and _looks(now, end)]

    def look(self, tasks: Collection[int]) -> None:
        """Score the held-out rows of `tasks` as the run is now, and keep what is better than before."""
        losses = task_losses(self.fleet, [(self.run, one) for one in self.plan.held_out if one.task in tasks])
        mean, each = losses.of(self.run, len(self.plan.train))
        state = self.fleet.state(self.run)
        for k, loss in enumerate(each if self.per_task else (mean,)):
            if loss < self.loss[k]:  # false for NaN, which is a task that is not looked at
                self.loss[k] = loss
                for name, tensor in state.items():
                    if self.per_task:
                        self.kept.setdefault(name, tensor.clone())[k] = tensor[k]  # [K, …]
                    else:
                        self.kept[name] = tensor

    def state(self) -> dict[str, Tensor]:
        """What was found so far, as tensors by name."""
        return {"best.loss": torch.tensor(self.loss, dtype=torch.float64),
                **{f"best.kept/{name}": tensor for name, tensor in self.kept.items()}}

    def go_on(self, state: Mapping[str, Tensor]) -> None:
        """Continues from what :meth:`state` returned; other names are ignored."""
        self.loss = state["best.loss"].tolist()
        self.kept = {name.removeprefix("best.kept/"): tensor.clone() for name, tensor in state.items()
                     if name.startswith("best.kept/")}

    def restore(self) -> None:
        """Put the best parameters back into the fleet."""
        self.fleet.restore(self.run, self.kept or self.fleet.state(self.run))


def _looks(step: int, steps: int) -> bool:
    return step % max(1, steps // LOOKS) == 0 or step == steps
