"""The weights of a T5 checkpoint against its configuration: first the files' headers, then every number.

Loads no torch. A header gives each weight's name, shape, type and place. So everything that the configuration asks for
is known to be there before anything of that size is made; the numbers are read in stretches.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from compt_core.backbone.choice import choose
from compt_core.backbone.config import HEAD, IDLE, TABLES, T5Settings, needed
from compt_core.errors import BackboneError, quoted

INDEX = "model.safetensors.index.json"
# For each type of number: how numpy reads its bits, and the bits of LARGEST. The bits of infinity and of "not a number"
# are above these as well. Signs are shifted out.
LARGEST = 65504  # of float16; every published T5 fits into it, and far larger numbers make a pass overflow
_KINDS = {"F64": ("<u8", int(np.array(LARGEST, "<f8").view("<u8"))),
          "F32": ("<u4", int(np.array(LARGEST, "<f4").view("<u4"))),
          "F16": ("<u2", int(np.array(LARGEST, "<f2").view("<u2"))),
          "BF16": ("<u2", int(np.array(LARGEST, "<f4").view("<u4")) >> 16)}
_STRETCH = 1 << 22  # bytes read at once


@dataclass(frozen=True)
class Weight:
    """Where a weight is: its file, its type of numbers there, its shape, its first byte and the number of bytes."""

    file: Path
    kind: str
    shape: tuple[int, ...]
    start: int
    size: int


def read_headers(ref: str, folder: Path) -> dict[str, Weight]:
    """Name -> place of all weights of a checkpoint, from the files that transformers would read.

    Raises BackboneError where there are no safetensors, one is missing or cut off, or a weight occurs twice.
    """
    found = {file.name for file in folder.glob("*.safetensors")}
    if not found:
        choose([file.name for file in folder.iterdir()]).insist(ref)
    parts: set[str] = set()
    for index in sorted(folder.glob("*.safetensors.index.json")):
        named = _parts(ref, index)
        parts = named if index.name == INDEX else parts
        if named - found:
            raise BackboneError(f"The backbone '{ref}' lacks the weight file {quoted(min(named - found))}, which its "
                                "index names. Copy or download it again.")
    names = {"model.safetensors"} if "model.safetensors" in found else parts
    if not names:
        raise BackboneError(f"The backbone '{ref}' must hold its weights in model.safetensors, or in parts that "
                            f"{INDEX} names. Got {quoted(min(found))}; save the model with save_pretrained.")
    weights: dict[str, Weight] = {}
    for name in sorted(names):
        for weight, place in _header(ref, folder / name).items():
            if weight in weights:
                raise BackboneError(f"The backbone '{ref}' holds the weight {quoted(weight)} twice: in "
                                    f"'{weights[weight].file.name}' and '{name}'. Save it again with save_pretrained.")
            weights[weight] = place
    return weights


def _parts(ref: str, index: Path) -> set[str]:
    """The weight files that an index names."""
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if not all(isinstance(name, str) for name in named):
            raise TypeError("a weight file without a name")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BackboneError(f"The file '{index.name}' of backbone '{ref}' cannot be read. "
                            "Save the complete model with save_pretrained.") from error
    return named


def _header(ref: str, file: Path) -> dict[str, Weight]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "numpy"):  # it checks that offsets, shapes and the file's length fit each other
            pass
        with file.open("rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            header = json.loads(handle.read(length))
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise BackboneError(f"The weight file '{file.name}' of backbone '{ref}' is broken: "
                            f"{' '.join(str(error).split())[:200]}. Copy or download it again.") from None
    header.pop("__metadata__", None)
    return {name: Weight(file, about["dtype"], tuple(about["shape"]), 8 + length + about["data_offsets"][0],
                         about["data_offsets"][1] - about["data_offsets"][0]) for name, about in header.items()}


def check_headers(ref: str, settings: T5Settings, weights: Mapping[str, Weight]) -> None:
    """Checks that the weights are the ones that the settings ask for, no more and no fewer. Raises BackboneError."""
    shapes = needed(settings)
    table = (settings.vocab_size, settings.d_model)
    tables = dict.fromkeys(TABLES, table)
    asked = shapes if settings.tie_word_embeddings is not False else shapes | {HEAD: table}
    missing = sorted(asked.keys() - weights.keys())
    if not weights.keys() & tables.keys():
        missing = [TABLES[0], *missing]
    if {"encoder"} == {name.partition(".block.")[0] for name in weights if ".block." in name}:
        raise BackboneError(f"The backbone '{ref}' must have an encoder and a decoder. Got weights of an encoder "
                            "alone; give the complete model.")
    if missing:
        raise BackboneError(f"The backbone '{ref}' lacks {_named(missing)}. Save the complete model with "
                            "save_pretrained, or give the config.json that belongs to the weights.")
    known = shapes | tables | {HEAD: table}
    spare = sorted(weights.keys() - known.keys() - IDLE)
    if spare:
        raise BackboneError(f"The backbone '{ref}' holds {_named(spare)}, which its config.json does not know. Without "
                            "this it would be another model. Give the config.json that belongs to the "
                            "weights.")
    for name, weight in weights.items():
        if name in known and weight.shape != known[name]:
            raise BackboneError(f"The weight '{name}' of backbone '{ref}' must be {_size(known[name])}, as its "
                                f"config.json says. Got {_size(weight.shape)} in '{weight.file.name}'; give the "
                                "config.json that belongs to the weights.")
        if weight.kind not in _KINDS:
            raise BackboneError(f"The weight {quoted(name)} of backbone '{ref}' must be of type {', '.join(_KINDS)}. "
                                f"Got {quoted(weight.kind)}; save the model unquantised, in float32 or bfloat16.")


def _named(weights: list[str]) -> str:
    if len(weights) == 1:
        return f"the weight {quoted(weights[0])}"
    return f"{len(weights):,} weights, the first of them {quoted(weights[0])}"


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in shape) or "a single number"


def check_numbers(ref: str, settings: T5Settings, weights: Mapping[str, Weight]) -> None:
    """Checks that every number of the weights is finite and none too large, and that copies of the table are equal.

    They are all read once, and again only if a file changes. Raises BackboneError.
    """
    same = [name for name in TABLES if name in weights]
    if settings.one_table and HEAD in weights:
        same.append(HEAD)
    stats = [(file, file.stat()) for file in sorted({one.file for one in weights.values()})]
    files = tuple((file, about.st_mtime_ns, about.st_size) for file, about in stats)
    _check_numbers(ref, tuple(same), tuple(weights.items()), files)


@lru_cache(maxsize=16)
def _check_numbers(ref: str, same: tuple[str, ...], weights: tuple[tuple[str, Weight], ...], files: tuple[Any, ...]
                   ) -> None:
    by_name = dict(weights)
    for name, weight in weights:
        if name not in IDLE:
            _check_finite(ref, name, weight)
    for one, other in pairwise(same):
        if not _equal(by_name[one], by_name[other]):
            cure = ("If the model was trained with a head of its own, set tie_word_embeddings to false in its "
                    "config.json." if HEAD in (one, other) else "Save the trained model again with save_pretrained.")
            raise BackboneError(f"The backbone '{ref}' holds one table of words twice, as '{one}' and '{other}', and "
                                f"the two differ, so it is not clear which one is meant. {cure}")


def _check_finite(ref: str, name: str, weight: Weight) -> None:
    number, largest = _KINDS[weight.kind]
    for stretch in _stretches(weight):
        bits = stretch.view(number)
        found = int((bits & (1 << 8 * bits.itemsize - 1) - 1).max(initial=0))  # without the sign
        if found > largest:
            got = _read(weight.kind, found, bits.dtype)
            raise BackboneError(f"The weight '{name}' of backbone '{ref}' must hold finite numbers of at most "
                                f"{LARGEST:,}. Got {got} in '{weight.file.name}', so no result from it can be trusted. "
                                "Copy or download it again.")


def _read(kind: str, bits: int, dtype: np.dtype[Any]) -> str:
    """The number that the bits stand for, in words."""
    if kind == "BF16":
        bits, dtype = bits << 16, np.dtype("<u4")
    value = float(np.array(bits, dtype).view(f"<f{dtype.itemsize}"))
    return "nan (not a number)" if value != value else f"{value:.3g}"


def _equal(one: Weight, other: Weight) -> bool:
    return one.kind == other.kind and all(
        np.array_equal(a, b) for a, b in zip(_stretches(one), _stretches(other), strict=True))


def _stretches(weight: Weight) -> Iterator[np.ndarray]:
    """The bytes of a weight, in stretches."""
    with weight.file.open("rb") as handle:
        handle.seek(weight.start)
        left = weight.size
        while left > 0:
            part = np.frombuffer(handle.read(min(left, _STRETCH)), np.uint8)
            if part.size < min(left, _STRETCH):
                raise BackboneError(f"The weight file '{weight.file.name}' became shorter while it was being read. "
                                    "Copy or download it again.")
            left -= part.size
            yield part
