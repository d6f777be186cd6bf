"""What a training fleet reports while it runs. One clock: ``step`` counts optimizer steps. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Control = Literal["keep", "pause", "cancel"]

# Kinds: "loss" [1], "task_loss" [K], "attention" [K, S] row by row, "gates" [2, K] (alpha then beta),
# "dev_score" [K] (each task's first metric on a few dev rows, NaN where undefined), "prompts" [N, 1 + d] (a sketch of
# each prompt, as `compt_core.composition.geometry` makes them).
Kind = Literal["loss", "task_loss", "attention", "gates", "dev_score", "prompts"]


@dataclass(frozen=True)
class Event:
    """One measured point of one run; `values` is the kind's array, flattened row by row."""

    run: str
    kind: Kind
    step: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Started:
    """A run is about to set off: how many steps there will be, on what it stands, and how many are done.

    versions  library versions, backbone (id, hash, device, dtype) and data hashes, as JSON types
    step      0, or the step of the checkpoint from which it goes on
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
    result   completed: the record of `experiment.train_fleet`, made of plain JSON types
    tensors  completed: name -> array; what is kept as prompts.safetensors and scores.safetensors
    error    failed: the exception
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
    """A run between two optimizer steps: all that its next step follows from.

    step      optimizer steps done
    tensors   name -> array, as `training.checkpoint.take` names them
    seconds   its fleet's training time so far
    versions  what the run stood on when it was taken, as in :class:`Started`
    """

    step: int
    tensors: Mapping[str, Any]
    seconds: float = 0.0
    versions: Mapping[str, Any] = field(default_factory=dict)


class Keeper(Protocol):
    """Keeps checkpoints. Those handed over in one call stay together: after a crash all of them are there, or none."""

    def due(self, run: str) -> bool:
        """Whether it is time for another checkpoint of this run, and so of all that train beside it."""

    def keep(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Takes the checkpoints of runs, by id."""
