"""Gates of the private (alpha) and the shared part (beta): each is a sigmoid of one scalar per task.

alpha and beta alone are not identifiable: in the mean form only their ratio matters, and in other forms a prompt's own
scale absorbs a gate. So the two shares below are shown next to them everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gate(logit: Tensor) -> Tensor:
    """Gate in (0, 1) from a free scalar; float32 or better, same shape."""
    return torch.sigmoid(logit if logit.dtype == torch.float64 else logit.float())


def private_share(alpha: Tensor, beta: Tensor) -> Tensor:
    """alpha / (alpha + beta), elementwise [..., K]; 0 or 1 if there is only one part, 0 if both are 0."""
    return alpha / (alpha + beta).clamp_min(torch.finfo(alpha.dtype).tiny)


def private_norm_share(shared: Tensor, private: Tensor) -> Tensor:
    """The private part's share of the two parts' norms [..., K].

    shared, private [..., K, P, H]: the parts as they enter the composed prompt, gates applied.
    """
    own, other = (part.flatten(-2).norm(dim=-1) for part in (private, shared))
    return own / (own + other).clamp_min(torch.finfo(own.dtype).tiny)
