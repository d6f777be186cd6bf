"""How far each task's training loss fell, and how far it falls by knowing the label words alone.

K tasks. Losses are in nats per token of a label word, its </s> among them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from compt_core.tasks.spec import Task
from compt_core.training.events import Event, Log, OnEvent, Started
from compt_core.training.plan import RunPlan

LAST = 0.2  # part of the steps over which the last losses are averaged


class LastLosses:
    """The mean loss of each task over the last fifth of a run's steps, out of the events of training.

    The stored curve would not do: it keeps the lowest and the highest points on purpose. A run that goes on from a
    checkpoint has the mean over the steps that it still took.
    """

    def __init__(self, steps: Mapping[str, int]):
        self._from = {run: (1 - LAST) * count for run, count in steps.items()}
        self._sums: dict[str, tuple[list[float], list[int]]] = {}

    def heard(self, on_event: OnEvent) -> OnEvent:
        """`on_event`, listened to on the way."""
        def hear(item: Started | Event | Log) -> None:
            if isinstance(item, Event) and item.kind == "task_loss" and item.step > self._from[item.run]:
                self._add(item.run, item.values)
            on_event(item)

        return hear

    def _add(self, run: str, losses: Sequence[float]) -> None:
        sums, counts = self._sums.setdefault(run, ([0.0] * len(losses), [0] * len(losses)))
        for k, value in enumerate(losses):
            if math.isfinite(value):  # a task without a row in this step has none
                sums[k] += value
                counts[k] += 1

    def of(self, run: str, tasks: int) -> tuple[float, ...]:
        """The means of a run [K]; NaN for a task that had no row there."""
        sums, counts = self._sums.get(run, ([0.0] * tasks, [0] * tasks))
        return tuple(total / count if count else math.nan for total, count in zip(sums, counts, strict=True))


def of_words_alone(targets: Sequence[tuple[int, ...]]) -> float:
    """The loss of a model that knows how often each of the rows' label words (as token ids) occurs, and nothing of the
    rows: the entropy of the label's frequencies, divided by the mean number of tokens of a label word."""
    shares = [count / len(targets) for count in Counter(targets).values()]
    entropy = -sum(share * math.log(share) for share in shares)
    return entropy / (sum(map(len, targets)) / len(targets))


def fallen(plan: RunPlan, tasks: Sequence[Task], first: Sequence[float], last: Sequence[float]
           ) -> dict[str, dict[str, Any]]:
    """Task -> its loss "initial", "final" and "words" (by the label words alone), as far as they are known.

    first, last: the losses [K] before training and at its end. A numeric task is left out: its words are numbers in an
    order, of which most do not occur among the shots.
    """
    found = {}
    for task, examples, before, after in zip(tasks, plan.train, first, last, strict=True):
        if not task.numeric and math.isfinite(before) and math.isfinite(after):
            words = of_words_alone([one.target for one in examples])
            found[task.name] = {"initial": before, "final": after, "words": words}
    return found
