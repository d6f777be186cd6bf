"""AdamW over stacked runs, where every run has its own learning rate, clipping and step count.

A task's own tensors (private prompt, attention logits, gates) move only in steps with a row of the task, as if it
trained by itself. Otherwise old moments would push them and decay would shrink them while nothing is learned about the
task. Their learning rate and bias correction also follow those steps. Sources move in every step, as each has rows.

The update is torch's (Loshchilov & Hutter, arXiv 1711.05101), called as a function: an optimizer object takes one
learning rate per tensor, and here a tensor holds all runs of a block along its leading axis.
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
SOURCE = "source."  # begins the names of tensors with a row for each source
_Slice = tuple[str, tuple[int, ...]]  # a tensor's name, and the run, or run and task, that the slice belongs to


def schedule(step: int, steps: int, warmup: float) -> float:
    """Factor on the learning rate in step `step` (from 0): a linear rise over `warmup` · steps, then a linear fall."""
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(1, steps - rising)


@dataclass(frozen=True)
class Factors:
    """The factors on a run's learning rates in one step: for its sources, and for each task's own tensors [K]. A task
    without a row in the step has 0, and its tensors and moments stay as they are; so do the sources in `held`."""

    sources: float
    tasks: tuple[float, ...]
    held: tuple[int, ...] = ()


def factors(plan: RunPlan, step: int, held: tuple[int, ...] = ()) -> Factors:
    """The factors in step `step` (from 0) of a run: by the schedule over the steps of its phase, which without phases
    are all steps, and over each task's own steps. The sources in `held` stay as they are."""
    c, (_, first, end) = plan.config, plan.phase(step)
    done, after, all_ = plan.clocks(step), plan.clocks(step + 1), plan.clocks(plan.steps)
    return Factors(schedule(step - first, end - first, c.warmup), tuple(
        schedule(n, steps, c.warmup) if now > n else 0.0 for n, now, steps in zip(done, after, all_, strict=True)),
        held)


def clip(block: Block) -> Tensor:
    """Scale each run's gradients down to its `clip` norm; returns the runs' norms [R] before scaling.

    Independent tasks (in PT) count as separate runs, so their norm is taken over each task's tensors.
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
    """torch's fused AdamW on a block: moments [R, …] of every tensor, step counts [R] for sources and [R, K] for the
    tasks' own tensors, and a learning rate for every run and task."""

    def __init__(self, block: Block):
        self.block = block
        self.groups = [groups(own, block.parameters) for own in block.declared]
        self.first = {name: torch.zeros_like(p) for name, p in block.parameters.items()}
        self.second = {name: torch.zeros_like(p) for name, p in block.parameters.items()}
        self.count = {name: torch.zeros(len(block.runs), *count_shape(block, name), device=p.device)
                      for name, p in block.parameters.items()}

    def moments(self) -> dict[str, dict[str, Tensor]]:
        """What it remembers about every parameter: its two moments, each [R, …], and its step counts."""
        return {"first": self.first, "second": self.second, "count": self.count}

    @torch.no_grad()
    def step(self, by: Sequence[Factors | None]) -> None:
        """One update; `by` [R] scales the learning rates, and a run with None is left untouched."""
        for r, (own, groups) in enumerate(zip(by, self.groups, strict=True)):
            if own is None:
                continue
            before = [(view, view.clone()) for view in self._of_sources(r, own.held)]
            for (rate, decay), names in groups.items():
                for factor, slices in self._moving(r, names, own).items():
                    self._update(slices, rate * factor, decay)
            for view, kept in before:
                view.copy_(kept)
        for p in self.block.parameters.values():
            p.grad = None

    def _of_sources(self, r: int, held: Sequence[int]) -> list[Tensor]:
        """Views of everything that belongs to these sources of run `r`: their prompts, encoders and moments."""
        return [tensors[name][r, s] for name in self.block.parameters if name.startswith(SOURCE) for s in held
                for tensors in (self.block.parameters, self.first, self.second)]

    def _moving(self, r: int, names: Sequence[str], by: Factors) -> dict[float, list[_Slice]]:
        """Factor -> the slices of the tensors `names` of run `r` it moves: whole tensors, or the rows of some tasks."""
        moving: dict[float, list[_Slice]] = {}
        for name in names:
            if self.block.parameters[name].grad is None:
                continue
            if self.block.declared[r][name].by_task and 0.0 in by.tasks:
                for k, factor in enumerate(by.tasks):
                    if factor:
                        moving.setdefault(factor, []).append((name, (r, k)))
            else:  # every task takes every step
                moving.setdefault(by.sources, []).append((name, (r,)))
        return moving

    def _update(self, slices: Sequence[_Slice], rate: float, decay: float) -> None:
        """AdamW on slices of tensors, each with a single step count."""
        def of(tensors: Mapping[str, Tensor]) -> list[Tensor]:
            return [tensors[name][at] for name, at in slices]

        gradients = {name: _gradient(self.block.parameters[name]) for name, _ in slices}
        counts = [count.flatten()[0].clone() for count in of(self.count)]
        adamw(of(self.block.parameters), of(gradients), of(self.first), of(self.second), [], counts, fused=True,
              amsgrad=False, maximize=False, lr=rate, weight_decay=decay, beta1=BETAS[0], beta2=BETAS[1], eps=EPS)
        for count in of(self.count):
            count += 1


def count_shape(block: Block, name: str) -> tuple[int, ...]:
    """Shape of a run's step counts for a tensor: a single one, or one per task [K]."""
    return (block.structure.tasks,) if block.declared[0][name].by_task else ()


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def groups(declared: Mapping[str, Parameter], tensors: Collection[str]) -> dict[tuple[float, float], list[str]]:
    """(peak learning rate, weight decay) -> the tensors of a run that use them, as its method declares.

    Raises ValueError if the tensors are not exactly those that the method declares: an undeclared tensor would keep its
    first values, or move at the rate of another.
    """
    if strange := sorted(set(tensors) ^ declared.keys()):
        raise ValueError(f"The tensor '{strange[0]}' is trained but not declared by its method, or the reverse.")
    found: dict[tuple[float, float], list[str]] = {}
    for name, one in declared.items():
        found.setdefault((one.rate, one.decay), []).append(name)
    return found
