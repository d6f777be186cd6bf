"""Dev scores while a fleet trains, for its accuracy curves; training itself never uses them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch

from compt_core.scoring.score import score_task
from compt_core.settings.config import RunConfig
from compt_core.tasks.fewshot import sample_dev
from compt_core.tasks.spec import TaskData
from compt_core.training.events import Event, OnEvent
from compt_core.training.fleet import Fleet
from compt_core.training.plan import RunPlan, encode_with

LOOKS = 10  # looks at each run's dev rows, not counting the one before the first step

Watch = Callable[[Mapping[str, int]], None]  # run -> steps done, of the runs to look at


def due(step: int, steps: int) -> bool:
    """Whether a run of `steps` optimizer steps is due for a look after `step` of them."""
    return step % math.ceil(steps / LOOKS) == 0 or step == steps


def watcher(
    fleet: Fleet, plans: Mapping[str, RunPlan], data: Mapping[str, Sequence[TaskData]], on_event: OnEvent,
    kind: Literal["dev_score", "phase_score"] = "dev_score",
) -> Watch:
    """A function that scores the present runs on dev rows of each task and reports their `kind` of event [K]: on
    `watch_rows` of them for curves, and for runs with phases on all rows that are scored.

    That is each task's first metric, or NaN if it is undefined.
    """
    groups: dict[tuple[Any, ...], list[str]] = {}  # rows, and what else is the same for the runs scored together
    for run, plan in plans.items():
        c, same = plan.config, map(id, data[run])  # the same objects if the same files were read
        rows = min(c.watch_rows, c.eval_rows or c.watch_rows) if kind == "dev_score" else c.eval_rows
        if rows != 0 and (kind == "dev_score" or c.phases):
            key = (rows, *same, c.prefix, c.position, c.max_tokens, c.scoring, c.similarity)
            groups.setdefault(key, []).append(run)
    alike = [_Alike(fleet, plans[runs[0]].config, data[runs[0]], runs, key[0]) for key, runs in groups.items()]

    def watch(at: Mapping[str, int]) -> None:
        for group in alike:
            wanted = [run for run in group.runs if run in at]
            for run, scores in (group.scores(wanted) if wanted else {}).items():
                on_event(Event(run, kind, at[run], tuple(scores)))

    return watch


class _Alike:
    """Runs that read and score the same rows in the same way, and these rows, encoded."""

    def __init__(self, fleet: Fleet, config: RunConfig, data: Sequence[TaskData], runs: Sequence[str],
                 rows: int | None):
        self.fleet, self.config, self.runs = fleet, config, runs
        chosen = [(one.task, sample_dev(one, rows)) for one in data]
        self.rows = [(task, rows, encode_with(fleet.backbone.tokenizer, config, task, rows)) for task, rows in chosen]

    def scores(self, runs: Sequence[str]) -> dict[str, list[float]]:
        """Run -> first metric of each task [K], with the runs' present parameters."""
        found: dict[str, list[float]] = {run: [] for run in runs}
        with torch.inference_mode():
            vectors = self.fleet.vectors()
        for k, (task, rows, encoded) in enumerate(self.rows):
            spans = {run: self.fleet.address[run, k] for run in runs}
            prompts = {run: vectors[start:start + length] for run, (start, length) in spans.items()}
            scored = score_task(self.fleet.backbone, task, rows, encoded, prompts, prefix=self.config.prefix,
                                scoring=self.config.scoring, similarity=self.config.similarity, remember=False)
            for run in runs:
                value = scored[run].metrics[task.metrics[0]]
                found[run].append(math.nan if value is None else value)
        return found
