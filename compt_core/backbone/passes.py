"""Passes through the frozen backbone in parts that fit the machine; several at a time where it has several cores.

On a CPU a part is small, so that its activations stay in the processor's cache, and each thread works on parts of its
own. Torch's way, with all threads inside every operator, makes the cores wait for each other on a small T5. On a GPU
one part follows another, each as large as the free memory allows, judged by what the first part took per token. If
memory still runs out, the parts are halved and tried again.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch

from compt_core.errors import ComptError, plural
from compt_core.tasks.batches import bucket_on, chunks, padded
from compt_core.threads import Daemons, Turns

CPU_NUMBERS = 131_072  # tokens x hidden size of a part; measured, see benchmarks/RESULTS.md
CPU_LEAST = 256  # tokens of a part for a large model, whose matrix products need some rows
FIRST_TOKENS = 16_384  # tokens of a part on a GPU until one has been measured
MOST_TOKENS = 262_144
SHARE = 0.7  # of the free memory, to be filled

T = TypeVar("T")


class OutOfMemory(ComptError):
    """Not even one row fits into the memory of the device."""


@dataclass
class Room:
    """How one kind of pass fits a device: `tokens` per part; `open` means not yet fitted to the GPU's memory.

    lock  held while parts are worked on, so that a page's what-if and training take turns
    """

    device: torch.device
    tokens: int
    open: bool
    lock: Turns = field(default_factory=Turns)

    def map(self, lengths: Sequence[int], work: Callable[[np.ndarray], T], *, max_rows: int | None = None,
            alone: bool = False) -> list[T]:
        """work(row indices) for parts that together are all of the rows; results in the order of the parts.

        lengths [B]: tokens of each row. The parts depend only on the lengths, the device and torch's number of threads.
        On a CPU as many parts are worked on at once as torch may use threads; with `alone` only one, because `work`
        changes the model meanwhile. Where `work` runs out of memory it must leave nothing behind, since its rows are
        tried again. Raises OutOfMemory where a single row is too much.
        """
        ways = _ALLOWED.threads if self.device.type == "cpu" and not alone else 1
        bucket = bucket_on(self.device.type)
        waiting = list(chunks(lengths, self.tokens, max_rows, bucket, ways))
        done: list[T] = []
        while waiting:
            wave = waiting[:ways]
            results = self._wave(wave, lengths, work)
            if results is not None:
                done += results
                del waiting[:ways]
                continue
            tokens = max(sum(lengths[i] for i in part) for part in wave)
            if all(len(part) == 1 for part in wave):
                raise OutOfMemory(f"One row of {plural(tokens, 'token')} does not fit the memory of '{self.device}'. "
                                  "Free some of it, lower 'max_tokens', or take a smaller backbone.")
            # Fewer each time, whatever the lengths, until every row is alone.
            self.tokens, self.open = max(1, min(self.tokens, tokens) // 2), False
            rows = np.concatenate(waiting)
            waiting = [rows[i] for i in chunks([lengths[i] for i in rows], self.tokens, max_rows, bucket)]
            ways = 1
        return done

    def _wave(self, parts: Sequence[np.ndarray], lengths: Sequence[int], work: Callable[[np.ndarray], T]
              ) -> list[T] | None:
        """The results of parts worked on at once; None if memory ran out."""
        try:
            with self.lock:
                if len(parts) > 1:
                    with _ALLOWED.one_each() as pool:
                        working = [pool.submit(work, part) for part in parts]
                        wait(working)  # for all of them: after an error, none may still use the model
                        return [done.result() for done in working]
                if not self.open or self.device.type != "cuda":
                    return [work(part) for part in parts]
                bucket = bucket_on(self.device.type)
                return [self._measured(int(padded(np.array([lengths[i] for i in part]), bucket).sum()), part, work)
                        for part in parts]
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        gc.collect()  # out here, because the error held the tensors of its pass
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _measured(self, tokens: int, part: np.ndarray, work: Callable[[np.ndarray], T]) -> T:
        """The first part of some size on a GPU: the memory it takes sets the size of later ones.

        A small one tells nothing about them, since most of what it takes is the libraries' workspaces.
        """
        if 2 * tokens < self.tokens:
            return work(part)
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        result = work(part)
        taken = torch.cuda.max_memory_allocated(self.device) - before
        torch.cuda.empty_cache()
        self.tokens, self.open = fitting(tokens, taken, torch.cuda.mem_get_info(self.device)[0]), False
        return result


class _Allowed:
    """How many threads torch may use: one in each thread of a pool while any wave runs, and as before after it."""

    def __init__(self) -> None:
        self._guard, self._waves, self._before = threading.Lock(), 0, 1

    @property
    def threads(self) -> int:
        with self._guard:
            return self._before if self._waves else torch.get_num_threads()

    @contextmanager
    def one_each(self) -> Iterator[Daemons]:
        """A pool of as many threads as torch may use; waves of two backbones may overlap."""
        with self._guard:
            if not self._waves:
                self._before = torch.get_num_threads()
                torch.set_num_threads(1)
            self._waves += 1
            pool = _pool(self._before)
        try:
            yield pool
        finally:
            with self._guard:
                self._waves -= 1
                if not self._waves:
                    torch.set_num_threads(self._before)


_ALLOWED = _Allowed()


@lru_cache(maxsize=8)
def _pool(threads: int) -> Daemons:
    return Daemons(threads)


def new_room(device: torch.device, hidden: int, lock: Turns) -> Room:
    """The room to begin with, for a backbone of hidden size `hidden`."""
    if device.type == "cpu":
        return Room(device, max(CPU_LEAST, CPU_NUMBERS // hidden), open=False, lock=lock)
    return Room(device, FIRST_TOKENS, open=True, lock=lock)


def fitting(tokens: int, taken: int, free: int) -> int:
    """Tokens of a part that fills SHARE of `free` bytes, when `tokens` of them took `taken` bytes."""
    return max(1, min(MOST_TOKENS, int(SHARE * free * tokens / max(1, taken))))


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out; only CUDA's has a type of its own."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or \
        "can't allocate memory" in text or "out of memory" in text
