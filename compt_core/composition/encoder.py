"""The prompt encoder: a small network behind every prompt, both source and private (paper, section 3).

H hidden size · P prompt length · D encoder width. Leading axes (run, source or task) are batched.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import gelu


def encode(embedding: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, *, residual: bool) -> Tensor:
    """Prompts [..., P, H] = MLP(E), plus E itself with `residual`.

    embedding [..., P, H]; w1 [..., H, D], b1 [..., D]; w2 [..., D, H], b2 [..., H].
    """
    hidden = gelu(embedding @ w1 + b1.unsqueeze(-2))  # [..., P, D]
    prompt = hidden @ w2 + b2.unsqueeze(-2)
    return prompt + embedding if residual else prompt
