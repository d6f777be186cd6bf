"""The demo backbone's architecture: a T5 small enough for prompt search on two CPU cores."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import torch
from transformers import T5Config, T5ForConditionalGeneration

from compt_core.demo.lessons import NOISE, Lesson
from compt_core.demo.vocabulary import vocabulary

SHAPE: Final[dict[str, Any]] = {
    "d_model": 64, "d_kv": 16, "num_heads": 4, "d_ff": 256, "num_layers": 4, "num_decoder_layers": 1,
    "relative_attention_num_buckets": 32, "relative_attention_max_distance": 64, "dropout_rate": 0.0,
    "feed_forward_proj": "relu",
    "tie_word_embeddings": False,  # read as "do not scale the decoder's output"; one table serves input and output
    "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1,
}
SOFT_NOISE: Final = 0.7  # largest RMS of the noise on a soft skill, relative to the embeddings' RMS
IGNORED: Final = -100  # targets at padding, as in transformers


def new_backbone(seed: int) -> T5ForConditionalGeneration:
    """A T5 with random weights, the same for the same seed; dropout 0."""
    torch.manual_seed(seed)
    config = T5Config(vocab_size=len(vocabulary()), **SHAPE)
    model = T5ForConditionalGeneration(config)
    with torch.no_grad():
        model.shared.weight.normal_(0.0, config.d_model**-0.5)  # also the output's table: logits have unit size
    return model


class Arrays(NamedTuple):
    """Lessons as tensors: input ids [B, T] with NOISE, mask [B, T], targets [B, L] padded with IGNORED, and for the
    soft skills their row, position and other skill [3, n] with that skill's share [n]."""

    ids: torch.Tensor
    mask: torch.Tensor
    labels: torch.Tensor
    soft: torch.Tensor
    share: torch.Tensor


def collate(rows: list[Lesson], device: torch.device) -> Arrays:
    """Pad lessons to the longest."""
    longest, target = max(len(row.inputs) for row in rows), max(len(row.targets) for row in rows)
    ids = torch.tensor([row.inputs + [0] * (longest - len(row.inputs)) for row in rows])
    mask = torch.tensor([[1] * len(row.inputs) + [0] * (longest - len(row.inputs)) for row in rows])
    labels = torch.tensor([row.targets + [IGNORED] * (target - len(row.targets)) for row in rows])
    soft = [(row, lesson.soft.at, lesson.soft.other) for row, lesson in enumerate(rows) if lesson.soft]
    share = torch.tensor([lesson.soft.share for lesson in rows if lesson.soft])
    return Arrays(*(array.to(device) for array in
                    (ids, mask, labels, torch.tensor(soft, dtype=torch.long).view(-1, 3).T, share)))


def forward(model: T5ForConditionalGeneration, arrays: Arrays, noise: torch.Generator) -> torch.Tensor:
    """Logits [B, L, V]. NOISE positions get random vectors of the embeddings' RMS; soft skills get added noise."""
    ids, mask, labels, (row, at, other), share = arrays
    table = model.shared.weight
    inputs = table[ids.clamp(min=0)]
    scale = table.detach().square().mean().sqrt()

    def random(count: int) -> torch.Tensor:  # drawn on the CPU, whatever the device
        return torch.randn(count, table.shape[1], generator=noise).to(table) * scale

    where = ids == NOISE
    if where.any():
        inputs = inputs.masked_scatter(where[..., None], random(int(where.sum())))
    if len(row):
        blur = SOFT_NOISE * torch.rand(len(row), 1, generator=noise).to(table) * random(len(row))
        near = torch.lerp(table[ids[row, at]], table[other], share[:, None]) + blur
        inputs = inputs.index_put((row, at), near)
    decoder = torch.cat([torch.zeros_like(labels[:, :1]), labels[:, :-1].clamp(min=0)], dim=1)
    return model(inputs_embeds=inputs, attention_mask=mask, decoder_input_ids=decoder, use_cache=False).logits
