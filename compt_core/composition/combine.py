"""From sources to the shared part, and from shared and private part to the composed prompt of each task.

R runs · K tasks · S sources · P, L prompt lengths · H hidden size. Every form has the same signature and returns the
two parts *as they enter the prompt*, gates applied, so that a page can show what each part contributes. Then
:func:`compose` adds or concatenates them. The paper leaves some forms open, so each is a function of its own; a new
one is a new row of FORMS.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from compt_core.composition.gates import private_share

Parts = tuple[Tensor, Tensor]


def shared_part(attention: Tensor, sources: Tensor) -> Tensor:
    """C_t = sum over s of A[t, s] source_s: attention [R, K, S], sources [R, S, P, H] -> [R, K, P, H]."""
    return torch.einsum("rks,rsph->rkph", attention.to(sources.dtype), sources)


def mean_parts(shared: Tensor, private: Tensor, alpha: Tensor, beta: Tensor) -> Parts:
    """(beta C, alpha private) / (alpha + beta); parts [R, K, P, H], gates [R, K]."""
    share = _spread(private_share(alpha, beta), private)
    return (1 - share) * shared, share * private


def gated_sum_parts(shared: Tensor, private: Tensor, alpha: Tensor, beta: Tensor) -> Parts:
    """C and alpha private; beta is not used."""
    return shared, _spread(alpha, private) * private


def sum_parts(shared: Tensor, private: Tensor, alpha: Tensor, beta: Tensor) -> Parts:
    """C and private, without gates."""
    return shared, private


def scaled_parts(shared: Tensor, private: Tensor, alpha: Tensor, beta: Tensor) -> Parts:
    """beta C and alpha private: the halves of a concatenated prompt (SCP)."""
    return _spread(beta, shared) * shared, _spread(alpha, private) * private


FORMS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Parts]] = {
    "mean": mean_parts, "gated_sum": gated_sum_parts, "sum": sum_parts, "concat": scaled_parts,
}


def compose(shared: Tensor, private: Tensor, alpha: Tensor, beta: Tensor, form: str) -> Tensor:
    """The composed prompts [R, K, L, H]; L = P, or the sum of both lengths for "concat".

    shared [R, K, Ps, H], private [R, K, Pp, H], alpha and beta [R, K]; Ps = Pp unless concatenated.
    """
    parts = FORMS[form](shared, private, alpha, beta)
    return torch.cat(parts, dim=-2) if form == "concat" else parts[0] + parts[1]


def _spread(gate: Tensor, part: Tensor) -> Tensor:
    return gate.to(part.dtype)[..., None, None]  # [R, K] -> [R, K, 1, 1]
