"""Optional dropout inside the frozen backbone while training, with a random stream per row.

The backbone stays in eval mode; hooks on its dropout layers add the noise. A row's noise depends on its run, step and
place in the run's batch, so training in a fleet changes nothing. Attention weights are not dropped, because T5 does
that outside its dropout layers.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compt_core.backbone.load import Backbone
from compt_core.streams import stream
from compt_core.tasks.batches import Batch

RowNoise = tuple[float, tuple[Any, ...]]  # rate, and the names of its stream


@contextlib.contextmanager
def dropout(backbone: Backbone, rows: Sequence[RowNoise], batch: Batch) -> Iterator[None]:
    """Within the block, row b of every pass of `batch` is dropped at rate ``rows[b][0]`` by stream ``rows[b][1]``.

    A stream is (seed, names…) as in :func:`compt_core.streams.stream`. Only one block may be open at a time; see
    `alone` of :meth:`compt_core.backbone.passes.Room.map`.
    """
    if not any(rate for rate, _ in rows):
        yield
        return
    widths = [group.width for group in batch.groups for _ in range(group.rows)]
    calls = itertools.count()

    def hook(_module: Any, _inputs: Any, output: Tensor) -> Tensor:
        """output: the encoder's [N, …], the tokens of all rows, or the decoder's [B, U, …]."""
        call = next(calls)  # a stream per layer, so that the length of one layer does not shift the draws of the next
        shapes = [(width, *output.shape[1:]) if output.dim() == 2 else output.shape[1:] for width in widths]
        scales = [(stream(*names, call).random(shape, dtype=np.float32) < 1 - rate) / (1 - rate)
                  for (rate, names), shape in zip(rows, shapes, strict=True)]
        scale = np.concatenate(scales) if output.dim() == 2 else np.stack(scales)
        return output * torch.from_numpy(scale).to(output.device, output.dtype)

    layers = [m for m in backbone.model.modules() if isinstance(m, torch.nn.Dropout)]
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
