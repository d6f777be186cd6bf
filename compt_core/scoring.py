"""Dev rows to label scores, predictions and metrics: each row encoded once, all labels in one decoder pass.

C labels of a task · n rows · L prompt length · H hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compt_core.backbones import Backbone
from compt_core.forward import PackedLabels, encode
from compt_core.metrics import score
from compt_core.tasks.batches import EncodedRow, chunks, collate, label_ids
from compt_core.tasks.spec import Row, Task

TOKENS_AT_ONCE = 16_384
UNREADABLE = -1  # prediction where generated text is no label word: counts as wrong


@dataclass(frozen=True)
class TaskScores:
    """What one prompt scored on one task's dev rows.

    scores       [n, C] log-likelihood of every label (1 at the generated label, with generation)
    predicted    [n] label index, or number for a numeric task
    metrics      the task's metrics; None where undefined
    constant     whether one label was predicted for every row: its accuracy says nothing
    cut          rows that lost text to truncation
    """

    scores: np.ndarray
    predicted: np.ndarray
    metrics: dict[str, float | None]
    constant: bool
    cut: int = 0


def score_task(
    backbone: Backbone, task: Task, rows: Sequence[Row], encoded: Sequence[EncodedRow], prompts: Mapping[str, Tensor],
    *, scoring: str = "sum", similarity: str = "argmax", tokens_at_once: int = TOKENS_AT_ONCE,
    going: Callable[[str], bool] = lambda name: True,
) -> dict[str, TaskScores]:
    """Score `rows` (encoded as `encoded`) of `task` under each prompt [L, H] of `prompts`, by name.

    scoring: "sum" or "mean" of label log-probabilities, or greedy "generate"; similarity: how a
    numeric task reads its candidates. Rows of all prompts share their batches. going(name) is asked
    before each batch; a prompt that is no longer wanted is left out of the rest and of the result.
    """
    label_scores = _generated if scoring == "generate" else _likelihoods
    words = label_ids(backbone.tokenizer, task.labels)
    names = list(prompts)
    packed = PackedLabels(words, backbone.model.config.decoder_start_token_id, backbone.device)
    jobs = [(name, i) for name in names for i in range(len(rows))]
    lengths = [encoded[i].length(len(prompts[name])) for name, i in jobs]
    result = {name: np.zeros((len(rows), len(task.labels)), dtype=np.float32) for name in names}
    for part in chunks(lengths, tokens_at_once):
        names = [name for name in names if going(name)]
        chosen = [jobs[j] for j in part if jobs[j][0] in names]
        if not chosen:
            continue
        batch = collate([encoded[i] for _, i in chosen], [len(prompts[name]) for name, _ in chosen])
        vectors = torch.cat([prompts[name] for name, _ in chosen])
        with torch.inference_mode(), backbone.lock:
            memory, mask = encode(backbone, batch, vectors)
            values = label_scores(backbone, task, packed, memory, mask, scoring == "mean")
        for (name, i), value in zip(chosen, values, strict=True):
            result[name][i] = value
    cut, generated = sum(row.cut > 0 for row in encoded), scoring == "generate"
    judged = {name: judge(task, rows, result[name], similarity=similarity, generated=generated) for name in names}
    return {name: replace(scores, cut=cut) for name, scores in judged.items()}


def _likelihoods(
    backbone: Backbone, task: Task, packed: PackedLabels, memory: Tensor, mask: Tensor, mean: bool
) -> Any:
    return packed.scores(backbone, memory, mask, mean=mean).float().cpu().numpy()


def _generated(
    backbone: Backbone, task: Task, packed: PackedLabels, memory: Tensor, mask: Tensor, mean: bool
) -> Any:
    from transformers.modeling_outputs import BaseModelOutput

    out = backbone.model.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=memory), attention_mask=mask,
        do_sample=False, num_beams=1, max_new_tokens=int(packed.lengths.max()))
    texts = [text.strip() for text in backbone.tokenizer.batch_decode(out, skip_special_tokens=True)]
    return np.array([[float(text == label) for label in task.labels] for text in texts], dtype=np.float32)


def judge(
    task: Task, rows: Sequence[Row], scores: np.ndarray, *, similarity: str = "argmax", generated: bool = False
) -> TaskScores:
    """Predictions and metrics from label scores [n, C].

    A generated text that is no label counts as wrong; of a numeric task, where every answer is a
    number, as the lowest candidate.
    """
    readable = scores.max(axis=1) > 0 if generated else np.ones(len(scores), dtype=bool)
    best = scores.argmax(axis=1)
    predicted: np.ndarray = best
    if task.numeric:
        candidates = np.array([float(label) for label in task.labels])
        predicted = candidates[best]
        if similarity == "expectation":
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            predicted = (weights * candidates).sum(axis=1) / weights.sum(axis=1)
    elif generated:
        predicted = np.where(readable, best, UNREADABLE)
    gold = [row.value for row in rows]
    return TaskScores(scores, predicted, {name: score(name, gold, predicted.tolist()) for name in task.metrics},
                      bool(readable.all() and np.all(predicted == predicted[0])))


def majority(task: Task, rows: Sequence[Row]) -> dict[str, float | None]:
    """Metrics of the majority class: the most frequent label of `rows` themselves, always."""
    values, counts = np.unique([row.value for row in rows], return_counts=True)
    constant = float(values[counts.argmax()])
    return {name: score(name, [row.value for row in rows], [constant] * len(rows)) for name in task.metrics}
