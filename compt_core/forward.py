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

LOGITS_AT_ONCE = 32_000_000  # vocabulary logits of one pass, in numbers (128 MB as float32; training keeps them twice)


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


def decode(backbone: Backbone, memory: Tensor, mask: Tensor, inputs: Tensor, inside: Tensor | None = None) -> Tensor:
    """Decoder states [B, U, H], teacher forced.

    memory [B, T, H], mask [B, T] from :func:`encode`; inputs [B, U] token ids; inside [U, U] bool:
    which decoder positions see which (default: all earlier ones).
    """
    seen: Tensor | None = None
    if inside is not None:
        seen = torch.zeros(inside.shape, dtype=memory.dtype, device=memory.device)
        seen = seen.masked_fill(~inside, torch.finfo(memory.dtype).min).expand(len(inputs), 1, -1, -1)
    states: Tensor = backbone.model.decoder(
        input_ids=inputs, attention_mask=seen,
        encoder_hidden_states=memory, encoder_attention_mask=mask, use_cache=False,
    ).last_hidden_state
    return states


def vocabulary_logits(model: Any, states: Tensor) -> Tensor:
    """Logits [..., V] of decoder states [..., H], in float32 or better; T5 1.0 scales states before its tied head."""
    if getattr(model.config, "scale_decoder_outputs", False):
        states = states * (model.config.d_model**-0.5)
    logits: Tensor = model.lm_head(states)
    return logits if logits.dtype == torch.float64 else logits.float()


def target_log_probs(backbone: Backbone, states: Tensor, targets: Tensor) -> Tensor:
    """log p(target token) [B, U] of decoder states [B, U, H], in float32 or better."""
    flat, wanted = states.flatten(0, 1), targets.flatten()
    step = max(1, LOGITS_AT_ONCE // backbone.model.config.vocab_size)
    parts = []
    for i in range(0, len(flat), step):
        logits = vocabulary_logits(backbone.model, flat[i : i + step])  # [n, V]
        parts.append(logits.gather(-1, wanted[i : i + step, None]).squeeze(-1) - logits.logsumexp(-1))
    return torch.cat(parts).view(targets.shape)


class PackedLabels:
    """All C label words of a task side by side in one decoder row, none seeing another.

    T5's position bias depends on distances alone, so a word scores the same here as by itself.
    Positions with the same tokens behind them have the same state (every word's first, and most of
    STS-B's numbers), so the large vocabulary head runs once for each of those Q prefixes.
    """

    def __init__(self, ids: Sequence[tuple[int, ...]], start: int, device: torch.device):
        """ids: token ids of each label, ended by </s>; start: the decoder's start token."""
        inputs: list[int] = []
        targets: list[int] = []
        owner: list[int] = []
        prefixes: list[tuple[int, ...]] = []
        for label, word in enumerate(ids):
            inputs += [start, *word[:-1]]
            targets += word
            owner += [label] * len(word)
            prefixes += [word[:n] for n in range(len(word))]
        distinct = {prefix: q for q, prefix in enumerate(dict.fromkeys(prefixes))}

        def put(values: Sequence[int]) -> Tensor:
            return torch.tensor(values, device=device)

        self.inputs, self.targets, self.owner = put(inputs), put(targets), put(owner)  # [U]
        self.prefix = put([distinct[p] for p in prefixes])  # [U] -> Q
        self.first = put([prefixes.index(p) for p in distinct])  # [Q] -> U
        self.inside = torch.tril(self.owner[:, None] == self.owner[None, :])  # [U, U]
        self.lengths = put([len(word) for word in ids])

    def scores(self, backbone: Backbone, memory: Tensor, mask: Tensor, *, mean: bool = False) -> Tensor:
        """Log-likelihood of every label [B, C]: summed over its pieces and </s>, or their `mean`."""
        states = decode(backbone, memory, mask, self.inputs.expand(len(memory), -1), self.inside)[:, self.first]
        step = max(1, LOGITS_AT_ONCE // (backbone.model.config.vocab_size * len(self.first)))
        parts = []
        for i in range(0, len(states), step):
            logits = vocabulary_logits(backbone.model, states[i : i + step])  # [b, Q, V]
            parts.append(logits[:, self.prefix, self.targets] - logits.logsumexp(-1)[:, self.prefix])
        log_probs = torch.cat(parts)  # [B, U]
        summed = log_probs.new_zeros(len(memory), len(self.lengths)).index_add_(1, self.owner, log_probs)
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
    moved = [torch.from_numpy(array).to(device) for array in (inputs, targets, weights)]
    return moved[0], moved[1], moved[2]
