"""Optional dropout inside the frozen backbone while training, with a random stream per row.

The backbone stays in eval mode; hooks on its dropout layers add the noise. A row's noise depends on
its run, step and place in the run's batch, so a fleet changes nothing. Attention weights are not
dropped: T5 does that outside its dropout layers.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compt_core.backbones import Backbone
from compt_core.streams import stream


@contextlib.contextmanager
def dropout(backbone: Backbone, rows: Sequence[tuple[float, tuple[Any, ...]]]) -> Iterator[None]:
    """Within the block, row b of every forward pass is dropped at rate ``rows[b][0]`` by stream ``rows[b][1]``.

    A stream is (seed, names…) as in :func:`compt_core.streams.stream`. Hold ``backbone.lock``.
    """
    if not any(rate for rate, _ in rows):
        yield
        return
    keep = np.array([1 - rate for rate, _ in rows])
    calls = itertools.count()

    def hook(_module: Any, _inputs: Any, output: Tensor) -> Tensor:
        call = next(calls)  # a stream per layer: padding of the layer before must not shift the draws of this one
        draws = [stream(*names, call).random(output.shape[1:], dtype=np.float32) for _, names in rows]
        mask = np.stack(draws) < keep.reshape(-1, *[1] * (output.dim() - 1))
        scale = (1 / keep).reshape(-1, *[1] * (output.dim() - 1))
        return output * torch.from_numpy(mask * scale).to(output.device, output.dtype)

    layers = [m for m in backbone.model.modules() if isinstance(m, torch.nn.Dropout)]
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
