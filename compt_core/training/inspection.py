"""What a trained run learned, as plain records: attention, gates, shares and norms of its prompts."""

from __future__ import annotations

from typing import Any

import torch

from compt_core.composition.gates import private_norm_share, private_share
from compt_core.methods.block import Block
from compt_core.training.fleet import Fleet


def inspect_run(fleet: Fleet, run: str) -> dict[str, Any]:
    """Attention [K, S], alpha and beta [K] as used, the private share alpha / (alpha + beta) and the private part's
    share of the norm [K], and the sources that no task uses; all None for methods without attention over sources and
    gates. The normaliser is None if the attention is fixed."""
    block, r = fleet.slot[run]
    names = ("normalizer", "attention", "alpha", "beta", "private_share", "private_norm_share", "dead_sources")
    if not block.method.composed:
        return dict.fromkeys(names)
    with torch.no_grad():
        attention, gates, entering = block.attention(), block.gates(), block.entering()
        assert attention is not None  # a composed method has sources
        share = private_share(*gates)
        norms = share if entering is None else private_norm_share(*entering)  # with only one part both are 0 or 1
        values = (attention[r], gates[0][r], gates[1][r], share[r], norms[r])
        dead = (attention[r] == 0).all(dim=0).nonzero().flatten()
    return dict(zip(names, (block.structure.normalizer, *(v.tolist() for v in values), dead.tolist()), strict=True))


def prompt_rms(fleet: Fleet, run: str) -> float:
    """Root mean square over all numbers of a run's composed prompts; averaging sources makes it smaller."""
    block, r = fleet.slot[run]
    with torch.no_grad():
        return float(block.compose()[r].square().mean().sqrt())


def kept_tensors(fleet: Fleet, run: str) -> dict[str, Any]:
    """Name -> float32 array, for everything worth keeping of a run: its parameters, the encoded source and private
    prompts, and the composed prompts [K, L, H]."""
    block, r = fleet.slot[run]
    tensors = fleet.state(run) | {part: prompts[r] for part, prompts in prompts_now(block).items()}
    return {name: tensor.detach().float().cpu().contiguous().numpy() for name, tensor in tensors.items()}


def prompts_now(block: Block) -> dict[str, torch.Tensor]:
    """All runs' composed prompts [R, K, L, H], and their encoded source [R, S, P, H] and private prompts [R, K, P, H],
    as far as they have any."""
    with torch.no_grad():
        parts = [part for part in ("source", "private") if f"{part}.embedding" in block.parameters]
        found = {"composed": block.compose(), **{part: block.prompts(part) for part in parts}}
        return {part: prompts.detach() for part, prompts in found.items()}  # without an encoder, a parameter
