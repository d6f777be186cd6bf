"""One text under one prompt: label scores as probabilities, and the answer they give. No torch.

C labels of a task · n texts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from compt_core.scoring.predictions import UNREADABLE, predict
from compt_core.tasks.spec import Task


@dataclass(frozen=True)
class Answer:
    """The answer of one prompt to one text.

    probabilities  [C], sum 1: the softmax of the label scores. If text is generated, 1 at the label that was written,
                   and 0 everywhere if none was
    predicted      the label's index (UNREADABLE if the generated text was no label), or a numeric task's number, as in
                   scoring
    expected       for a numeric task the mean of the candidates, weighted by probability; else NaN
    """

    probabilities: np.ndarray
    predicted: float
    expected: float = math.nan

    @property
    def confidence(self) -> float:
        """The probability of the answer (for a numeric task, of the best candidate); 0 if no label was written."""
        return float(self.probabilities.max())


def answers(task: Task, scores: np.ndarray, config: dict[str, Any]) -> list[Answer]:
    """One answer per row of label scores [n, C], read as a run with this `config` reads its dev rows."""
    generated = config["scoring"] == "generate"
    weights = scores if generated else np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    shares = weights if generated else weights / weights.sum(axis=1, keepdims=True)
    predicted = predict(task, scores, similarity=config["similarity"], generated=generated)
    if not task.numeric:
        return [Answer(share, float(said)) for share, said in zip(shares, predicted, strict=True)]
    candidates = np.array([float(label) for label in task.labels])
    means = predicted if generated else shares @ candidates
    return [Answer(share, float(said), float(mean)) for share, said, mean in zip(shares, predicted, means, strict=True)]


def worded(task: Task, value: float) -> str:
    """An answer for people: the label word, or a number."""
    if task.numeric:
        return f"{value:.1f}"
    return "(no label)" if value == UNREADABLE else task.labels[int(value)]


def moved(task: Task, before: Answer, after: Answer) -> float:
    """How much the probability of the earlier answer changed; for a numeric task, how much the expected value did."""
    if task.numeric:
        return after.expected - before.expected
    if before.predicted == UNREADABLE:
        return math.nan
    said = int(before.predicted)
    return float(after.probabilities[said] - before.probabilities[said])
