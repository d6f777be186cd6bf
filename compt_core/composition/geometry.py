"""Directions, cosines, norms and sketches of prompts of any scale. Only numpy and scikit-learn; no torch.

N prompts or vectors · P prompt length (may differ) · H hidden size · D numbers in a row. Trained prompts of one run
differ in norm by orders of magnitude, and prompts from elsewhere by more. So directions are compared: rows scaled to
norm 1, whose product is their cosine. Norms are shown separately.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np

SOURCE, PRIVATE, COMPOSED = "source", "private", "composed"
SKETCH = 256  # numbers that are kept of a prompt's direction while it trains
_SEED = 0


@dataclass(frozen=True)
class Prompt:
    """One prompt: its group, its owner (a source "s0", a task, …) and its vectors [P, H]."""

    group: str
    owner: str
    vectors: np.ndarray

    @property
    def name(self) -> str:
        """Its name in figures: sources by their number, others with their group, because a task has several."""
        return self.owner if self.group == SOURCE else f"{self.group} {self.owner}"


def groups(present: Mapping[str, Any], *, repeats: bool) -> list[str]:
    """The groups of a run's prompts that differ. If the method `repeats` one of its parts as the composed prompt (PT,
    MST), the composed group is left out."""
    return [name for name in (SOURCE, PRIVATE, *([] if repeats else [COMPOSED])) if name in present]


def prompts_of(tensors: Mapping[str, np.ndarray], tasks: Sequence[str], *, repeats: bool) -> list[Prompt]:
    """The prompts of a run (``source`` [S, P, H], ``private`` and ``composed`` [K, P, H]) in the order of groups."""
    return [Prompt(group, f"s{i}" if group == SOURCE else tasks[i], np.asarray(vectors, dtype=float))
            for group in groups(tensors, repeats=repeats) for i, vectors in enumerate(tensors[group])]


def one_length(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether prompts [P, H] can be compared number by number."""
    return len(set(shapes)) < 2


def rows(prompts: Sequence[np.ndarray], whole: bool = True) -> np.ndarray:
    """A row per prompt [P, H]: if `whole`, which needs one length, all its numbers [N, P H]; else the mean of its
    vectors [N, H]."""
    return np.stack([one.reshape(-1) if whole else one.mean(0) for one in prompts])


def directions(values: np.ndarray) -> np.ndarray:
    """Rows [N, D] scaled to norm 1, whatever their scale; a row of zeros stays a row of zeros."""
    largest = np.abs(values).max(1, keepdims=True, initial=0)  # so that no square leaves the range of floats
    scaled = values / np.where(largest > 0, largest, 1)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1))


def cosines(values: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Cosine of every row [N, D] with every other row, or with every row of `others` [M, D]; 0 with a row of zeros."""
    own = directions(values)
    return np.clip(own @ (own if others is None else directions(others)).T, -1, 1)


def digest(values: np.ndarray) -> str:
    """sha256 of an array: equal digests mean equal numbers, type and shape."""
    about = f"{values.dtype.str} {values.shape} ".encode()
    return hashlib.sha256(about + np.ascontiguousarray(values).tobytes()).hexdigest()


def norms(prompt: np.ndarray) -> np.ndarray:
    """Euclidean norm of every vector of a prompt [P, H]."""
    largest = float(np.abs(prompt).max(initial=0)) or 1.0
    return np.asarray(largest * np.linalg.norm(prompt / largest, axis=-1))


def rms(prompt: np.ndarray) -> float:
    """Root mean square over all numbers of a prompt [P, H], as a run's log gives it for its initial prompts."""
    largest = float(np.abs(prompt).max(initial=0)) or 1.0
    return largest * float(np.sqrt(np.square(prompt / largest).mean()))


def chance(dimensions: int, tries: int = 1) -> float:
    """The size that the largest of `tries` cosines of random directions exceeds in 5% of cases: about 2 / sqrt(D) for
    one, Bonferroni's bound for several."""
    return min(1.0, NormalDist().inv_cdf(1 - 0.025 / tries) / float(np.sqrt(dimensions)))


def sketch(prompts: Sequence[np.ndarray]) -> np.ndarray:
    """A row per prompt [P, H] that float16 can hold: the log of its norm, then its direction in at most SKETCH numbers.

    It is a sketch of whole prompts, or of mean vectors if lengths differ. Directions with more numbers are projected at
    random (Li, Hastie and Church, "Very Sparse Random Projections", 2006; the same each time). The distance of two is
    then right to about 4% (standard error 1 / sqrt(2 SKETCH)), whatever the backbone's size.
    """
    values = rows(prompts, one_length([one.shape for one in prompts]))
    with np.errstate(divide="ignore"):  # prompts of zeros
        lengths = np.log(norms(values))
    own = directions(values)
    kept = own if own.shape[1] <= SKETCH else own @ _projection(own.shape[1])
    return np.concatenate([lengths[:, None], kept], axis=1)


def unsketched(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Norms [n, N] and directions [n, N, d] of n kept sketches [n, N (1 + d)] of `count` = N prompts."""
    each = np.asarray(values, dtype=float).reshape(len(values), count, -1)
    return np.exp(each[:, :, 0]), each[:, :, 1:]


@lru_cache(maxsize=8)
def _projection(dimensions: int) -> Any:
    """Sparse [dimensions, SKETCH]."""
    from sklearn.random_projection import SparseRandomProjection

    return SparseRandomProjection(SKETCH, random_state=_SEED).fit(np.zeros((1, dimensions))).components_.T.tocsr()
