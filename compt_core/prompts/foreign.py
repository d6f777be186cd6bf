"""Prompts from elsewhere, read from a file that anybody may have made: every byte is checked before it is trusted.

Nothing is unpickled or unpacked, and no array is larger than the file. Only numpy and safetensors; no torch.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import count

import numpy as np

from compt_core.errors import DataError, quoted
from compt_core.prompts import peft_adapter

ENDINGS = ("npy", "safetensors")
MOST_BYTES = 8_000_000  # in a file
MOST_PROMPTS, MOST_VECTORS = 24, 1024  # in a file, in a prompt
LARGEST = 1e30  # largest absolute number
_FORM = (f"a prompt of P vectors must be an array [P, H], and K prompts an array [K, P, H], with whole sides from 1 on "
         f"and P at most {MOST_VECTORS:,}")
_LONGEST = 2**31  # longest side, well below numpy's own limits
_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}  # as safetensors names them; bfloat16 is the upper half of float32


def read(name: str, data: bytes, hidden: int, config: bytes | None = None, notes: list[str] | None = None
         ) -> dict[str, np.ndarray]:
    """Name -> prompt [P, H], float64, from the name and the contents of a file that a browser sent.

    An ``.npy`` holds real numbers [P, H] or [K, P, H]. In a ``.safetensors`` every tensor must have this form. If it
    has peft's ``prompt_embeddings`` or a run's ``composed``, only these are taken, peft's as described by `config`,
    the contents of its adapter_config.json. Prompts of any scale are read. `notes` gets a sentence on what is used of
    peft's. Raises DataError for another ending, more than MOST_BYTES, a broken file, another H than `hidden`, numbers
    that are not finite or beyond LARGEST, too many prompts or vectors, or a configuration that does not belong to it.
    """
    adapter = None if config is None else peft_adapter.read_config(config)
    ending = name.rpartition(".")[2].lower()
    if "." not in name or ending not in ENDINGS:
        raise DataError(f"The file {quoted(name)} must end in .npy or .safetensors. Save the prompt with numpy.save or "
                        "with safetensors' save_file; pickled files and archives (.pt, .bin, .npz) are never read.")
    if len(data) > MOST_BYTES:
        raise DataError(f"The file {quoted(name)} must have at most {MOST_BYTES:,} bytes. Got "
                        f"{len(data):,} instead; save fewer prompts in one file.")
    try:
        arrays = {"": _npy(name, data)} if ending == "npy" else _safetensors(name, data)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:  # not foreseen by the checks of shapes
        raise _broken(name, "no file of prompts", error) from None
    if peft_adapter.EMBEDDINGS in arrays:
        for tensor, array in arrays.items():
            _check_numbers(_what(name, tensor), array)
        if arrays[peft_adapter.EMBEDDINGS].ndim == 2 or adapter or len(arrays) > 1:
            arrays = peft_adapter.prompts(f"The file {quoted(name)}", arrays, adapter, [] if notes is None else notes)
    elif adapter is not None:
        raise DataError(f"The file {quoted(name)} has no {peft_adapter.EMBEDDINGS}, but an adapter_config.json was "
                        "given. Choose the adapter_model.safetensors next to it, or leave the configuration out.")
    found = [one for tensor, array in arrays.items() for one in _prompts(name, tensor, array, hidden)]
    if not 0 < len(found) <= MOST_PROMPTS:
        raise DataError(f"The file {quoted(name)} must hold 1 to {MOST_PROMPTS} prompts. Got {len(found):,} instead; "
                        "save only those that you want to compare.")
    return dict(zip(numbered(title for title, _ in found), (one for _, one in found), strict=True))


def origin(data: bytes, config: bytes | None = None) -> dict[str, str]:
    """The backbone of prompts that :func:`read` took: "id" as peft's configuration or a run's file names it, and for a
    run also its "hash"; empty if the file does not say."""
    if config is not None:
        named = peft_adapter.read_config(config).backbone
        return {} if named is None else {"id": named}
    try:
        header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
        found = json.loads(header["__metadata__"]["backbone"])
        return {name: found[name] for name in ("id", "hash") if isinstance(found.get(name), str)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # an .npy, or a file that does not say
        return {}


def numbered(titles: Iterable[str]) -> list[str]:
    """The titles, made unique: a repeated one gets a number, as in "a (2)"."""
    found: dict[str, None] = {}
    for title in titles:
        found[next(one for i in count(1) if (one := title if i == 1 else f"{title} ({i})") not in found)] = None
    return list(found)


def _npy(name: str, data: bytes) -> np.ndarray:
    """The array of an .npy file. Its header says how many bytes follow, which must match."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, kind = reader(stream, max_header_size=10_000)
    except Exception as error:  # a header is Python text, and any error of numpy's parser is the file's fault
        raise _broken(name, "no array of numpy's format", error) from None
    if kind.hasobject or kind.kind not in "fiu":
        raise DataError(f"The file {quoted(name)} must hold real numbers. Got numpy's type {quoted(str(kind))} "
                        "instead; save it with .astype('float32').")
    _check_sides(name, "", shape)
    body = memoryview(data)[stream.tell():]
    if math.prod(shape) * kind.itemsize != len(body):
        raise DataError(f"The file {quoted(name)} says that it holds numbers in the shape {_shape(shape)}, but "
                        f"{len(body):,} bytes follow, which is not that many. Save it again with numpy.save.")
    array = np.frombuffer(body, dtype=kind).reshape(shape, order="F" if fortran else "C")
    return array.astype(np.float64)


