"""The frozen T5 with prompts in its input embeddings: rows in, log-probabilities of target tokens out.

B batch rows · N tokens of all rows · T tokens of a row · M prompt vectors of all rows · U target tokens ·
H hidden size · V vocabulary.

The composition stays outside the backbone: prompts enter as input embeddings. The tokens of all rows are in one list
without padding, which norms, projections and feed-forward layers take as it is. Only attention works on groups of rows
of one width. Every layer is transformers' own module with its weights. A test checks that the whole equals
transformers' T5, which pads every row to the longest one and gives attention a mask of B x heads x T x T.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding, scaled_dot_product_attention

from compt_core.backbone.load import Backbone
from compt_core.tasks.batches import Batch

LOGITS_AT_ONCE = 32_000_000  # vocabulary logits of one pass, in numbers (128 MB as float32, twice that in training)


@dataclass(frozen=True)
class Memory:
    """Encoder states [N, H] of a batch; masks: of each group of rows [rows, width] bool, None without padding."""

    states: Tensor
    batch: Batch
    masks: tuple[Tensor | None, ...]

    def padded(self) -> tuple[Tensor, Tensor]:
        """(states [B, T, H], mask [B, T]) with every row padded to the widest one, as transformers wants them."""
        groups, widest = self.batch.groups, max(group.width for group in self.batch.groups)
        states = self.states.new_zeros(self.batch.rows, widest, self.states.shape[-1])
        mask = torch.zeros(self.batch.rows, widest, dtype=torch.long, device=self.states.device)
        row = 0
        for group, part, inside in zip(groups, self.states.split(self.batch.sizes), self.masks, strict=True):
            here = slice(row, row + group.rows)
            states[here, : group.width] = part.view(group.rows, group.width, -1)
            mask[here, : group.width] = 1 if inside is None else inside.long()
            row += group.rows
        return states, mask


def embed(backbone: Backbone, batch: Batch, vectors: Tensor) -> Tensor:
    """Input embeddings [N, H] of a batch with the prompt vectors [M, H] of its rows in their places."""
    ids = torch.from_numpy(batch.ids).to(backbone.device)
    embedded = embedding(ids, backbone.model.get_input_embeddings().weight)
    if len(batch.places) == 0:
        return embedded
    return embedded.index_copy(0, torch.from_numpy(batch.places).to(backbone.device), vectors.to(embedded.dtype))


def encode(backbone: Backbone, batch: Batch, vectors: Tensor) -> Memory:
    """Encoder states of a batch with its prompt vectors [M, H]."""
    encoder = backbone.model.encoder
    masks = tuple(None if group.mask is None else torch.from_numpy(group.mask).to(backbone.device)
                  for group in batch.groups)
    states = encoder.dropout(embed(backbone, batch, vectors))
    widest = max(group.width for group in batch.groups)
    for block in encoder.block:
        layer, feed_forward = block.layer
        own = layer.SelfAttention
        if own.has_relative_attention_bias:  # else the bias of the first layer holds on; UMT5 has one in each layer
            # [1, heads, T, T]; it depends on distance alone, so its corner serves shorter rows.
            bias = own.compute_bias(widest, widest)
            added = [_hide(bias[..., : group.width, : group.width], mask)
                     for group, mask in zip(batch.groups, masks, strict=True)]
        normed = layer.layer_norm(states)
        parts = (projection(normed).split(batch.sizes) for projection in (own.q, own.k, own.v))
        heads = [_attend(own, group.rows, q, k, v, mask)
                 for group, mask, q, k, v in zip(batch.groups, added, *parts, strict=True)]
        states = states + layer.dropout(own.o(torch.cat(heads)))
        states = feed_forward(states)
    return Memory(encoder.dropout(encoder.final_layer_norm(states)), batch, masks)


def decode(backbone: Backbone, memory: Memory, inputs: Tensor, inside: Tensor | None = None) -> Tensor:
    """Decoder states [B, U, H], teacher forced.

    inputs [B, U] token ids; inside [U, U] bool: which decoder positions see which (default: all earlier ones).
    """
    decoder, groups = backbone.model.decoder, memory.batch.groups
    states = decoder.dropout(embedding(inputs, decoder.embed_tokens.weight))
    length = inputs.shape[1]
    if inside is None:
        inside = torch.ones(length, length, dtype=torch.bool, device=inputs.device).tril()
    padding = [None if mask is None else _hide(states.new_zeros(1, 1, 1, 1), mask) for mask in memory.masks]
    for block in decoder.block:
        first, second, feed_forward = block.layer
        own, cross = first.SelfAttention, second.EncDecAttention
        if own.has_relative_attention_bias:
            bias = _hide(own.compute_bias(length, length), inside[None])
        normed = first.layer_norm(states)
        heads = _attend(own, len(inputs), own.q(normed), own.k(normed), own.v(normed), bias)
        states = states + first.dropout(own.o(heads.view(*inputs.shape, -1)))
        queries = cross.q(second.layer_norm(states)).split([group.rows for group in groups])
        keys, values = (projection(memory.states).split(memory.batch.sizes) for projection in (cross.k, cross.v))
        read = [_attend(cross, group.rows, q, k, v, mask)
                for group, mask, q, k, v in zip(groups, padding, queries, keys, values, strict=True)]
        states = states + second.dropout(cross.o(torch.cat(read).view(*inputs.shape, -1)))
        states = feed_forward(states)
    final: Tensor = decoder.dropout(decoder.final_layer_norm(states))
    return final


def _hide(bias: Tensor, inside: Tensor | None) -> Tensor:
    """bias [1, heads, Q, T], with the least number where not inside [rows or 1, Q or none, T]: there is no weight."""
    if inside is None:
        return bias
    wide = inside.view(inside.shape[0], 1, -1, inside.shape[-1])
    return bias.masked_fill(~wide, torch.finfo(bias.dtype).min)


def _attend(attention: Any, rows: int, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
    """What the queries read from keys and values, each [rows · tokens, inner] or [rows, tokens, inner]:
    [rows · queries, inner]. T5 scales no product."""
    def split(states: Tensor) -> Tensor:  # [rows, heads, tokens, d_kv]
        return states.view(rows, -1, attention.n_heads, attention.key_value_proj_dim).transpose(1, 2)

    heads = scaled_dot_product_attention(split(queries), split(keys), split(values), attn_mask=bias, scale=1.0)
    return heads.transpose(1, 2).reshape(-1, attention.inner_dim)


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
    """All C label words of a task side by side in one decoder row, where none sees another.

    T5's position bias depends on distances alone, so a word scores the same here as by itself. Positions that follow
    the same tokens have the same state (the first of every word, and most of STS-B's numbers), so the large vocabulary
    head runs once for each of these Q prefixes.
    """

    def __init__(self, ids: Sequence[tuple[int, ...]], start: int, device: torch.device):
        """ids: token ids of each label, ending in </s>; start: the decoder's start token."""
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

    def scores(self, backbone: Backbone, memory: Memory, *, mean: bool = False) -> Tensor:
        """Log-likelihood of every label [B, C]: summed over its pieces and </s>, or their `mean`."""
        rows = memory.batch.rows
        states = decode(backbone, memory, self.inputs.expand(rows, -1), self.inside)[:, self.first]
        step = max(1, LOGITS_AT_ONCE // (backbone.model.config.vocab_size * len(self.first)))
        parts = []
        for i in range(0, len(states), step):
            logits = vocabulary_logits(backbone.model, states[i : i + step])  # [b, Q, V]
            parts.append(logits[:, self.prefix, self.targets] - logits.logsumexp(-1)[:, self.prefix])
        log_probs = torch.cat(parts)  # [B, U]
        summed = log_probs.new_zeros(rows, len(self.lengths)).index_add_(1, self.owner, log_probs)
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
