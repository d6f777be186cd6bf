"""A store in a temporary home, small experiments, and a trainer that tests steer by events."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compt_core.settings.config import Experiment, RunConfig, build_experiment
from compt_core.tasks.catalogue import Catalogue
from compt_core.training.events import Ask, Checkpoint, Event, Keeper, OnEvent, Outcome, Started

SECONDS = 30  # the longest any test waits for an event before it fails


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def grid() -> Callable[..., Experiment]:
    """An experiment on the demo backbone: one PT run unless settings say otherwise."""
    def build(**settings: Any) -> Experiment:
        return build_experiment({"methods": ["pt"], **settings}, preset="demo")

    return build


class Steered:
    """A trainer of STEPS steps that announces each step and takes it when told to.

    `free` lets it run through; otherwise every `step()` lets one go by. `fleets` holds the run ids
    it was given, fleet by fleet.
    """

    STEPS = 5

    def __init__(self, free: bool = True):
        self.free = free
        self.training = threading.Event()
        self.go = threading.Semaphore(0)
        self.fleets: list[list[str]] = []

    def __call__(self, configs: Mapping[str, RunConfig], on_event: OnEvent, control: Ask, *,
                 on_outcome: Callable[[str, Outcome], None], resume: Mapping[str, Checkpoint] | None = None,
                 keeper: Keeper | None = None, tasks: Catalogue | None = None,
                 starts: Mapping[str, Any] | None = None) -> dict[str, Outcome]:
        self.fleets.append(list(configs))
        outcomes: dict[str, Outcome] = {}
        for run in configs:
            on_event(Started(run, self.STEPS, {"torch": "none"}))
        self.training.set()
        for step in range(1, self.STEPS + 1):
            if len(outcomes) == len(configs):
                break
            if not self.free:
                assert self.go.acquire(timeout=SECONDS)
            for run in configs:
                if run in outcomes:
                    continue
                answer = control(run)
                if answer != "keep":
                    outcomes[run] = Outcome("cancelled" if answer == "cancel" else "paused")
                    on_outcome(run, outcomes[run])
                else:
                    on_event(Event(run, "loss", step, (1 / step,)))
        for run in configs:
            if run not in outcomes:
                prompt = np.ones((2, 3), dtype=np.float32)
                outcomes[run] = Outcome("completed", result={"mean": 0.5}, prompts={"private": prompt})
        return outcomes

    def step(self, count: int = 1) -> None:
        self.go.release(count)


@pytest.fixture
def steered() -> Callable[..., Steered]:
    return Steered
