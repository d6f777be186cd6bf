"""``python -m compt_core.backbone.unpickle FOLDER TARGET``: pickled weights of a T5 into safetensors, in a process of
its own. It is started by compt_core/backbone/convert.py.

torch reads the pickle with `weights_only`, which knows tensors and nothing else, so that nothing in the file is run. As
a second lock, this process cannot start another one or open a connection once it reads. It prints what is wrong as one
line of JSON, or {} if all went well.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from compt_core.backbone.config import HEAD, TABLES, T5Settings, read_settings
from compt_core.errors import BackboneError

Tensors = dict[str, torch.Tensor]
WHOLE = "pytorch_model.bin"
_PART = re.compile(r"pytorch_model-(\d{5})-of-(\d{5})\.bin")
_KINDS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_CLOSED = ("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "socket.connect",
           "socket.bind", "ctypes.dlopen", "pty.spawn")  # audit events


class Refused(Exception):
    """Weights that must not or cannot be used, as a sentence without its subject."""


def files_of(folder: Path) -> list[str]:
    """The names of the pickled files. Raises Refused where a part is missing."""
    if (folder / WHOLE).is_file():
        return [WHOLE]
    parts = sorted(file.name for file in folder.iterdir() if _PART.fullmatch(file.name))
    counts = {match[2] for name in parts if (match := _PART.fullmatch(name))}
    wanted = [f"pytorch_model-{number + 1:05}-of-{count}.bin" for count in counts for number in range(int(count))]
    if not parts or parts != sorted(wanted):
        missing = sorted(set(wanted) - set(parts))
        raise Refused(f"must all be there. Got no '{missing[0] if missing else WHOLE}'; copy or download it again")
    return parts


def read(file: Path) -> Tensors:
    """The tensors of a pickled file, mapped and not yet read where its form allows that. Raises Refused."""
    try:
        try:
            found = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            found = torch.load(file, map_location="cpu", weights_only=True)  # torch's format until 2020
    except Exception as error:  # the library's errors have no common type
        asked = re.search(r"GLOBAL (\S+)", str(error))
        if asked:
            raise Refused(f"must hold tensors and nothing else. Got {asked[1][:80]!r} in '{file.name}', which may run "
                          "code; none was run. Do not use this file") from None
        raise Refused(f"cannot be read: '{file.name}' is broken or no file of weights. Copy or download it again"
                      ) from None
    if not isinstance(found, dict):
        raise Refused(f"must be a table of tensors by name. Got a {type(found).__name__} in '{file.name}'; save the "
                      "model with save_pretrained")
    for name, value in found.items():
        _check(file.name, name, value)
    return found


def _check(file: str, name: Any, value: Any) -> None:
    """Raises Refused for what is no plain tensor, or one that is larger than the bytes behind it."""
    if not isinstance(name, str) or not isinstance(value, torch.Tensor):
        raise Refused(f"must be a table of tensors by name. Got {str(name)[:80]!r} in '{file}', which is none; save "
                      "the model with save_pretrained")
    if value.layout != torch.strided or value.device.type != "cpu":
        raise Refused(f"must be stored in full. Got {name[:80]!r} in '{file}' as a sparse or empty tensor; save the "
                      "model with save_pretrained")
    if value.dtype not in _KINDS:
        raise Refused(f"must be plain numbers of 16, 32 or 64 bits. Got {name[:80]!r} as {value.dtype}; save the model "
                      "unquantised")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise Refused(f"must be stored in full. Got {name[:80]!r} with more numbers than '{file}' has bytes for; save "
                      "the model with save_pretrained")


def _distinct(tensors: Tensors, settings: T5Settings, kept: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors without copies of the table of words. `kept` holds the table of earlier files, and takes it."""
    copies = {*TABLES, HEAD} if settings.one_table else set(TABLES)
    order = {name: number for number, name in enumerate((*TABLES, HEAD))}
    places = set[int]()
    for name in sorted(tensors, key=lambda name: (order.get(name, len(order)), name)):
        value = tensors[name]
        if name in copies:
            if any(value.dtype == other.dtype and torch.equal(value, other) for other in kept.values()):
                continue
            kept[name] = value
        place = value.untyped_storage().data_ptr()
        value = value.contiguous()
        yield name, value.clone() if place in places else value  # a file holds no number twice
        places.add(place)


def convert(folder: Path, target: Path) -> None:
    """Writes the weights of `folder` into `target`, a file for each of its files. Raises Refused and OSError."""
    settings, names = read_settings(str(folder), folder), files_of(folder)
    kept: Tensors = {}
    places: dict[str, str] = {}
    size = 0
    for number, name in enumerate(names):
        into = "model.safetensors" if len(names) == 1 else f"model-{number + 1:05}-of-{len(names):05}.safetensors"
        part = dict(_distinct(read(folder / name), settings, kept))
        save_file(part, target / into, {"format": "pt"})
        places |= dict.fromkeys(part, into)
        size += sum(value.nbytes for value in part.values())
    if len(names) > 1:
        index = {"metadata": {"total_size": size}, "weight_map": places}
        (target / "model.safetensors.index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")


def _closed(event: str, _: Any) -> None:
    if event.startswith(_CLOSED):
        raise PermissionError(f"{event} is closed here")


def main(folder: str, target: str) -> None:
    """Converts, and prints what is wrong."""
    problem = {}
    try:
        convert(Path(folder), Path(target))
    except (Refused, BackboneError) as error:
        problem = {"problem": str(error)}
    except OSError as error:
        problem = {"problem": f"cannot be written again: {error.strerror or error}. Free some space or repair the disk"}
    print(json.dumps(problem))


if __name__ == "__main__":
    sys.addaudithook(_closed)
    main(sys.argv[1], sys.argv[2])
