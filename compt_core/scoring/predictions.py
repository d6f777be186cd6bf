"""Turns label scores of dev rows into predictions, both in scoring and when stored scores are read. No torch."""

from __future__ import annotations

import numpy as np

from compt_core.tasks.spec import Task

UNREADABLE = -1  # prediction for an answer that is no label word; it counts as wrong


def predict(task: Task, scores: np.ndarray, *, similarity: str = "argmax", generated: bool = False) -> np.ndarray:
    """Predictions [n] from label scores [n, C]: the label's index, or the number for a numeric task.

    An answer that is no label (:func:`readable`) is UNREADABLE. In a numeric task, where every answer must be a number,
    it is the lowest candidate. `similarity` says how a numeric task reads its candidates.
    """
    told = readable(scores, generated)
    scores = np.where(told[:, None], scores, 0)
    best = scores.argmax(axis=1)
    if not task.numeric:
        return np.where(told, best, UNREADABLE)
    candidates = np.array([float(label) for label in task.labels])
    if similarity != "expectation":
        return np.asarray(candidates[best])
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.where(told, (weights * candidates).sum(axis=1) / weights.sum(axis=1), candidates[0])


def readable(scores: np.ndarray, generated: bool) -> np.ndarray:
    """Whether each row of label scores [n, C] names a label. It does not if the generated text is no label, or if the
    likelihoods are no numbers."""
    best = scores.max(axis=1)
    return np.asarray(best > 0 if generated else np.isfinite(best))
