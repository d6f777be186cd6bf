"""A finished run taken apart into what an edit can change. No torch.

K tasks · S sources · P, L prompt lengths · H hidden size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from compt_core.errors import StoreError
from compt_core.methods.table import METHODS, structure
from compt_core.runs.record import RunRecord, State


@dataclass(frozen=True)
class Trained:
    """The parts of a trained run; None for what its method does not have. All arrays are float32.

    weights   [K, S] attention as used          logits      [K, S] if it was learned, with `normalizer`
    alpha, beta  [K] gates as used, 1 if there are none
    source    [S, P, H], private [K, P, H]      composed    [K, L, H] what was scored
    """

    run: str
    tasks: tuple[str, ...]
    form: str
    normalizer: str | None
    weights: np.ndarray | None
    logits: np.ndarray | None
    alpha: np.ndarray
    beta: np.ndarray
    source: np.ndarray | None
    private: np.ndarray | None
    composed: np.ndarray

    @property
    def largest_weight(self) -> float:
        """The largest weight that an edit may set: 1, or more if attention was fixed to more."""
        return 1.0 if self.weights is None else max(1.0, float(self.weights.max()))

    @property
    def composed_of_two(self) -> bool:
        """Whether it has a shared and a private part, each with a gate."""
        return self.source is not None and self.private is not None


def taken_apart(run: RunRecord, prompts: Mapping[str, np.ndarray]) -> Trained:
    """A completed run taken apart, with the prompts that the store kept of it (`inspection.kept_tensors`).

    Raises StoreError for a run that has not completed, or whose files do not fit the run.
    """
    if run.state != State.COMPLETED or run.result is None:
        raise StoreError(f"Run '{run.id}' is {run.state.value}: only a completed run can be edited. "
                         "Wait for it, or choose another run.")
    if unknown := [task for task in run.config["tasks"] if task not in run.tasks]:
        raise StoreError(f"The store holds no definition of task '{unknown[0]}', which run '{run.id}' was trained on: "
                         "an older version of ComPT Lab did not keep it. Choose another run.")
    try:
        shape, composed = structure(run.settings), METHODS[run.method].composed
        tasks = tuple(run.config["tasks"])
        ones = np.ones(len(tasks), dtype=np.float32)
        weights, alpha, beta = (run.result.get(name) for name in ("attention", "alpha", "beta"))
        found = Trained(
            run.id, tasks, shape.form, shape.normalizer,
            None if weights is None else np.asarray(weights, dtype=np.float32), prompts.get("attention.logits"),
            ones if alpha is None else np.asarray(alpha, dtype=np.float32),
            ones if beta is None else np.asarray(beta, dtype=np.float32),
            prompts.get("source") if composed else None, prompts.get("private"), prompts["composed"])
        if len(found.composed) != len(tasks) or (composed and (found.source is None or found.private is None)):
            raise ValueError("its prompts do not match its tasks")
    except (KeyError, ValueError) as error:
        raise StoreError(f"The prompts of run '{run.id}' cannot be read: {error}. Train the run again.") \
            from error
    return found
