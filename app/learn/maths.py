"""The mathematics behind the tour's sliders: what normalisers and gates do. Torch is loaded only when needed.

S sources · P prompt length · H hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.ui import services
from compt_core.runs.record import RunRecord

if TYPE_CHECKING:
    from torch import Tensor

NORMALISERS = ("softmax", "entmax15", "sparsemax", "sigmoid")  # only the last does not sum to 1


def weights_of(logits: Sequence[float]) -> dict[str, list[float]]:
    """The weights that every normaliser makes from a task's logits [S]. Loads torch, which takes a moment once."""
    import torch

    from compt_core.composition.normalize import normalise

    raw = torch.tensor(logits, dtype=torch.float64)
    return {kind: normalise(raw, kind).tolist() for kind in NORMALISERS}


@dataclass(frozen=True)
class Composed:
    """A task's prompt as two gates compose it: lengths (Euclidean norm over P x H) and directions.

    shared, private  length of each part as it enters the prompt
    whole            length of the composed prompt
    share            the private part's share of the two parts' lengths
    between          cosine between the two parts
    to_shared, to_private  cosine of the composed prompt with each part; NaN if a length is 0
    """

    shared: float
    private: float
    whole: float
    share: float
    between: float
    to_shared: float
    to_private: float


@dataclass(frozen=True)
class Parts:
    """What a task's prompt is made of: the shared and the private part [P, H] before gates, and the trained gates."""

    shared: np.ndarray
    private: np.ndarray
    alpha: float
    beta: float
    form: str


def parts(run: RunRecord, task: str) -> Parts | None:
    """The parts of a task's prompt in a completed SPP run; None if its prompts were not kept."""
    kept, result, at = services.store().prompts(run.id), run.result or {}, run.config["tasks"].index(task)
    if "source" not in kept or "private" not in kept:
        return None
    import torch

    from compt_core.composition.combine import shared_part

    attention = torch.tensor(result["attention"][at], dtype=torch.float32)[None, None]  # [1, 1, S]
    shared = shared_part(attention, torch.from_numpy(kept["source"]).float()[None])[0, 0]  # [P, H]
    return Parts(shared.numpy(), np.asarray(kept["private"][at], dtype=np.float32), result["alpha"][at],
                 result["beta"][at], run.config["form"])


def prompt_of(of: Parts, alpha: float, beta: float, form: str) -> np.ndarray:
    """The composed prompt [P, H] under two gates."""
    import torch

    from compt_core.composition.combine import compose

    return np.asarray(compose(*_batched(of), torch.tensor([[alpha]]), torch.tensor([[beta]]), form)[0, 0])


def composed(of: Parts, alpha: float, beta: float, form: str) -> Composed:
    """Lengths and directions of a task's prompt under two gates, in an SPP `form`."""
    import torch

    from compt_core.composition.combine import FORMS
    from compt_core.composition.gates import private_norm_share

    entering = FORMS[form](*_batched(of), torch.tensor([[alpha]]), torch.tensor([[beta]]))
    shared, private = (np.asarray(part[0, 0], dtype=float).ravel() for part in entering)
    whole = shared + private
    lengths = [float(np.linalg.norm(one)) for one in (shared, private, whole)]
    return Composed(lengths[0], lengths[1], lengths[2], float(private_norm_share(*entering)[0, 0]),
                    cosine(of.shared.ravel(), of.private.ravel()),
                    cosine(whole, of.shared.ravel()), cosine(whole, of.private.ravel()))


def _batched(of: Parts) -> tuple[Tensor, Tensor]:
    import torch

    return torch.from_numpy(of.shared)[None, None], torch.from_numpy(of.private)[None, None]  # [1, 1, P, H]


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of the angle between two vectors; NaN if either has length 0."""
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one.astype(float) @ other.astype(float)) / lengths if lengths else float("nan")
