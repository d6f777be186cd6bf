"""Label scores, kept by all that decides them (prompt, rows, labels, way to score), so that nothing is scored twice."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np
from torch import Tensor

from compt_core.tasks.batches import EncodedRow

LIMIT = 64_000_000  # bytes of label scores; those used longest ago are dropped first


class ScoreCache:
    """Label scores [n, C] on one loaded backbone, by :func:`score_key`; threads may share it."""

    def __init__(self, limit: int = LIMIT):
        self._limit, self._bytes, self._lock = limit, 0, Lock()
        self._kept: OrderedDict[str, np.ndarray] = OrderedDict()

    def get(self, key: str) -> np.ndarray | None:
        """A copy of what was put, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found.copy()

    def put(self, key: str, scores: np.ndarray) -> None:
        """Keep a copy."""
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = scores.copy()
            self._bytes += scores.nbytes
            while self._bytes > self._limit:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes


def rows_key(encoded: Sequence[EncodedRow], labels: Sequence[Sequence[int]], scoring: str) -> bytes:
    """Digest of encoded rows, label token ids and way of scoring: everything that all prompts of a task share."""
    return hashlib.sha256(repr(([(row.before, row.after) for row in encoded], labels, scoring)).encode()).digest()


def score_key(rows: bytes, prompt: Tensor) -> str:
    """Key of one prompt [L, H] on the rows of :func:`rows_key`."""
    values = prompt.detach().double().cpu().contiguous().numpy()
    return hashlib.sha256(rows + repr(values.shape).encode() + values.tobytes()).hexdigest()
