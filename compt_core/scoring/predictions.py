"""Label scores of dev rows as predictions, the same for scoring and for whoever reads stored scores. No torch."""

from __future__ import annotations

import numpy as np

from compt_core.tasks.spec import Task

UNREADABLE = -1  # prediction where an answer is no label word: counts as wrong


def predict(task: Task, scores: np.ndarray, *, similarity: str = "argmax", generated: bool = False) -> np.ndarray:
    """[n] from label scores [n, C]: the label's index, or the number of a numeric task.

    An answer that is no label (:func:`readable`) is UNREADABLE; of a numeric task, where every answer is a number, the
    lowest candidate. `similarity` is how a numeric task reads its candidates.
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
    """Whether each row of label scores [n, C] names a label: not where the generated text is none, nor where the
    likelihoods are no numbers."""
    best = scores.max(axis=1)
    return np.asarray(best > 0 if generated else np.isfinite(best))
