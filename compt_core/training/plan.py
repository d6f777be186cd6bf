"""Which rows a run sees at which step: encoded once, drawn without state.

The rows of step t depend only on (seed, t). So a resumed run needs no saved generator, and a run draws the same rows
alone and in a fleet. No torch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from compt_core.errors import ConfigError
from compt_core.settings.config import RunConfig
from compt_core.settings.together import problems_of_steps
from compt_core.streams import stream
from compt_core.tasks.batches import EncodedRow, encode_rows, label_ids
from compt_core.tasks.fewshot import rows_per_label, shots_of, total_steps
from compt_core.tasks.spec import Row, Task, TaskData


@dataclass(frozen=True)
class Example:
    """One training row: its task's index, its encoded input, and the ids of its label word with </s>."""

    task: int
    row: EncodedRow
    target: tuple[int, ...]


@dataclass(frozen=True)
class RunPlan:
    """What one run trains on: examples per task, examples held out to choose the best step, the step count, and how
    many rows of each label the sample of each task has, including those held out."""

    config: RunConfig
    train: tuple[tuple[Example, ...], ...]
    held_out: tuple[Example, ...]
    steps: int
    samples: Mapping[str, Mapping[str, int]]

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """The steps after which the phases end; a run without phases is a single one."""
        phases = len(self.config.order)
        return tuple(round(self.steps * (p + 1) / phases) for p in range(phases))

    def phase(self, step: int) -> tuple[int, int, int]:
        """(number of the phase that step `step` (from 0) belongs to, its first step, the step after its last)."""
        at = min(bisect_right(self.ends, step), len(self.ends) - 1)
        return at, self.ends[at - 1] if at else 0, self.ends[at]

    def first_rows(self) -> list[Example]:
        """The examples of the first step of every phase, which are of all tasks if a batch has a row of each."""
        return [example for step in (0, *self.ends[:-1]) for example in self.batch(step)]

    def together(self, step: int) -> int:
        """How many tasks train together in step `step` (from 0): all K without phases."""
        return len(self.config.order[self.phase(step)[0]])

    def clocks(self, step: int) -> tuple[int, ...]:
        """How many of the first `step` steps had a row of each task [K]: all steps of its phase if a batch has as many
        rows as the phase has tasks, or more."""
        done, first = [0] * len(self.train), 0
        for tasks, end in zip(self.config.order, self.ends, strict=True):
            steps = max(0, min(step, end) - first)
            for place, k in enumerate(tasks):
                few = self.config.batch < len(tasks)
                done[k] = _turns(steps * self.config.batch, place, len(tasks)) if few else steps
            first = end
        return tuple(done)

    def batch(self, step: int) -> list[Example]:
        """The examples of step `step` (from 0): the batch is split equally over the tasks of its phase, a remainder in
        turn."""
        seed = self.config.seed if self.config.data_seed is None else self.config.data_seed
        phase, first, _ = self.phase(step)
        tasks, step = self.config.order[phase], step - first
        base, extra = divmod(self.config.batch, len(tasks))
        chosen = []
        for place, k in enumerate(tasks):
            examples = self.train[k]
            before = base * step + _turns(step * extra, place, len(tasks))
            now = base + _turns((step + 1) * extra, place, len(tasks)) - _turns(step * extra, place, len(tasks))
            for n in range(before, before + now):
                epoch, at = divmod(n, len(examples))
                order = _shuffled(seed, self.config.tasks[k], epoch, len(examples))
                chosen.append(examples[order[at]])
        return chosen


def _turns(extras: int, task: int, tasks: int) -> int:
    """How many of the first `extras` spare rows, given to tasks in turn, went to `task`."""
    return (extras + tasks - 1 - task) // tasks


@lru_cache(maxsize=4096)
def _shuffled(seed: int, task: str, epoch: int, rows: int) -> tuple[int, ...]:
    return tuple(stream(seed, "order", task, epoch).permutation(rows).tolist())


def plan_run(config: RunConfig, data: Sequence[TaskData], tokenizer: Any) -> RunPlan:
    """Sample the shots of a run and encode them. Raises ConfigError if there are too few rows."""
    train: list[tuple[Example, ...]] = []
    held_out: list[Example] = []
    samples: dict[str, Mapping[str, int]] = {}
    for index, task_data in enumerate(data):
        kept, out = shots_of(config, task_data)
        samples[task_data.task.name] = rows_per_label(task_data.task, (*kept, *out))
        held_out += _examples(config, index, task_data.task, out, tokenizer)
        train.append(tuple(_examples(config, index, task_data.task, kept, tokenizer)))
    steps = total_steps(config, sum(map(len, train)))
    if few := problems_of_steps(config, steps):
        raise ConfigError(few)
    return RunPlan(config, tuple(train), tuple(held_out), steps, samples)


def _examples(config: RunConfig, index: int, task: Task, rows: Sequence[Row], tokenizer: Any) -> list[Example]:
    targets = label_ids(tokenizer, task.words(config.prefix))
    encoded = encode_with(tokenizer, config, task, rows)
    return [Example(index, e, targets[row.label]) for e, row in zip(encoded, rows, strict=True)]


def encode_with(tokenizer: Any, config: RunConfig, task: Task, rows: Sequence[Row]) -> list[EncodedRow]:
    """Encode rows of `task` under the run's prefix, position and length settings."""
    return encode_rows(tokenizer, task, rows, prefix=config.prefix, position=config.position,
                       max_tokens=config.max_tokens)


def count_cut(plan: RunPlan) -> Mapping[str, int]:
    """Task -> training rows that lost text to truncation."""
    return {task: int(np.sum([e.row.cut > 0 for e in examples]))
            for task, examples in zip(plan.config.tasks, plan.train, strict=True)}


def mean_tokens(plan: RunPlan, prompt: int) -> float:
    """Mean tokens of a training row with a prompt of `prompt` vectors, over tasks, which share a batch equally."""
    return float(np.mean([np.mean([e.row.length(prompt) for e in examples]) for examples in plan.train]))
