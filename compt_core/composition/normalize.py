"""Attention logits to weights over sources: the normalisers of the paper, in float32 or better.

Sparsemax and entmax-1.5 come from the `entmax` package (Peters et al., arXiv 1905.05702).
"""

from __future__ import annotations

import torch
from entmax import entmax15, sparsemax
from torch import Tensor


def normalise(logits: Tensor, kind: str) -> Tensor:
    """Weights [..., S] of logits [..., S] by "sigmoid", "softmax", "sparsemax" or "entmax15".

    All but sigmoid sum to 1 over the last axis; sparsemax and entmax-1.5 reach exact zeros, and a
    source at zero in every task gets no gradient (a dead source). Raises KeyError for another kind.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if kind == "sigmoid":
        return torch.sigmoid(logits)
    if kind == "softmax":
        return torch.softmax(logits, dim=-1)
    return {"sparsemax": sparsemax, "entmax15": entmax15}[kind](logits, dim=-1)
