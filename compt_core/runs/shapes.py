"""What the cells of the store must hold, so that code that reads a record need not check again. Loads no torch.

Stores of older versions lack what came later. So only what every page needs is required, and names that are not listed
here may hold anything.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(pattern=r"^[a-z0-9]{10}$")]
Count = Annotated[int, Field(ge=0)]
Time = Annotated[float, Field(ge=0, lt=2.5e11)]  # UTC seconds, up to about the year 9000
Amount = Annotated[float, Field(ge=0, le=1e30)]
Measured = Annotated[float, Field(allow_inf_nan=True)]  # may be NaN (a share of nothing) or infinite
Scores = Annotated[dict[str, float | None], Field(min_length=1)]  # metric -> value, None where undefined
Counts = dict[str, Count]
Ends = dict[Literal["initial", "final"], Measured]


class _Cells(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class RunCells(_Cells):
    """The cells of a run that are not JSON."""

    id: Id
    experiment: Id
    owner: str
    backbone: str
    method: str
    shots: int
    seed: int
    state: Literal["queued", "running", "completed", "failed", "cancelled", "paused", "interrupted"]
    step: Count
    steps: Count | None
    created: Time
    started: Time | None
    finished: Time | None
    heartbeat: Time | None
    request: Literal["cancel", "pause", "delete"] | None
    error_type: str | None
    error_message: str | None
    traceback: str | None
    fleet: str | None
    checkpoint: Count | None


class ExperimentCells(_Cells):
    """The cells of an experiment that are not JSON."""

    id: Id
    owner: str
    created: Time


class EditCells(_Cells):
    """The cells of a named edit that are not JSON."""

    id: Id
    run: Id
    owner: str
    name: str
    created: Time
    text: str


class Result(_Cells):
    """The results of a completed run; lists have an entry per task, attention has a row per task. Scores and both means
    are present together, or absent if nothing was scored."""

    tasks: dict[str, Scores] | None = None
    mean: float | None = None
    mean_normalised: float | None = None
    attention: list[list[float]] | None = None
    alpha: list[float] | None = None
    beta: list[float] | None = None
    private_share: list[Measured] | None = None
    private_norm_share: list[Measured] | None = None
    normalizer: str | None = None
    dead_sources: list[Count] | None = None
    constant: dict[str, bool] | None = None
    eval_rows: Counts | None = None
    cut: dict[str, Counts] | None = None
    skipped: dict[str, Counts] | None = None
    overlap: dict[str, Counts] | None = None
    unreadable: dict[str, float] | None = None
    samples: dict[str, Counts] | None = None
    data_notes: list[str] | None = None
    prompt_rms: Ends | None = Field(None, min_length=2)
    table_deviation: Measured | None = None
    fixed_batch_loss: Ends | None = Field(None, min_length=2)
    task_loss: dict[str, Annotated[dict[Literal["initial", "final", "words"], Measured], Field(min_length=3)]] | \
        None = None
    majority: dict[str, Scores] | None = None
    trainable_parameters: Count | None = None
    train_seconds: Measured | None = None
    eval_seconds: Measured | None = None
    backbone: dict[str, Any] | None = None


class _Work(_Cells):
    steps: Amount
    tokens: Amount
    numbers: Amount
    scored: Amount


class _Pace(_Cells):
    place: str
    work: _Work
    train_seconds: Amount
    eval_seconds: Amount
    memory: Amount | None = None
    measured: Time | None = None


class Timed(_Cells):
    """The part of a result that estimates are based on."""

    pace: _Pace | None = None


class _Backbone(_Cells):
    id: str | None = None
    hash: str | None = None
    device: str | None = None
    dtype: str | None = None


class Versions(_Cells):
    """What a run was made with."""

    backbone: _Backbone | None = None
    data: dict[str, str] | None = None


class References(_Cells):
    """The untrained reference rows: task -> metric -> value; both are empty if they could not be computed."""

    majority: dict[str, Scores] = {}
    no_prompt: dict[str, Scores] = {}
    unreadable: dict[str, float] = {}


class _Change(_Cells):
    before: float | None = None
    after: float | None = None


class Changes(_Cells):
    """What an edit changed: task -> the score before and after, and more."""

    tasks: dict[str, _Change]