def _safetensors(name: str, data: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError, deserialize

    try:
        found = dict(deserialize(data))
    except (SafetensorError, ValueError, OverflowError, MemoryError) as error:
        raise _broken(name, "no file of safetensors", error) from None
    peft = (peft_adapter.EMBEDDINGS, peft_adapter.COLUMNS, peft_adapter.ROWS)
    chosen = [key for key in peft if key in found] if peft[0] in found else \
        ["composed"] if "composed" in found else sorted(found)
    return {key: _tensor(name, key, found[key]) for key in chosen}


def _tensor(name: str, key: str, tensor: Mapping[str, object]) -> np.ndarray:
    kind, shape, body = str(tensor["dtype"]), tensor["shape"], tensor["data"]
    assert isinstance(shape, list) and isinstance(body, bytes | bytearray | memoryview)
    _check_sides(name, key, shape)
    if kind == "BF16":
        wide = np.frombuffer(body, dtype="<u2").astype("<u4") << 16
        return wide.view("<f4").reshape(shape).astype(np.float64)
    if kind not in _KINDS:
        raise DataError(f"The tensor {quoted(key)} of {quoted(name)} must be of type F64, F32, F16 or BF16. Got "
                        f"{quoted(kind)} instead; save it as float32.")
    return np.frombuffer(body, dtype=_KINDS[kind]).reshape(shape).astype(np.float64)


def _prompts(name: str, tensor: str, array: np.ndarray, hidden: int) -> list[tuple[str, np.ndarray]]:
    """(name, [P, H]) of the prompts in one array; several prompts are numbered from 0."""
    what = _what(name, tensor)
    if array.shape[-2] > MOST_VECTORS:
        raise DataError(f"{what} has the shape {_shape(array.shape)}: {_FORM}.")
    if array.shape[-1] != hidden:
        raise DataError(f"{what} has the shape {_shape(array.shape)}: its last side must be H = {hidden:,}, the "
                        "hidden size of this run's backbone. Choose prompts for the same backbone.")
    if array.ndim == 3 and len(array) > MOST_PROMPTS:
        raise DataError(f"{what} holds {len(array):,} prompts, more than {MOST_PROMPTS}. Save only those that you "
                        "want to compare.")
    _check_numbers(what, array)
    if array.ndim == 2:
        return [(tensor or "prompt", array)]
    return [(f"{tensor} {i}".strip() if len(array) > 1 else tensor or "prompt", one) for i, one in enumerate(array)]


def _check_numbers(what: str, array: np.ndarray) -> None:
    wrong = np.argwhere(~(np.abs(array) <= LARGEST))
    if len(wrong):
        at = tuple(map(int, wrong[0]))
        more = f", and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
        raise DataError(f"{what} must hold finite numbers of at most {LARGEST:.0e}. Got {array[at]} at {list(at)} "
                        f"instead{more}; save a prompt whose training stayed finite.")


def _check_sides(name: str, tensor: str, shape: Sequence[int]) -> None:
    """Raises DataError for a wrong shape before numpy sees it: a header can name any number of sides of any size."""
    if len(shape) not in (2, 3) or not all(type(side) is int and 0 < side <= _LONGEST for side in shape):
        raise DataError(f"{_what(name, tensor)} has the shape {_shape(shape)}: {_FORM}.")


def _what(name: str, tensor: str) -> str:
    return f"The tensor {quoted(tensor)} of {quoted(name)}" if tensor else f"The file {quoted(name)}"


def _broken(name: str, what: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return DataError(f"The file {quoted(name)} is {what}: {reason}. Save or copy it again.")


def _shape(shape: Sequence[int]) -> str:
    sides = ["over 10^12" if abs(one) >= 10**12 else f"{one:,}" if type(one) is int else str(one) for one in shape[:6]]
    return "[" + ", ".join([*sides, *(["…"] if len(shape) > 6 else [])]) + "]"
