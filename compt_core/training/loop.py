"""The training loop of a fleet: rate → forward and backward → clip → step → report → stop?

One step serves all runs that are still going: their rows go through the frozen backbone together,
each with its own composed prompt. A run that ends, fails, pauses or is cancelled leaves; the others
go on unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from compt_core.backbones import Backbone
from compt_core.errors import ComptError
from compt_core.fleet import Fleet
from compt_core.forward import decode, encode, pad_targets, target_log_probs
from compt_core.tasks.batches import chunks, collate
from compt_core.training.dropout import dropout
from compt_core.training.events import Ask, Event, OnEvent
from compt_core.training.optim import AdamW, clip, schedule
from compt_core.training.plan import Example, RunPlan

TOKENS_AT_ONCE = 16_384  # padded tokens in one forward pass; bounds the activations kept for backward
POINTS = 100  # attention and gate snapshots per run, the initial one apart

Ended = Literal["completed", "failed", "cancelled", "paused"]
Item = tuple[str, Example]


class TrainingError(ComptError):
    """A run that cannot go on, such as one whose loss is not finite."""


@dataclass
class Losses:
    """Label log-likelihoods of one step: summed negative, and their tokens, by (run, task index)."""

    nll: dict[tuple[str, int], float]
    tokens: dict[tuple[str, int], int]

    def of(self, run: str, tasks: int) -> tuple[float, tuple[float, ...]]:
        """(loss of `run`, the loss of each of its tasks; nan for a task without a row in this step)."""
        keys = [(run, k) for k in range(tasks)]
        each = tuple(self.nll[key] / self.tokens[key] if key in self.tokens else math.nan for key in keys)
        present = [loss for key, loss in zip(keys, each, strict=True) if key in self.tokens]
        return sum(present) / len(present), each


def train(
    fleet: Fleet, plans: Mapping[str, RunPlan], on_event: OnEvent, control: Ask,
    on_end: Callable[[str, Ended, ComptError | None], None],
) -> None:
    """Train every run of `plans` to its last step, in place.

    control(run) is asked before each step; on_end(run, state, error) is called as a run leaves the
    fleet, its parameters final. Raises nothing of its own: a run whose loss is not finite ends as
    failed.
    """
    backbone = fleet.backbone
    optimizers = [AdamW(block) for block in fleet.blocks]
    going = list(plans)
    best: dict[str, tuple[float, dict[str, Tensor]]] = {}
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
        with backbone.lock:
            losses = forward_backward(fleet, items, step, plans)
        norms = [clip(block) for block in fleet.blocks]
        for run in _not_finite(fleet, norms, losses, plans, going):
            going.remove(run)
            on_end(run, "failed", TrainingError(
                f"The loss or gradient of run '{run}' is not finite at step {step + 1}. "
                "Lower its learning rates (source, private, encoder, attention, gate) or its clip, and run it again."))
        for block, optimizer in zip(fleet.blocks, optimizers, strict=True):
            factors = [_factor(plans[run], step) if run in going else 0.0 for run in block.runs]
            optimizer.step(optimizer.count.new_tensor(factors))
        step += 1
        for run in list(going):
            _report(fleet, plans[run], run, step, losses, on_event)
            if plans[run].held_out and (step % max(1, plans[run].steps // 10) == 0 or step == plans[run].steps):
                _keep_best(fleet, run, plans[run], best)
            if step == plans[run].steps:
                going.remove(run)
                if run in best:
                    fleet.restore(run, best[run][1])
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


def forward_backward(fleet: Fleet, items: Sequence[Item], step: int, plans: Mapping[str, RunPlan]) -> Losses:
    """One pass over the rows of all runs; leaves gradients on the fleet's parameters.

    A task's loss is its mean over target tokens; a run's is the mean over its K tasks, so that long
    label words weigh no more than short ones. PT's is the sum: K independent runs, clipped apart.
    The prompts' graph is built once and the backbone's in chunks.
    """
    tokens: dict[tuple[str, int], int] = {}
    for run, example in items:
        tokens[run, example.task] = tokens.get((run, example.task), 0) + len(example.target)
    tasks = {run: 1 if plan.config.method == "pt" else len(plan.train) for run, plan in plans.items()}
    weight = [1 / (tokens[run, e.task] * tasks[run]) for run, e in items]
    composed = fleet.vectors()
    leaf = composed.detach().requires_grad_()
    nll: dict[tuple[str, int], float] = {}
    for part, row_nll in _row_losses(fleet, items, leaf, step, plans):
        (row_nll * row_nll.new_tensor([weight[i] for i in part])).sum().backward()
        for i, value in zip(part, row_nll.detach().tolist(), strict=True):
            key = items[i][0], items[i][1].task
            nll[key] = nll.get(key, 0.0) + value
    composed.backward(leaf.grad)
    return Losses(nll, tokens)


def mean_losses(fleet: Fleet, items: Sequence[Item]) -> dict[str, float]:
    """Run -> mean loss per target token over all its `items`, without gradients or dropout."""
    total: dict[str, float] = {}
    with torch.no_grad():
        for part, row_nll in _row_losses(fleet, items, fleet.vectors(), None, {}):
            for i, value in zip(part, row_nll.tolist(), strict=True):
                total[items[i][0]] = total.get(items[i][0], 0.0) + value
    return {run: value / sum(len(e.target) for r, e in items if r == run) for run, value in total.items()}


def _row_losses(
    fleet: Fleet, items: Sequence[Item], vectors: Tensor, step: int | None, plans: Mapping[str, RunPlan]
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Yield (row indices, summed negative log-likelihood of each row's label [B]) chunk by chunk.

    vectors [N, H]: all prompt vectors. With a `step`, dropout of the runs that ask for it is on.
    """
    backbone: Backbone = fleet.backbone
    _, prompt_lengths = fleet.places([(run, e.task) for run, e in items])
    lengths = [e.row.length(p) for (_, e), p in zip(items, prompt_lengths, strict=True)]
    for part in chunks(lengths, TOKENS_AT_ONCE):
        chosen = [items[i] for i in part]
        index, sizes = fleet.places([(run, e.task) for run, e in chosen])
        batch = collate([e.row for _, e in chosen], sizes)
        inputs, targets, inside = pad_targets(
            [e.target for _, e in chosen], backbone.model.config.decoder_start_token_id, backbone.device)
        with dropout(backbone, [] if step is None else _noise(part, items, step, plans)):
            memory, mask = encode(backbone, batch, vectors[torch.from_numpy(index).to(vectors.device)])
            log_probs = target_log_probs(backbone, decode(backbone, memory, mask, inputs), targets)
        yield part, -(log_probs * inside).sum(-1)


def _noise(
    part: np.ndarray, items: Sequence[Item], step: int, plans: Mapping[str, RunPlan]
) -> list[tuple[float, tuple[Any, ...]]]:
    """For each row (dropout rate, stream names): a row's noise depends on its run, step and place in the batch."""
    first: dict[str, int] = {}
    for i, (run, _) in enumerate(items):
        first.setdefault(run, i)
    configs = [(plans[items[i][0]].config, int(i) - first[items[i][0]]) for i in part]
    return [(config.dropout, (config.seed, "dropout", step, place)) for config, place in configs]


def _keep_best(fleet: Fleet, run: str, plan: RunPlan, best: dict[str, tuple[float, dict[str, Tensor]]]) -> None:
    with fleet.backbone.lock:
        loss = mean_losses(fleet, [(run, example) for example in plan.held_out])[run]
    if run not in best or loss < best[run][0]:
        best[run] = loss, fleet.state(run)


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
