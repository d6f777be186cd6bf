"""The vocabulary pieces nearest to prompt vectors, from a backbone's files as they lie on disk.

M vectors · V pieces · H hidden size. The table of embeddings is read in stretches, never whole, since that of a large
mT5 takes a gigabyte. Loads no torch, except for a table in bfloat16, which numpy cannot read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from compt_core.backbone.config import TABLES
from compt_core.backbone.files import BackboneFiles, read_model, read_tokenizer
from compt_core.composition.geometry import directions, norms
from compt_core.errors import BackboneError
from compt_core.streams import stream

RANDOM = 200  # random directions, drawn to see how near the nearest piece is by chance
_STRETCH = 1 << 23  # numbers read at once


@dataclass(frozen=True)
class Nearest:
    """For each vector the nearest pieces, nearest first: their ids and how near they are [M, k]. Also what the nearest
    piece's measure is for random directions of the same norm (median, 95%)."""

    ids: np.ndarray
    values: np.ndarray
    chance: tuple[float, float]


def _cosine(cosines: np.ndarray, sizes: np.ndarray, others: np.ndarray) -> np.ndarray:
    return cosines


def _dot(cosines: np.ndarray, sizes: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.asarray(cosines * sizes * others)


def _closeness(cosines: np.ndarray, sizes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The negative Euclidean distance, so that more is nearer."""
    return -np.sqrt(np.square(sizes - others) + 2 * (1 - cosines) * sizes * others)


# Of cosines [M, v] and norms [M, 1] and [v], so that vectors of any scale are multiplied as float32; more is nearer.
Measure = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
MEASURES: Final[dict[str, Measure]] = {"cosine": _cosine, "dot": _dot, "distance": _closeness}


def nearest(files: BackboneFiles, vectors: np.ndarray, measure: str, count: int = 5) -> Nearest:
    """The `count` pieces nearest to each of `vectors` [M, H] by one of MEASURES; distances are positive.

    Rows of the table that the tokenizer has no piece for are left out. Cosines in float32 are right to 1e-6, so the
    distance of a piece to itself may come out as a thousandth of its norm. Raises BackboneError.
    """
    pieces = read_tokenizer(files).get_vocab_size()
    random = directions(stream(0, "pieces", vectors.shape[1]).normal(size=(RANDOM, vectors.shape[1])))
    random = random * float(np.median(np.linalg.norm(vectors, axis=1)))
    asked = np.concatenate([vectors, random])
    sizes, own = norms(asked)[:, None], directions(asked).astype(np.float32)
    ids, values = np.zeros((len(asked), 0), dtype=int), np.zeros((len(asked), 0))
    first = 0
    for table in _stretches(files, pieces):
        near = MEASURES[measure](np.clip(own @ directions(table).T, -1, 1), sizes, norms(table).astype(np.float64))
        some = _highest(near, count)
        ids = np.concatenate([ids, first + some], axis=1)
        values = np.concatenate([values, np.take_along_axis(near, some, axis=1)], axis=1)
        best = np.argsort(-values, axis=1, kind="stable")[:, :count]
        ids, values = np.take_along_axis(ids, best, axis=1), np.take_along_axis(values, best, axis=1)
        first += len(table)
    values = np.abs(values) if measure == "distance" else values
    chance = values[len(vectors):, 0]
    beyond = np.quantile(chance, 0.05 if measure == "distance" else 0.95)
    return Nearest(ids[:len(vectors)], values[:len(vectors)], (float(np.median(chance)), float(beyond)))


def _highest(values: np.ndarray, count: int) -> np.ndarray:
    """The places of the `count` highest values of each row, highest first, without sorting all values."""
    if values.shape[1] <= count:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.sort(np.argpartition(values, -count, axis=1)[:, -count:], axis=1)


def spelled(files: BackboneFiles, ids: np.ndarray) -> list[str]:
    """The pieces with these `ids` as the tokenizer writes them; ``▁`` stands for a space in front."""
    tokenizer = read_tokenizer(files)
    found = [tokenizer.id_to_token(int(one)) or f"piece {int(one)}" for one in ids.ravel()]
    return ["▁" if piece == " " else piece for piece in found]  # ByT5's piece for a space is the space itself


def norm_range(files: BackboneFiles) -> tuple[float, float, float]:
    """Euclidean norms of the pieces' embeddings: 5%, median, 95%. Raises BackboneError."""
    return _norm_range(files, files.digest())


@lru_cache(maxsize=8)
def _norm_range(files: BackboneFiles, digest: str) -> tuple[float, float, float]:
    pieces = read_tokenizer(files).get_vocab_size()
    found = np.concatenate([norms(table) for table in _stretches(files, pieces)])
    low, middle, high = np.quantile(found, [0.05, 0.5, 0.95])
    return float(low), float(middle), float(high)


def _stretches(files: BackboneFiles, pieces: int) -> Iterator[np.ndarray]:
    """The table's first `pieces` rows, [v, H] float32 at a time."""
    with _table(files) as table:
        rows = min(pieces, table.get_shape()[0])
        step = max(1, _STRETCH // max(1, table.get_shape()[1]))
        for start in range(0, rows, step):
            part = table[start:min(rows, start + step)]
            yield np.asarray(part if isinstance(part, np.ndarray) else part.float().numpy(), dtype=np.float32)


@contextmanager
def _table(files: BackboneFiles) -> Iterator[Any]:
    """The open table of embeddings. Raises BackboneError where the checkpoint's files have become unreadable."""
    from safetensors import SafetensorError, safe_open

    try:
        path, name = _place(files)
        with safe_open(path, "numpy") as handle:
            kind = handle.get_slice(name).get_dtype()
        with safe_open(path, "pt" if kind == "BF16" else "numpy") as handle:
            yield handle.get_slice(name)
    except (OSError, SafetensorError) as error:
        raise BackboneError(f"The embeddings of backbone '{files.ref}' cannot be read: {error}. Copy or download it "
                            "again.") from None


def _place(files: BackboneFiles) -> tuple[Path, str]:
    """The file with the table of embeddings, and the table's name in it."""
    _, weights = read_model(files.ref, files.folder)
    name = next(name for name in TABLES if name in weights)
    return weights[name].file, name
