"""How many tokens one pass through the backbone takes at once: by measured memory, halved where that was too much.

On a CPU small parts are quicker than large ones, for their activations stay in the processor's cache.
On a GPU a part is as large as the free memory allows, by what the first pass took per token.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from compt_core.errors import ComptError
from compt_core.tasks.batches import chunks

CPU_TOKENS = 4_096  # measured: benchmarks/RESULTS.md
FIRST_TOKENS = 16_384  # elsewhere, until a pass has been measured
MOST_TOKENS = 262_144
SHARE = 0.7  # of the free memory, to be filled

Work = Callable[[np.ndarray], None]


class OutOfMemory(ComptError):
    """Not even one row fits the memory of the device."""


@dataclass
class Room:
    """Tokens per part for one kind of pass; `open`: not yet fitted to the memory of `device`."""

    device: torch.device
    tokens: int
    open: bool

    def each(self, lengths: Sequence[int], work: Work, *, max_rows: int | None = None, bucket: int = 1) -> None:
        """Call work(row indices) on one part of the rows after another, in order of width, until all are done.

        lengths [B]: tokens of each row. A part that runs out of memory comes again in halves, so `work`
        must leave nothing behind when it fails. Raises OutOfMemory where one row alone is too much.
        """
        waiting = list(chunks(lengths, self.tokens, max_rows, bucket))
        while waiting:
            part = waiting.pop(0)
            tokens = sum(lengths[i] for i in part)
            if self._fits(tokens, part, work):
                continue
            if len(part) == 1:
                raise OutOfMemory(f"One row of {tokens} tokens does not fit the memory of '{self.device}'. "
                                  "Free some of it, lower 'max_tokens', or take a smaller backbone.")
            self.tokens, self.open = max(1, tokens // 2), False
            rows = np.concatenate([part, *waiting])
            waiting = [rows[i] for i in chunks([lengths[i] for i in rows], self.tokens, max_rows, bucket)]

    def _fits(self, tokens: int, part: np.ndarray, work: Work) -> bool:
        """Whether `work` got through; the first time on a GPU, what it took sets the size of later parts."""
        learn = self.open and self.device.type == "cuda"
        before = 0
        if learn:
            torch.cuda.reset_peak_memory_stats(self.device)
            before = torch.cuda.memory_allocated(self.device)
        try:
            work(part)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        else:
            if learn:
                taken = torch.cuda.max_memory_allocated(self.device) - before
                torch.cuda.empty_cache()
                self.tokens, self.open = fitting(tokens, taken, torch.cuda.mem_get_info(self.device)[0]), False
            return True
        gc.collect()  # out here, for the error held the tensors of its pass
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return False


def new_room(device: torch.device) -> Room:
    """The room to begin with on a device."""
    on_cpu = device.type == "cpu"
    return Room(device, CPU_TOKENS if on_cpu else FIRST_TOKENS, open=not on_cpu)


def fitting(tokens: int, taken: int, free: int) -> int:
    """Tokens of a part that fill SHARE of `free` bytes, when `tokens` of them took `taken` bytes."""
    return max(1, min(MOST_TOKENS, int(SHARE * free * tokens / max(1, taken))))


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out; only CUDA's has a type of its own."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or \
        "can't allocate memory" in text or "out of memory" in text
