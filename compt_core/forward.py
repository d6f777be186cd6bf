"""The frozen T5 with prompts in its input embeddings: rows in, log-probabilities of target tokens out.

B batch rows · T input tokens · M prompt vectors of all rows · U target tokens · H hidden size · V vocabulary.
The composition stays outside the backbone: prompts enter through ``inputs_embeds``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compt_core.backbones import Backbone
from compt_core.tasks.batches import Batch

LOGITS_AT_ONCE = 32_000_000  # vocabulary logits held at a time, in numbers (128 MB as float32)


def embed(backbone: Backbone, batch: Batch, vectors: Tensor) -> Tensor:
    """Input embeddings [B, T, H] of a batch with the prompt vectors [M, H] of its rows in their places."""
    ids = torch.from_numpy(batch.ids).to(backbone.device)
    embedded = torch.nn.functional.embedding(ids, backbone.model.get_input_embeddings().weight)
    if len(batch.places) == 0:
        return embedded
    places = torch.from_numpy(batch.places).to(backbone.device)
    flat = embedded.flatten(0, 1).index_copy(0, places, vectors.to(embedded.dtype))  # [B * T, H]
    return flat.view_as(embedded)


def encode(backbone: Backbone, batch: Batch, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """(encoder states [B, T, H], mask [B, T]) of a batch with its prompt vectors [M, H]."""
    mask = torch.from_numpy(batch.mask).to(backbone.device)
    states = backbone.model.encoder(inputs_embeds=embed(backbone, batch, vectors), attention_mask=mask)
    return states.last_hidden_state, mask


def target_log_probs(
    backbone: Backbone, memory: Tensor, mask: Tensor, inputs: Tensor, targets: Tensor, inside: Tensor | None = None
) -> Tensor:
    """log p(target token) [B, U] in float32 (float64 on a float64 backbone), teacher forced.

    memory [B, T, H], mask [B, T] from :func:`encode`; inputs, targets [B, U] token ids; inside
    [U, U] bool: which decoder positions see which (default: all earlier ones).
    """
    decoder = backbone.model.decoder
    seen: Tensor | None = None
    if inside is not None:
        seen = torch.zeros(inside.shape, dtype=memory.dtype, device=memory.device)
        seen = seen.masked_fill(~inside, torch.finfo(memory.dtype).min).expand(len(inputs), 1, -1, -1)
    hidden = decoder(
        input_ids=inputs, attention_mask=seen, encoder_hidden_states=memory, encoder_attention_mask=mask, use_cache=False
    ).last_hidden_state  # [B, U, H]
    flat, wanted = hidden.flatten(0, 1), targets.flatten()
    step = max(1, LOGITS_AT_ONCE // backbone.model.config.vocab_size)
    parts = [_gather(backbone.model, flat[i : i + step], wanted[i : i + step]) for i in range(0, len(flat), step)]
    return torch.cat(parts).view(targets.shape)


def _gather(model: Any, hidden: Tensor, targets: Tensor) -> Tensor:
    """Log-softmax over V at the target [n], from decoder states [n, H]; T5 1.0 scales before its tied head."""
    if model.config.tie_word_embeddings and getattr(model.config, "scale_decoder_outputs", True):
        hidden = hidden * (model.config.d_model**-0.5)
    logits = model.lm_head(hidden)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return logits.gather(-1, targets[:, None]).squeeze(-1) - logits.logsumexp(-1)


class PackedLabels:
    """All label words of a task side by side in one decoder row, none seeing another.

    T5's position bias depends on distances alone, so a word scores the same here as by itself.
    ids: token ids of each label with its </s>. Exposes inputs, targets [U], inside [U, U] and
    owner [U] (the label of each position).
    """

    def __init__(self, ids: Sequence[tuple[int, ...]], start: int, device: torch.device):
        targets = np.concatenate([np.array(word) for word in ids])
        inputs = np.concatenate([np.array((start, *word[:-1])) for word in ids])
        owner = np.repeat(np.arange(len(ids)), [len(word) for word in ids])
        inside = np.tril(owner[:, None] == owner[None, :])
        self.lengths = torch.tensor([len(word) for word in ids], device=device)
        self.inputs, self.targets, self.owner, self.inside = (
            torch.from_numpy(array).to(device) for array in (inputs, targets, owner, inside))

    def scores(self, backbone: Backbone, memory: Tensor, mask: Tensor, *, mean: bool = False) -> Tensor:
        """Log-likelihood of every label [B, C]: summed over its pieces and </s>, or their `mean`."""
        b = len(memory)
        log_probs = target_log_probs(
            backbone, memory, mask, self.inputs.expand(b, -1), self.targets.expand(b, -1), self.inside)
        summed = log_probs.new_zeros(b, len(self.lengths)).index_add_(1, self.owner, log_probs)
        return summed / self.lengths if mean else summed


def pad_targets(ids: Sequence[tuple[int, ...]], start: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(inputs, targets, weights) [B, U] of one label per row; weights are 1 on its tokens, 0 on padding."""
    width = max(map(len, ids))
    targets = np.zeros((len(ids), width), dtype=np.int64)
    weights = np.zeros((len(ids), width), dtype=np.float32)
    for row, word in enumerate(ids):
        targets[row, : len(word)] = word
        weights[row, : len(word)] = 1
    inputs = np.concatenate([np.full((len(ids), 1), start), targets[:, :-1]], axis=1)
    return (torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device), torch.from_numpy(weights).to(device))
