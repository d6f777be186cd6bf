"""AdamW over stacked runs: learning rate, clipping and step count of its own for every run.

What a task has of its own (private prompt, attention logits, gates) moves in steps with a row of the task alone, as
if it trained by itself: else old moments would push it and decay shrink it while nothing is learned of it. Its learning
rate and its bias correction follow those steps, too. Sources move in every step, each of which has rows.

The update is torch's (Loshchilov & Hutter, arXiv 1711.05101) by its function, for an optimizer object
takes one learning rate per tensor, and here a tensor holds all runs of a block along its leading axis.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from compt_core.methods.block import Block
from compt_core.methods.method import Parameter
from compt_core.training.plan import RunPlan

BETAS, EPS = (0.9, 0.999), 1e-8
_Slice = tuple[str, tuple[int, ...]]  # a tensor's name, and the run, or run and task, of which it is


def schedule(step: int, steps: int, warmup: float) -> float:
    """Factor on the learning rate of step `step` (from 0): linear rise over `warmup` · steps, then linear fall."""
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(1, steps - rising)


@dataclass(frozen=True)
class Factors:
    """What one step multiplies a run's learning rates by: those of its sources, and of what each task has of its own
    [K]; 0 for a task without a row in the step, whose tensors and moments stay as they are."""

    sources: float
    tasks: tuple[float, ...]


def factors(plan: RunPlan, step: int) -> Factors:
    """Those of step `step` (from 0) of a run: the schedule of its steps, and of the steps with a row of each task."""
    c = plan.config
    done, after, all_ = plan.clocks(step), plan.clocks(step + 1), plan.clocks(plan.steps)
    return Factors(schedule(step, plan.steps, c.warmup), tuple(
        schedule(n, steps, c.warmup) if now > n else 0.0 for n, now, steps in zip(done, after, all_, strict=True)))


def clip(block: Block) -> Tensor:
    """Scale each run's gradients to its `clip` norm; returns the runs' norms [R] before that.

    Independent tasks (PT's) are runs of their own, so the norm is taken over each task's tensors.
    """
    gradients = [p.grad for p in block.parameters.values() if p.grad is not None]
    limit = gradients[0].new_tensor([c.clip for c in block.configs])
    per_task = block.method.independent
    squares = [g.flatten(2 if per_task else 1).square().sum(-1) for g in gradients]
    norms = torch.stack(squares).sum(0).sqrt()  # [R, K] for independent tasks, else [R]
    scale = (limit.view(-1, *[1] * (norms.dim() - 1)) / (norms + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g.mul_(scale.view(*scale.shape, *[1] * (g.dim() - scale.dim())))
    return norms.square().sum(-1).sqrt() if per_task else norms


class AdamW:
    """torch's fused AdamW on a block: moments [R, …] of every tensor, step counts [R] of those of sources and [R, K] of
    those that each task has of its own, a rate for every run and task."""

    def __init__(self, block: Block):
        self.block = block
        self.groups = [groups(own, block.parameters) for own in block.declared]
        self.first = {name: torch.zeros_like(p) for name, p in block.parameters.items()}
        self.second = {name: torch.zeros_like(p) for name, p in block.parameters.items()}
        self.count = {name: torch.zeros(len(block.runs), *count_shape(block, name), device=p.device)
                      for name, p in block.parameters.items()}

    def moments(self) -> dict[str, dict[str, Tensor]]:
        """What it remembers of every parameter: its two moments, each [R, …], and its numbers of steps."""
        return {"first": self.first, "second": self.second, "count": self.count}

    @torch.no_grad()
    def step(self, by: Sequence[Factors | None]) -> None:
        """One update; `by` [R] scales the learning rates, and a run with None is left untouched."""
        for r, (own, groups) in enumerate(zip(by, self.groups, strict=True)):
            if own is None:
                continue
            for (rate, decay), names in groups.items():
                for factor, slices in self._moving(r, names, own).items():
                    self._update(slices, rate * factor, decay)
        for p in self.block.parameters.values():
            p.grad = None

    def _moving(self, r: int, names: Sequence[str], by: Factors) -> dict[float, list[_Slice]]:
        """Factor -> what it moves of the tensors `names` of run `r`: a tensor as a whole, or the rows of some tasks."""
        moving: dict[float, list[_Slice]] = {}
        for name in names:
            if self.block.parameters[name].grad is None:
                continue
            if self.block.declared[r][name].by_task and 0.0 in by.tasks:
                for k, factor in enumerate(by.tasks):
                    if factor:
                        moving.setdefault(factor, []).append((name, (r, k)))
            else:  # then every task has taken every step
                moving.setdefault(by.sources, []).append((name, (r,)))
        return moving

    def _update(self, slices: Sequence[_Slice], rate: float, decay: float) -> None:
        """AdamW on slices of tensors, each of which has one number of steps."""
        def of(tensors: Mapping[str, Tensor]) -> list[Tensor]:
            return [tensors[name][at] for name, at in slices]

        gradients = {name: _gradient(self.block.parameters[name]) for name, _ in slices}
        counts = [count.flatten()[0].clone() for count in of(self.count)]
        adamw(of(self.block.parameters), of(gradients), of(self.first), of(self.second), [], counts, fused=True,
              amsgrad=False, maximize=False, lr=rate, weight_decay=decay, beta1=BETAS[0], beta2=BETAS[1], eps=EPS)
        for count in of(self.count):
            count += 1


def count_shape(block: Block, name: str) -> tuple[int, ...]:
    """Shape of a run's step counts of a tensor: one, or one of every task [K]."""
    return (block.structure.tasks,) if block.declared[0][name].by_task else ()


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def groups(declared: Mapping[str, Parameter], tensors: Collection[str]) -> dict[tuple[float, float], list[str]]:
    """(peak learning rate, weight decay) -> the tensors of a run that take them, as its method declares them.

    Raises ValueError where the tensors are not the very ones that the method declares: one that nobody declared would
    else keep its first values, or move at the rate of another.
    """
    if strange := sorted(set(tensors) ^ declared.keys()):
        raise ValueError(f"The tensor '{strange[0]}' is trained and not declared by its method, or the reverse.")
    found: dict[tuple[float, float], list[str]] = {}
    for name, one in declared.items():
        found.setdefault((one.rate, one.decay), []).append(name)
    return found
