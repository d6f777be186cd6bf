"""Loaded backbones, kept while there is room for them: a request for one that is kept returns the same object."""

from __future__ import annotations

import gc
import math
import os
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import torch

from compt_core.backbone.files import BackboneFiles, read_model
from compt_core.backbone.load import Backbone, best_device, dtype_on
from compt_core.errors import BackboneError

MOST = 4  # backbones on one device
SHARE = 0.3  # of a device's memory, for all backbones on it; the rest is for the work with them


class _Key(NamedTuple):
    files: BackboneFiles
    digest: str
    device: str


class Shelf:
    """Backbones by their files and device; threads may share it.

    If there are more than MOST, or more than SHARE of the device's memory has room for, those used longest ago are let
    go. A backbone in use is never let go, or it would soon be in memory twice. A backbone whose files have changed is
    let go at the next request for them.
    """

    def __init__(self, load: Callable[[BackboneFiles, str], Backbone], most: int = MOST, share: float = SHARE):
        self._load, self._most, self._share = load, most, share
        self._kept: dict[_Key, Backbone] = {}  # the one used longest ago first
        self._lock = Lock()  # a page's what-if and the worker may ask at the same moment; only one loads

    def get(self, files: BackboneFiles, device: str | None = None) -> Backbone:
        """The backbone on `device` (the best by default). Raises BackboneError where it cannot be loaded."""
        device = device or best_device()
        with self._lock:
            key = _Key(files, files.digest(), "cuda:0" if device == "cuda" else device)
            for other in [one for one in self._kept if one.files.folder == files.folder and one.digest != key.digest]:
                del self._kept[other]
            if key not in self._kept:
                self._make_room(files.ref, key.device, asked(files, key.device))
                self._kept[key] = self._load(files, key.device)
            self._kept[key] = found = self._kept.pop(key)  # moves it to the end: used last
            return found

    def clear(self) -> None:
        """Forgets all backbones."""
        with self._lock:
            self._kept.clear()

    def _make_room(self, ref: str, device: str, size: int) -> None:
        """Lets backbones on a device go until one of `size` bytes fits or all that are left are in use."""
        room = capacity(device)
        if size > room:
            raise BackboneError(f"The backbone '{ref}' takes {size / 1e9:,.1f} GB of memory, but '{device}' has only "
                                f"{room / 1e9:,.1f} GB. Give a smaller one.")
        here = {key: taken(one) for key, one in self._kept.items() if key.device == device}
        gone = 0
        for key in list(here):
            if len(here) < self._most and sum(here.values()) + size <= self._share * room:
                break
            if self._let_go(key):
                gone += here.pop(key)
        if gone:
            gc.collect()  # an error kept somewhere may still hold a model
            if device.startswith("cuda"):
                torch.cuda.empty_cache()

    def _let_go(self, key: _Key) -> bool:
        """Forgets a backbone unless it is still in use."""
        order = list(self._kept)
        held = weakref.ref(self._kept[key])
        del self._kept[key]
        if (used := held()) is None:
            return True
        self._kept[key] = used
        self._kept = {one: self._kept[one] for one in order}
        return False


def taken(backbone: Backbone) -> int:
    """Bytes that the weights of a loaded backbone take."""
    return sum(one.nbytes for one in backbone.model.parameters())


def asked(files: BackboneFiles, device: str) -> int:
    """Bytes that the weights of a backbone will take on a device. Raises BackboneError."""
    _, weights = read_model(files.ref, files.folder)
    return sum(math.prod(one.shape) for one in weights.values()) * dtype_on(device).itemsize


def capacity(device: str) -> int:
    """Bytes of memory of a device; for anything but a CUDA device, the memory of the machine or the container."""
    if device.startswith("cuda"):
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (OSError, ValueError, AttributeError):  # the system does not tell
        return sys.maxsize
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # not in a container, or in one without a limit ("max")
            sizes.append(int(Path(limit).read_text()))
    return min(sizes)
