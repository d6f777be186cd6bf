"""Random numbers: one named stream per purpose, so that no draw ever shifts another.

A stream is found by a seed and a path of names (``stream(0, "init", "source", 2)``): the number of
other sources, tasks or runs changes nothing, and stopping and resuming needs no saved state.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: object) -> np.random.Generator:
    """A fresh generator for `seed` and the path `names`; the same path gives the same numbers."""
    path = "/".join(map(str, (seed, *names)))
    return np.random.default_rng(np.frombuffer(hashlib.sha256(path.encode()).digest(), dtype=np.uint32))
