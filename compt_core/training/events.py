"""What a training fleet reports while it runs. One clock: ``step`` counts optimizer steps. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Control = Literal["keep", "pause", "cancel"]

# Kinds: "loss" [1], "task_loss" [K], "attention" [K, S] row by row, "gates" [2, K] (alpha then beta).
Kind = Literal["loss", "task_loss", "attention", "gates"]


@dataclass(frozen=True)
class Event:
    """One measured point of one run; `values` is the kind's array, flattened row by row."""

    run: str
    kind: Kind
    step: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Started:
    """A run is about to take its first step: how many there will be, and on what it stands.

    versions  library versions, backbone (id, hash, device, dtype) and data hashes, as JSON types
    """

    run: str
    steps: int
    versions: dict[str, Any]


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
