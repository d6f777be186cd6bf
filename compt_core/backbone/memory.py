"""The most memory that something took: of this process on the CPU, of its tensors on a GPU."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import torch


def watch(device: torch.device) -> None:
    """Starts the measurement of :func:`peak` again, where the system allows that."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif device.type == "cpu":
        with suppress(OSError):  # not Linux, or not allowed: then it is the peak since the process began
            Path("/proc/self/clear_refs").write_text("5")


def peak(device: torch.device) -> int | None:
    """The most bytes held since :func:`watch`; None where they are not counted."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type != "cpu":
        return None
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    with suppress(ImportError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return None
