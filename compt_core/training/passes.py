"""Passes of a fleet's rows through the frozen backbone: losses with gradients for a step, or without.

The prompts' graph is built once per pass and the backbone runs in chunks of rows, so that memory depends on the chunk
and not on the fleet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from compt_core.backbone.load import Backbone
from compt_core.backbone.t5 import LOGITS_AT_ONCE, decode, encode, pad_targets, target_log_probs
from compt_core.methods.table import METHODS
from compt_core.tasks.batches import bucket_on, collate
from compt_core.training.dropout import RowNoise, dropout
from compt_core.training.fleet import Fleet
from compt_core.training.plan import Example, RunPlan

Item = tuple[str, Example]
T = TypeVar("T")


@dataclass
class Losses:
    """Negative label log-likelihoods of one step, summed, and their token counts, by (run, task index)."""

    nll: dict[tuple[str, int], float]
    tokens: dict[tuple[str, int], int]

    def of(self, run: str, tasks: int) -> tuple[float, tuple[float, ...]]:
        """(loss of `run`, loss of each of its tasks; NaN for a task without a row in this step)."""
        keys = [(run, k) for k in range(tasks)]
        each = tuple(self.nll[key] / self.tokens[key] if key in self.tokens else math.nan for key in keys)
        present = [loss for key, loss in zip(keys, each, strict=True) if key in self.tokens]
        return sum(present) / len(present), each


def forward_backward(fleet: Fleet, items: Sequence[Item], at: Mapping[str, int], plans: Mapping[str, RunPlan]
                     ) -> Losses:
    """One pass over the rows of all runs, each at its step in `at`; leaves gradients on the fleet's parameters.

    A task's loss is the mean over its target tokens; a run's loss is the mean over its K tasks (those of its phase), so
    that long label words weigh no more than short ones. If tasks are independent (PT), it is the sum: K runs, clipped
    separately. The prompts' graph is built once, the backbone's in parts.
    """
    losses = Losses({}, _count_tokens(items))
    tasks = {run: 1 if METHODS[plans[run].config.method].independent else plans[run].together(at[run])
             for run in dict.fromkeys(run for run, _ in items)}
    weight = [1 / (losses.tokens[run, e.task] * tasks[run]) for run, e in items]
    noise = _noise(items, at, plans)
    composed = fleet.vectors()

    def work(part: np.ndarray) -> tuple[Tensor, Tensor, np.ndarray, Tensor]:
        index, leaf, row_nll = _row_losses(fleet, [items[i] for i in part], composed.detach(), [noise[i] for i in part])
        loss = (row_nll * row_nll.new_tensor([weight[i] for i in part])).sum()
        gradient, = torch.autograd.grad(loss, leaf)
        return index, gradient, part, row_nll.detach()

    whole = torch.zeros_like(composed)
    for index, gradient, part, row_nll in _parts(fleet, items, work, alone=any(rate for rate, _ in noise)):
        whole.index_add_(0, index, gradient)  # in the order of the parts, so that sums are the same each time
        _add(losses.nll, items, part, row_nll)
    composed.backward(whole)
    return losses


def task_losses(fleet: Fleet, items: Sequence[Item]) -> Losses:
    """Losses of `items` with the fleet's present parameters, without gradients or dropout."""
    losses = Losses({}, _count_tokens(items))
    with torch.no_grad():
        vectors = fleet.vectors()

    def work(part: np.ndarray) -> tuple[np.ndarray, Tensor]:
        with torch.no_grad():  # in the thread that does the work
            return part, _row_losses(fleet, [items[i] for i in part], vectors, [])[2]

    for part, row_nll in _parts(fleet, items, work, kind="score"):
        _add(losses.nll, items, part, row_nll)
    return losses


def losses_by_run(fleet: Fleet, items: Sequence[Item]) -> dict[str, tuple[float, tuple[float, ...]]]:
    """Run -> its loss on its `items`, computed as in training (the mean over tasks of each task's mean per token), and
    that of each of its tasks [K], NaN without an item. No items, no runs."""
    if not items:  # every run was cancelled
        return {}
    losses = task_losses(fleet, items)
    return {run: losses.of(run, fleet.slot[run][0].structure.tasks) for run in dict.fromkeys(r for r, _ in items)}


def _count_tokens(items: Sequence[Item]) -> dict[tuple[str, int], int]:
    tokens: dict[tuple[str, int], int] = {}
    for run, example in items:
        tokens[run, example.task] = tokens.get((run, example.task), 0) + len(example.target)
    return tokens


def _add(nll: dict[tuple[str, int], float], items: Sequence[Item], part: np.ndarray, row_nll: Tensor) -> None:
    for i, value in zip(part, row_nll.detach().tolist(), strict=True):
        key = items[i][0], items[i][1].task
        nll[key] = nll.get(key, 0.0) + value


def _parts(fleet: Fleet, items: Sequence[Item], work: Callable[[np.ndarray], T], *, kind: str = "train",
           alone: bool = False) -> list[T]:
    """The results of `work` on parts of the items, each small enough for the memory of a pass of this kind."""
    backbone = fleet.backbone
    lengths = [e.row.length(fleet.address[run, e.task][1]) for run, e in items]
    words = max(len(e.target) for _, e in items)
    # Autograd keeps all logits; on a GPU the measured memory of a pass includes them.
    measured = backbone.device.type == "cuda"
    max_rows = None if measured else max(1, LOGITS_AT_ONCE // (backbone.model.config.vocab_size * words))
    return backbone.rooms[kind].map(lengths, work, max_rows=max_rows, alone=alone)


def _row_losses(
    fleet: Fleet, items: Sequence[Item], vectors: Tensor, noise: Sequence[RowNoise]
) -> tuple[Tensor, Tensor, Tensor]:
    """(indices [D] in `vectors` of the rows' prompts, each once; those prompts [D, H] as leaf of a graph; each row's
    summed negative log-likelihood of its label [B]). vectors [N, H]: all prompt vectors."""
    backbone: Backbone = fleet.backbone
    keys = [(run, e.task) for run, e in items]
    distinct = list(dict.fromkeys(keys))
    places, lengths = fleet.places(distinct)
    starts = dict(zip(distinct, (np.cumsum(lengths) - lengths).tolist(), strict=True))
    sizes = [fleet.address[key][1] for key in keys]
    rows = np.concatenate([np.arange(starts[key], starts[key] + size) for key, size in zip(keys, sizes, strict=True)])
    index = torch.from_numpy(places).to(vectors.device)
    leaf = vectors[index].requires_grad_(torch.is_grad_enabled())
    batch = collate([e.row for _, e in items], sizes, bucket_on(backbone.device.type))
    inputs, targets, inside = pad_targets(
        [e.target for _, e in items], backbone.model.config.decoder_start_token_id, backbone.device)
    with dropout(backbone, noise, batch):
        memory = encode(backbone, batch, leaf[torch.from_numpy(rows).to(leaf.device)])
        log_probs = target_log_probs(backbone, decode(backbone, memory, inputs), targets)
    return index, leaf, -(log_probs * inside).sum(-1)


def _noise(items: Sequence[Item], at: Mapping[str, int], plans: Mapping[str, RunPlan]) -> list[RowNoise]:
    """(dropout rate, stream names) for each row: a row's noise depends on its run, step and place in the batch."""
    first: dict[str, int] = {}
    for i, (run, _) in enumerate(items):
        first.setdefault(run, i)
    configs = [(plans[run].config, at[run], i - first[run]) for i, (run, _) in enumerate(items)]
    return [(config.dropout, (config.seed, "dropout", step, place)) for config, step, place in configs]
