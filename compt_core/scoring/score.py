"""From dev rows to label scores, predictions and metrics: each row is encoded once, all labels in one decoder pass.

C labels of a task · n rows · L prompt length · H hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from compt_core.backbone.cache import rows_key, score_key
from compt_core.backbone.load import Backbone
from compt_core.backbone.t5 import Memory, PackedLabels, encode
from compt_core.scoring.metrics import score
from compt_core.scoring.predictions import predict, readable
from compt_core.tasks.batches import EncodedRow, bucket_on, collate, label_ids
from compt_core.tasks.spec import Row, Task


@dataclass(frozen=True)
class TaskScores:
    """How one prompt scored on one task's dev rows.

    scores       [n, C] log-likelihood of every label (with generation, 1 at the generated label)
    predicted    [n] label index, or number for a numeric task
    metrics      the task's metrics; None if undefined
    constant     whether the same label was predicted for every row, so that its accuracy says nothing
    unreadable   share of the rows whose answer is no label; these count as wrong
    cut          rows that lost text to truncation
    tokens       tokens that were processed, of rows, prompts and label words; 0 if the scores were already known
    """

    scores: np.ndarray
    predicted: np.ndarray
    metrics: dict[str, float | None]
    constant: bool
    unreadable: float = 0.0
    cut: int = 0
    tokens: int = 0


def score_task(
    backbone: Backbone, task: Task, rows: Sequence[Row], encoded: Sequence[EncodedRow], prompts: Mapping[str, Tensor],
    *, prefix: str, scoring: str = "sum", similarity: str = "argmax",
    going: Callable[[str], bool] = lambda name: True, remember: bool = True,
) -> dict[str, TaskScores]:
    """Score `rows` (encoded as `encoded`) of `task` under each prompt [L, H] of `prompts`, by name.

    prefix: the style that the rows are encoded with, which also says the label words. scoring: "sum" or "mean" of label
    log-probabilities, or greedy "generate"; similarity: how a numeric task reads its candidates. Rows of all prompts
    share their passes. What was scored before comes from the backbone's cache; new scores are added to it if `remember`
    is set. going(name) is asked before each pass; a prompt that is no longer wanted is left out of the rest and of the
    result.
    """
    words = label_ids(backbone.tokenizer, task.words(prefix))
    common = rows_key(encoded, words, scoring)
    keys = {name: score_key(common, prompt) for name, prompt in prompts.items() if going(name)}
    result = {name: scores for name, key in keys.items() if (scores := backbone.cache.get(key)) is not None}
    fresh = label_scores(backbone, encoded, {name: prompts[name] for name in keys if name not in result}, words,
                         scoring, going)
    for name, scores in fresh.items() if remember else ():
        backbone.cache.put(keys[name], scores)
    result |= fresh
    cut, generated = sum(row.cut > 0 for row in encoded), scoring == "generate"
    judged = {name: judge(task, rows, result[name], similarity=similarity, generated=generated)
              for name in prompts if name in result}
    return {name: replace(scores, cut=cut, tokens=sum(row.length(len(prompts[name])) for row in encoded)
                          + len(rows) * sum(map(len, words)) if name in fresh else 0)
            for name, scores in judged.items()}


def label_scores(
    backbone: Backbone, encoded: Sequence[EncodedRow], prompts: Mapping[str, Tensor], words: Sequence[tuple[int, ...]],
    scoring: str, going: Callable[[str], bool] = lambda name: True,
) -> dict[str, np.ndarray]:
    """Label scores [n, C] under each prompt that is wanted to the end, as in :func:`score_task` but without cache and
    metrics; `words` are the labels' token ids (`label_ids`)."""
    packed = PackedLabels(words, backbone.model.config.decoder_start_token_id, backbone.device)
    jobs = [(name, i) for name in prompts for i in range(len(encoded))]
    result = {name: np.zeros((len(encoded), len(words)), dtype=np.float32) for name in prompts}
    bucket, left, asking = bucket_on(backbone.device.type), set[str](), Lock()

    def values(memory: Memory) -> np.ndarray:
        if scoring == "generate":
            return _generated(backbone, words, memory)
        return packed.scores(backbone, memory, mean=scoring == "mean").float().cpu().numpy()

    def work(part: np.ndarray) -> None:
        with asking:  # only one thread at a time
            left.update(name for name in result if name not in left and not going(name))
        chosen = [jobs[j] for j in part if jobs[j][0] not in left]
        if not chosen:
            return
        batch = collate([encoded[i] for _, i in chosen], [len(prompts[name]) for name, _ in chosen], bucket)
        vectors = torch.cat([prompts[name] for name, _ in chosen])
        with torch.inference_mode():
            found = values(encode(backbone, batch, vectors))
        for (name, i), value in zip(chosen, found, strict=True):
            result[name][i] = value

    backbone.rooms["score"].map([encoded[i].length(len(prompts[name])) for name, i in jobs], work)
    return {name: scores for name, scores in result.items() if name not in left}


def _generated(backbone: Backbone, words: Sequence[tuple[int, ...]], memory: Memory) -> np.ndarray:
    """[B, C]: 1 at the label of `words` whose text greedy generation writes."""
    from transformers.modeling_outputs import BaseModelOutput

    states, mask = memory.padded()
    out = backbone.model.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=states), attention_mask=mask,
        max_new_tokens=max(map(len, words)))
    written, labels = ([text.strip() for text in backbone.tokenizer.batch_decode(ids, skip_special_tokens=True)]
                       for ids in (out, words))
    return np.array([[float(text == label) for label in labels] for text in written], dtype=np.float32)


def judge(
    task: Task, rows: Sequence[Row], scores: np.ndarray, *, similarity: str = "argmax", generated: bool = False
) -> TaskScores:
    """Predictions and metrics from label scores [n, C]; an answer that is not :func:`readable` counts as wrong."""
    predicted = predict(task, scores, similarity=similarity, generated=generated)
    gold, told = [row.value for row in rows], readable(scores, generated)
    return TaskScores(scores, predicted, {name: score(name, gold, predicted.tolist()) for name in task.metrics},
                      bool(told.all() and np.all(predicted == predicted[0])), float(1 - told.mean()))


def majority(task: Task, rows: Sequence[Row]) -> dict[str, float | None]:
    """Metrics of the majority class, which always answers the most frequent label of these `rows`."""
    values, counts = np.unique([row.value for row in rows], return_counts=True)
    constant = float(values[counts.argmax()])
    return {name: score(name, [row.value for row in rows], [constant] * len(rows)) for name in task.metrics}
