"""Prompts from elsewhere, out of a file that anybody may have made: checked to the last byte before it is believed.

Nothing is unpickled or unpacked, and no array is made larger than the file. Numpy and safetensors alone; no torch.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

import numpy as np

from compt_core.errors import DataError, quoted

ENDINGS = ("npy", "safetensors")
MOST_BYTES = 8_000_000  # of a file
MOST_PROMPTS, MOST_VECTORS = 24, 1024  # of a file, of a prompt
LARGEST = 1e30  # of a number
_PEFT = "prompt_embeddings"  # what peft calls a prompt of its own
_FORM = "a prompt of P vectors is an array [P, H], and K of them are [K, P, H]"
_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}  # as safetensors names them; bfloat16 is the upper half of float32


def read(name: str, data: bytes, hidden: int) -> dict[str, np.ndarray]:
    """Name -> prompt [P, H], float64, of a file by the name and the contents that a browser sent.

    An ``.npy`` holds [P, H] or [K, P, H] of real numbers. Of a ``.safetensors`` every tensor must be such a one; of
    one with peft's ``prompt_embeddings`` or a run's ``composed`` these alone are taken. Prompts of any scale are read.
    Raises DataError: another ending, more than MOST_BYTES, no such file, another H than `hidden`, numbers that are not
    finite or beyond LARGEST, too many prompts or vectors.
    """
    ending = name.rpartition(".")[2].lower()
    if "." not in name or ending not in ENDINGS:
        raise DataError(f"The file {quoted(name)} must end in .npy or .safetensors. Save the prompt with numpy.save or "
                        "with safetensors' save_file; pickled files and archives (.pt, .bin, .npz) are never read.")
    if len(data) > MOST_BYTES:
        raise DataError(f"The file {quoted(name)} has {len(data) / 1e6:.1f} MB, more than {MOST_BYTES // 10**6}. "
                        "Save fewer prompts in one file.")
    arrays = {"": _npy(name, data)} if ending == "npy" else _safetensors(name, data)
    found = {title: one for tensor, array in arrays.items() for title, one in _prompts(name, tensor, array, hidden)}
    if not 0 < len(found) <= MOST_PROMPTS:
        raise DataError(f"The file {quoted(name)} must hold 1 to {MOST_PROMPTS} prompts. Got {len(found):,} instead; "
                        "save those that you want to compare.")
    return found


def _npy(name: str, data: bytes) -> np.ndarray:
    """The array of an .npy file. Its header says how much follows, which must be just what does."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, kind = reader(stream, max_header_size=10_000)
    except Exception as error:  # a header is Python text, and whatever numpy's parser makes of it is the file's fault
        raise _broken(name, "no array of numpy's format", error) from None
    if kind.hasobject or kind.kind not in "fiu":
        raise DataError(f"The file {quoted(name)} must hold real numbers. Got numpy's type {quoted(str(kind))} "
                        "instead; save it with .astype('float32').")
    body = memoryview(data)[stream.tell():]
    if any(size < 0 for size in shape) or math.prod(shape) * kind.itemsize != len(body):
        raise DataError(f"The file {quoted(name)} says that it holds numbers in the shape {_shape(shape)}, and "
                        f"{len(body):,} bytes follow, which is not that many. Save it anew with numpy.save.")
    if not math.prod(shape):
        return np.empty(shape)
    array = np.frombuffer(body, dtype=kind).reshape(shape, order="F" if fortran else "C")
    return array.astype(np.float64)


def _safetensors(name: str, data: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError, deserialize

    try:
        found = dict(deserialize(data))
    except (SafetensorError, ValueError, OverflowError, MemoryError) as error:
        raise _broken(name, "no file of safetensors", error) from None
    chosen = next(([key] for key in (_PEFT, "composed") if key in found), sorted(found))
    return {key: _tensor(name, key, found[key]) for key in chosen}


def _tensor(name: str, key: str, tensor: Mapping[str, object]) -> np.ndarray:
    kind, shape, body = str(tensor["dtype"]), tensor["shape"], tensor["data"]
    assert isinstance(shape, list) and isinstance(body, bytes | bytearray | memoryview)
    if kind == "BF16":
        wide = np.frombuffer(body, dtype="<u2").astype("<u4") << 16
        return wide.view("<f4").reshape(shape).astype(np.float64)
    if kind not in _KINDS:
        raise DataError(f"The tensor {quoted(key)} of {quoted(name)} must be of type F64, F32, F16 or BF16. Got "
                        f"{quoted(kind)} instead; save it as float32.")
    return np.frombuffer(body, dtype=_KINDS[kind]).reshape(shape).astype(np.float64)


def _prompts(name: str, tensor: str, array: np.ndarray, hidden: int) -> list[tuple[str, np.ndarray]]:
    """(name, [P, H]) of the prompts in one array; those of several are numbered from 0."""
    what = f"The tensor {quoted(tensor)} of {quoted(name)}" if tensor else f"The file {quoted(name)}"
    if array.ndim not in (2, 3) or not 0 < array.shape[-2] <= MOST_VECTORS:
        raise DataError(f"{what} has the shape {_shape(array.shape)}: {_FORM}, with P at most {MOST_VECTORS:,}.")
    if array.shape[-1] != hidden:
        raise DataError(f"{what} has the shape {_shape(array.shape)}: its last side must be H = {hidden:,}, the "
                        "hidden size of this run's backbone. Choose prompts of the same backbone.")
    if array.ndim == 3 and len(array) > MOST_PROMPTS:
        raise DataError(f"{what} holds {len(array):,} prompts, more than {MOST_PROMPTS}. Save those that you want to "
                        "compare.")
    wrong = np.argwhere(~(np.abs(array) <= LARGEST))
    if len(wrong):
        at = tuple(map(int, wrong[0]))
        more = f", and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
        raise DataError(f"{what} must hold finite numbers, of at most {LARGEST:.0e}. Got {array[at]} at {list(at)} "
                        f"instead{more}. Save a prompt whose training stayed finite.")
    if array.ndim == 2:
        return [(tensor or "prompt", array)]
    return [(f"{tensor} {i}".strip() if len(array) > 1 else tensor or "prompt", one) for i, one in enumerate(array)]


def _broken(name: str, what: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return DataError(f"The file {quoted(name)} is {what}: {reason}. Save it anew, or copy it again.")


def _shape(shape: tuple[int, ...]) -> str:
    sides = [f"{one:,}" if abs(one) < 10**12 else "over 10^12" for one in shape[:6]]
    return "[" + ", ".join([*sides, *(["…"] if len(shape) > 6 else [])]) + "]"
