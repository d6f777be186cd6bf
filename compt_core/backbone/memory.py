"""The most memory that something took: of this process where it computes on the CPU, of its tensors on a GPU."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import torch


def watch(device: torch.device) -> None:
    """From here on :func:`peak` is measured again, where the system allows that."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif device.type == "cpu":
        with suppress(OSError):  # no Linux, or not allowed: the peak is that since the process began
            Path("/proc/self/clear_refs").write_text("5")


def peak(device: torch.device) -> int | None:
    """Bytes held at most since :func:`watch`; None where nobody counts them."""
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
