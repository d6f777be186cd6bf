"""What the store knows about a run and an experiment, and the states that a run passes through.

queued → running → completed | failed | cancelled | paused | interrupted. A queued run may wait for others, and fails
if one of them can no longer complete. All except completed → queued again: paused,
interrupted and failed runs go on from their last checkpoint, cancelled runs start from the beginning. Only the store
says completed; cancelled wins over failed. A run may be deleted in any state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from compt_core.errors import StoreError
from compt_core.prompts.start import read_line
from compt_core.runs.ids import is_id
from compt_core.settings.config import RunConfig
from compt_core.tasks.catalogue import Catalogue


class State(StrEnum):
    """State of a run; a `str`, so that it stays equal after a hot reload of this module."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED, State.PAUSED, State.FAILED}),
    State.RUNNING: frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.PAUSED, State.INTERRUPTED}),
    State.PAUSED: frozenset({State.QUEUED, State.CANCELLED}),
    State.INTERRUPTED: frozenset({State.QUEUED, State.CANCELLED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
}
TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})  # they stay so until a person retries
ACTIVE = frozenset({State.QUEUED, State.RUNNING})
BUNDLED = "bundled"  # owner of the finished runs that come with the project
IMPORTED = "imported"  # owner of the finished runs that a person brought from another machine, and may delete


@dataclass(frozen=True)
class RunRecord:
    """One run as stored. Times are UTC seconds since the epoch, None if it has not happened."""

    id: str
    experiment: str
    owner: str
    method: str
    shots: int
    seed: int
    config: dict[str, Any]  # RunConfig, as JSON
    state: State
    step: int  # optimizer steps done
    steps: int | None  # optimizer steps in all; None until the run has started
    created: float
    started: float | None
    finished: float | None
    heartbeat: float | None
    request: str | None  # "cancel", "pause" or "delete", if asked for and not done yet
    error_type: str | None
    error_message: str | None
    traceback: str | None
    result: dict[str, Any] | None
    versions: dict[str, Any] | None  # library versions, backbone and data hashes, device
    fleet: str | None  # id shared by the runs that trained side by side
    checkpoint: int | None = None  # step of the checkpoint that it would go on from
    tasks: Catalogue = field(default_factory=Catalogue)  # its experiment's definitions, for tasks that have one

    @property
    def variant(self) -> str:
        """The name of its row in the comparison; for a plain method the method's own name."""
        return self.config.get("variant") or self.method

    @property
    def settings(self) -> RunConfig:
        """Its settings, for training or scoring. Raises StoreError if this version does not know one of them."""
        try:
            return RunConfig.model_validate(self.config)
        except ValidationError:
            raise StoreError(f"The settings of run '{self.id}' were stored by another version of ComPT Lab and cannot "
                             "be read. You can look at the run, but not use it.") from None

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The runs that must be completed before it starts; files of prompts are not among them."""
        named = [*self.config.get("after", ()), *(read_line(line).ref for line in self.config.get("init", ()))]
        return tuple(dict.fromkeys(filter(is_id, named)))

    @property
    def backbone(self) -> Mapping[str, str]:
        """The backbone that it was trained on: id, hash, device, dtype; empty before it has started."""
        return (self.versions or {}).get("backbone") or {}


@dataclass(frozen=True)
class ExperimentRecord:
    """One experiment as stored: its settings, its reference rows and how many of its runs are in each state."""

    id: str
    owner: str
    created: float
    config: dict[str, Any]  # Experiment, as JSON
    references: dict[str, Any] | None  # {"majority": {TASK: {METRIC: value}}, "no_prompt": {…}}; both {} if they failed
    states: dict[str, int]  # state -> number of runs
    tasks: Catalogue = field(default_factory=Catalogue)  # its task definitions at the time of submission; in a store of
    # an older version only those that the bundled table had

    @property
    def variants(self) -> dict[str, str]:
        """The rows of the comparison, in order: name -> method."""
        return {name: own["method"] for name, own in self.config["variants"].items()}


@dataclass(frozen=True)
class SavedEdit:
    """A named edit. `text` is what `whatif.edit` reads; `changes` is task -> what `whatif.change.Change` has."""

    id: str
    run: str
    owner: str
    name: str
    created: float
    text: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class Left:
    """What a completed run left besides its record: arrays by name, and curves by kind.

    prompts  as `inspection.kept_tensors` names them
    scores   task -> log-likelihood of every label [rows, labels] on its dev rows
    curves   kind of event -> (steps [n], values [n, d])
    """

    prompts: Mapping[str, Any]
    scores: Mapping[str, Any]
    curves: Mapping[str, tuple[Any, Any]]
