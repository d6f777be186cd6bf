"""What a training fleet reports while it runs. There is one clock: ``step`` counts optimizer steps. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Control = Literal["keep", "pause", "cancel"]

# Kinds: "loss" [1], "task_loss" [K], "attention" [K, S] row by row, "gates" [2, K] (alpha then beta),
# "dev_score" [K] (each task's first metric on a few dev rows, NaN where undefined), "phase_score" [K] (the same on all
# rows that are scored, before the first phase and after each), "prompts" [N, 1 + d] (a sketch of
# each prompt, as `compt_core.composition.geometry` makes them).
Kind = Literal["loss", "task_loss", "attention", "gates", "dev_score", "phase_score", "prompts"]


@dataclass(frozen=True)
class Event:
    """One measured point of one run; `values` is the kind's array, flattened row by row."""

    run: str
    kind: Kind
    step: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Started:
    """A run is about to start: how many steps it will take, what it depends on, and how many steps are done.

    versions  library versions, backbone (id, hash, device, dtype) and data hashes, as JSON types
    step      0, or the step of the checkpoint that it continues from
    """

    run: str
    steps: int
    versions: dict[str, Any]
    step: int = 0


@dataclass(frozen=True)
class Log:
    """One line for the run's log, in plain words."""

    run: str
    step: int
    text: str


@dataclass(frozen=True)
class Outcome:
    """How a run left its fleet.

    state    "completed", "failed", "cancelled" or "paused"
    result   if completed: the record of `fleet_run.train_fleet`, made of plain JSON types
    prompts  if completed: name -> array, kept as prompts.safetensors
    scores   if completed: task -> array, kept as scores.safetensors
    error    if failed: the exception
    """

    state: Literal["completed", "failed", "cancelled", "paused"]
    result: dict[str, Any] | None = None
    prompts: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    error: BaseException | None = None


OnEvent = Callable[[Started | Event | Log], None]
Ask = Callable[[str], Control]  # run id -> what to do with it before the next step


@dataclass(frozen=True)
class Checkpoint:
    """A run between two optimizer steps: everything that its next step depends on.

    step      optimizer steps done
    tensors   name -> array, as `training.checkpoint.take` names them
    seconds   its fleet's training time so far
    versions  what the run depended on when the checkpoint was taken, as in :class:`Started`
    """

    step: int
    tensors: Mapping[str, Any]
    seconds: float = 0.0
    versions: Mapping[str, Any] = field(default_factory=dict)


class Keeper(Protocol):
    """Keeps checkpoints. Those passed in one call stay together: after a crash either all of them are there or none."""

    def due(self, run: str) -> bool:
        """Whether it is time for another checkpoint of this run, and so of all runs in its fleet."""

    def keep(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Stores the checkpoints of runs, by run id."""
