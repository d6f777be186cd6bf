"""AdamW over stacked runs: learning rate, clipping and step count per run, elementwise otherwise.

torch.optim takes one learning rate per group of tensors; a fleet has one per run along the leading
axis. The update is Loshchilov & Hutter's (arXiv 1711.05101) with torch's defaults, and a test holds
it equal to torch.optim.AdamW.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

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
    """State of one block: first and second moments [R, …] and each run's step count [R]."""

    def __init__(self, block: Block):
        self.block = block
        self.first = {name: torch.zeros_like(p) for name, p in block.parameters.items()}
        self.second = {name: torch.zeros_like(p) for name, p in block.parameters.items()}
        first = next(iter(block.parameters.values()))
        self.count = first.new_zeros(len(block.runs))
        self.rates = self._stack([peak_rates(c, block.parameters) for c in block.configs])
        self.decay = self._stack([decays(c, block.parameters) for c in block.configs])

    def _stack(self, runs: list[dict[str, float]]) -> dict[str, Tensor]:
        return {name: p.new_tensor([run[name] for run in runs]) for name, p in self.block.parameters.items()}

    @torch.no_grad()
    def step(self, factor: Tensor) -> None:
        """One update; factor [R] scales the learning rates, and a run with factor 0 is left untouched."""
        moving = factor > 0
        self.count += moving
        count = self.count.clamp_min(1)
        for name, p in self.block.parameters.items():
            if p.grad is None:
                continue
            wide = (-1, *[1] * (p.dim() - 1))
            g, m, v = p.grad, self.first[name], self.second[name]
            keep1: Tensor | float = BETAS[0]
            keep2: Tensor | float = BETAS[1]
            if not bool(moving.all()):
                on = moving.view(wide)
                g = torch.where(on, g, 0.0)  # a failed run's gradient may not be finite
                keep1, keep2 = (1 - (1 - beta) * on.to(p.dtype) for beta in BETAS)
            m.mul_(keep1).add_(g * (1 - BETAS[0]))
            v.mul_(keep2).add_(g.square().mul_(1 - BETAS[1]))
            lr = (self.rates[name] * factor).view(wide)
            c1, c2 = (1 - BETAS[0] ** count).view(wide), (1 - BETAS[1] ** count).view(wide)
            p.mul_(1 - lr * self.decay[name].view(wide))
            p.sub_(m * (lr / c1) / ((v / c2).sqrt_().add_(EPS)))
            p.grad = None
