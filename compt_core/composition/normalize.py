"""From attention logits to weights over sources: the paper's normalisers, in float32 or better.

Sparsemax and entmax-1.5 come from the `entmax` package (Peters et al., arXiv 1905.05702).
"""

from __future__ import annotations

import torch
from entmax import entmax15, sparsemax
from torch import Tensor


def normalise(logits: Tensor, kind: str) -> Tensor:
    """Weights [..., S] from logits [..., S] by "sigmoid", "softmax", "sparsemax" or "entmax15".

    All except sigmoid sum to 1 over the last axis. Sparsemax and entmax-1.5 can give exact zeros, and a source at zero
    in every task gets no gradient (a dead source). Raises KeyError for another kind.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if kind == "sigmoid":
        return torch.sigmoid(logits)
    if kind == "softmax":
        return torch.softmax(logits, dim=-1)
    return {"sparsemax": sparsemax, "entmax15": entmax15}[kind](logits, dim=-1)
