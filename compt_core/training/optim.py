"""AdamW over stacked runs: learning rate, clipping and step count of its own for every run.

The update is torch's (Loshchilov & Hutter, arXiv 1711.05101) by its function, for an optimizer object
takes one learning rate per tensor, and here a tensor holds all runs of a block along its leading axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from compt_core.config import RunConfig
from compt_core.fleet import Block
from compt_core.methods import METHODS, learning_rates

BETAS, EPS = (0.9, 0.999), 1e-8


def schedule(step: int, steps: int, warmup: float) -> float:
    """Factor on the learning rate of step `step` (from 0): linear rise over `warmup` · steps, then linear fall."""
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(1, steps - rising)


def _group(name: str) -> str:
    """The part whose learning rate a parameter takes."""
    part, *_, = name.split(".")
    return "encoder" if ".encoder." in name else part


def peak_rates(config: RunConfig, names: Mapping[str, Tensor]) -> dict[str, float]:
    """Parameter name -> peak learning rate of one run."""
    rates = learning_rates(config)
    return {name: getattr(rates, _group(name)) for name in names}


def decays(config: RunConfig, names: Mapping[str, Tensor]) -> dict[str, float]:
    """Parameter name -> weight decay of one run: small on prompts and encoders, larger on attention and gates."""
    small = ("source", "private", "encoder")
    return {n: config.weight_decay_prompt if _group(n) in small else config.weight_decay_weights for n in names}


def clip(block: Block) -> Tensor:
    """Scale each run's gradients to its `clip` norm, PT's per task; returns the runs' norms [R] before that.

    A prompt per task stands for K independent runs, so PT's norm is taken over each task's tensors.
    """
    gradients = [p.grad for p in block.parameters.values() if p.grad is not None]
    limit = gradients[0].new_tensor([c.clip for c in block.configs])
    per_task = not METHODS[block.structure.method].shared
    squares = [g.flatten(2 if per_task else 1).square().sum(-1) for g in gradients]
    norms = torch.stack(squares).sum(0).sqrt()  # [R, K] for PT, else [R]
    scale = (limit.view(-1, *[1] * (norms.dim() - 1)) / (norms + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g.mul_(scale.view(*scale.shape, *[1] * (g.dim() - scale.dim())))
    return norms.square().sum(-1).sqrt() if per_task else norms


class AdamW:
    """torch's fused AdamW on a block: moments [R, …] and step counts [R] of every tensor, a rate for every run."""

    def __init__(self, block: Block):
        self.block = block
        self.first = {name: torch.zeros_like(p) for name, p in block.parameters.items()}
        self.second = {name: torch.zeros_like(p) for name, p in block.parameters.items()}
        self.count = {name: torch.zeros(len(block.runs), device=p.device) for name, p in block.parameters.items()}
        self.groups = [_by_rate_and_decay(config, block.parameters) for config in block.configs]

    def moments(self) -> dict[str, dict[str, Tensor]]:
        """What it remembers of every parameter, each [R, …]: its two moments and its number of steps."""
        return {"first": self.first, "second": self.second, "count": self.count}

    @torch.no_grad()
    def step(self, factors: Sequence[float]) -> None:
        """One update; factors [R] scale the learning rates, and a run with factor 0 is left untouched."""
        parameters = self.block.parameters
        for r, (factor, groups) in enumerate(zip(factors, self.groups, strict=True)):
            for (rate, decay), names in groups.items() if factor > 0 else ():
                moving = [name for name in names if parameters[name].grad is not None]
                adamw(
                    [parameters[name][r] for name in moving], [_gradient(parameters[name])[r] for name in moving],
                    [self.first[name][r] for name in moving], [self.second[name][r] for name in moving], [],
                    [self.count[name][r] for name in moving], fused=True, amsgrad=False, maximize=False,
                    lr=rate * factor, weight_decay=decay, beta1=BETAS[0], beta2=BETAS[1], eps=EPS)
        for p in parameters.values():
            p.grad = None


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _by_rate_and_decay(config: RunConfig, parameters: Mapping[str, Tensor]) -> dict[tuple[float, float], list[str]]:
    """(peak learning rate, weight decay) -> the tensors of a run that take them."""
    rates, decay = peak_rates(config, parameters), decays(config, parameters)
    groups: dict[tuple[float, float], list[str]] = {}
    for name in parameters:
        groups.setdefault((rates[name], decay[name]), []).append(name)
    return groups
