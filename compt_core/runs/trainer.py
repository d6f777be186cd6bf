"""What a worker calls to train and to score reference rows. Torch is loaded at the first call."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol

from compt_core.planning.estimate import Pace
from compt_core.settings.config import RunConfig
from compt_core.tasks.catalogue import Catalogue
from compt_core.training.events import Ask, Checkpoint, Keeper, OnEvent, Outcome


class Train(Protocol):
    """`fleet_run.train_fleet`: trains runs side by side, reports each end at once, and returns all ends. `tasks` are
    the definitions that their experiment keeps, `starts` the first prompts of runs that are given some."""

    def __call__(self, configs: Mapping[str, RunConfig], on_event: OnEvent, control: Ask, *,
                 on_outcome: Callable[[str, Outcome], None], resume: Mapping[str, Checkpoint],
                 keeper: Keeper, tasks: Catalogue, starts: Mapping[str, Any]) -> Mapping[str, Outcome]: ...


# `trial.measure`: the pace of a fleet with these settings; asked whether to stop, and told what is done.
Measure = Callable[[Sequence[RunConfig], Catalogue, Callable[[], bool], Callable[[str], None]], Pace | None]
References = Callable[[RunConfig, Catalogue], dict[str, Any] | None]


def trainer(threads: int | None) -> Train:
    """`fleet_run.train_fleet`, or `gpus.train_on` on several GPUs; torch uses `threads`, None = its own choice."""
    with _uncollected():
        import torch

        from compt_core.executors.gpus import all_gpus, train_on
        from compt_core.training.fleet_run import shared_backbone, train_fleet

    if threads is not None:
        torch.set_num_threads(threads)

    def train(configs: Mapping[str, RunConfig], on_event: OnEvent, control: Ask, *,
              on_outcome: Callable[[str, Outcome], None], resume: Mapping[str, Checkpoint],
              keeper: Keeper, tasks: Catalogue, starts: Mapping[str, Any]) -> Mapping[str, Outcome]:
        gpus = all_gpus()
        if len(gpus) > 1 and len(configs) > 1:
            _spare_collector()
            return train_on(gpus, configs, on_event, control, on_outcome=on_outcome, resume=resume, keeper=keeper,
                            tasks=tasks, starts=starts)
        with _uncollected():
            shared_backbone(next(iter(configs.values())).backbone)
        _spare_collector()
        return train_fleet(configs, on_event, control, on_outcome=on_outcome, resume=resume, keeper=keeper, tasks=tasks,
                           starts=starts)

    return train


def measurer(threads: int | None) -> Measure:
    """`trial.measure`; torch uses `threads`, None = its own choice."""
    with _uncollected():
        import torch

        from compt_core.training.trial import measure

    if threads is not None:
        torch.set_num_threads(threads)
    return measure


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection while torch and transformers load: there is no garbage, and looking took half a second."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@lru_cache(maxsize=1)
def _spare_collector() -> None:
    """Hides what is loaded now, above all torch and transformers, from the garbage collector, once.

    Streamlit collects after every script run, which stops all threads: with these libraries for a third of
    a second each time, so that training took twice as long while one live page was open.
    """
    gc.collect()
    gc.freeze()


def referrer(stop: threading.Event) -> References:
    """`fleet_run.reference_rows`, ended early when `stop` is set."""
    from compt_core.training.fleet_run import reference_rows

    return lambda config, tasks: reference_rows(config, stopped=stop.is_set, tasks=tasks)
