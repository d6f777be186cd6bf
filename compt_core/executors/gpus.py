"""One fleet on several GPUs: its runs are spread over them, and each GPU trains its share as a fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from types import MappingProxyType
from typing import TypeVar

import torch

from compt_core.methods.block import Starts
from compt_core.settings.config import RunConfig
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.table import CATALOGUE
from compt_core.threads import Daemons
from compt_core.training.events import Ask, Checkpoint, Event, Keeper, Log, OnEvent, Outcome, Started
from compt_core.training.fleet_run import OnOutcome, shared_backbone, train_fleet

T = TypeVar("T")


def all_gpus() -> tuple[str, ...]:
    """The CUDA devices that torch sees, by name."""
    return tuple(f"cuda:{i}" for i in range(torch.cuda.device_count()))


def train_on(devices: Sequence[str], configs: Mapping[str, RunConfig], on_event: OnEvent, control: Ask, *,
             on_outcome: OnOutcome, resume: Mapping[str, Checkpoint] = MappingProxyType({}),
             keeper: Keeper | None = None, tasks: Catalogue = CATALOGUE,
             starts: Mapping[str, Starts] = MappingProxyType({})) -> dict[str, Outcome]:
    """As :func:`compt_core.training.fleet_run.train_fleet`, on all `devices` at once; hooks are called one at a time.

    An error that ends the fleet of one device is raised once the fleets of the others have ended.
    """
    one_at_a_time = Lock()

    def guarded(hook: Callable[..., T]) -> Callable[..., T]:
        def call(*values: str | Outcome | Started | Event | Log) -> T:
            with one_at_a_time:
                return hook(*values)
        return call

    def train(device: str, share: Mapping[str, RunConfig]) -> dict[str, Outcome]:
        return train_fleet(share, guarded(on_event), guarded(control), on_outcome=guarded(on_outcome),
                           backbone=backbones[device], keeper=_Guarded(keeper, one_at_a_time) if keeper else None,
                           resume={run: resume[run] for run in share if run in resume}, tasks=tasks, starts=starts)

    shares = deal(configs, devices)
    ref = next(iter(configs.values())).backbone
    backbones = {device: shared_backbone(ref, device) for device in shares}  # transformers loads one at a time
    pool = _pool(len(shares))
    working = [pool.submit(train, device, share) for device, share in shares.items()]
    wait(working)
    return {run: outcome for done in working for run, outcome in done.result().items()}


@dataclass(frozen=True)
class _Guarded:
    """A keeper that several fleets share. The runs of one fleet stay together; those of different fleets need not."""

    keeper: Keeper
    lock: Lock

    def due(self, run: str) -> bool:
        with self.lock:
            return self.keeper.due(run)

    def keep(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        with self.lock:
            self.keeper.keep(checkpoints)


@lru_cache(maxsize=4)
def _pool(threads: int) -> Daemons:
    return Daemons(threads)


def deal(configs: Mapping[str, RunConfig], devices: Sequence[str]) -> dict[str, dict[str, RunConfig]]:
    """Device -> its runs, in turn: methods and seeds follow each other in the grid, and so are spread."""
    return {device: own for i, device in enumerate(devices)
            if (own := {run: configs[run] for run in list(configs)[i::len(devices)]})}
