"""Texts that a person typed or picked, under any number of prompts at once: label scores, cuts, nearest shots.

n texts · C labels of a task · L prompt length (0: no prompt) · H hidden size. Texts are handled like dev rows
(`encode_with`, `label_scores`), so that a dev row gets the scores that its run stored. Nothing is remembered here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from compt_core.backbone.load import Backbone
from compt_core.backbone.t5 import encode
from compt_core.scoring.score import label_scores
from compt_core.settings.config import RunConfig
from compt_core.tasks.batches import EncodedRow, bucket_on, collate, label_ids
from compt_core.tasks.spec import Row, Task
from compt_core.training.plan import encode_with
from compt_core.whatif.texts import Texts, shared_words


@dataclass(frozen=True)
class Neighbour:
    """A row of a few-shot sample compared with a text: its number in the sample (from 0), the cosine of the encoder's
    mean states [H], and the words that both have, the words found in the fewest rows first."""

    number: int
    row: Row
    cosine: float
    shared: list[str]


def scores(backbone: Backbone, config: RunConfig, task: Task, texts: Sequence[Texts], prompts: Mapping[str, np.ndarray]
           ) -> dict[str, np.ndarray]:
    """Label scores [n, C] of the texts under each prompt [L, H], by name, all in the same passes."""
    given = {name: _tensor(backbone, prompt) for name, prompt in prompts.items()}
    return label_scores(backbone, _encoded(backbone, config, task, texts), given,
                        label_ids(backbone.tokenizer, task.words(config.prefix)), config.scoring)


def written(backbone: Backbone, config: RunConfig, task: Task, texts: Texts, prompt: np.ndarray, tokens: int) -> str:
    """What greedy generation writes for the texts under a prompt [L, H], at most `tokens` pieces."""
    from transformers.modeling_outputs import BaseModelOutput

    batch = collate(_encoded(backbone, config, task, [texts]), [len(prompt)])
    with torch.inference_mode():
        states, mask = encode(backbone, batch, _tensor(backbone, prompt)).padded()
        out = backbone.model.generate(encoder_outputs=BaseModelOutput(last_hidden_state=states), attention_mask=mask,
                                      max_new_tokens=tokens)
    return str(backbone.tokenizer.decode(out[0], skip_special_tokens=True)).strip()


def cut(backbone: Backbone, config: RunConfig, task: Task, texts: Texts) -> bool:
    """Whether part of the texts lies beyond the run's max_tokens and is not read."""
    return _encoded(backbone, config, task, [texts])[0].cut


def nearest(backbone: Backbone, config: RunConfig, task: Task, texts: Texts, rows: Sequence[Row], prompt: np.ndarray,
            most: int = 5) -> list[Neighbour]:
    """The `most` rows whose mean encoder states under `prompt` [L, H] are closest in direction to those of `texts`.

    The mean is over all tokens of an input, including prefix and field names, but not over the prompt's positions.
    """
    if not rows:
        return []
    states = mean_states(backbone, _encoded(backbone, config, task, [texts, *(row.texts for row in rows)]),
                         _tensor(backbone, prompt))
    directions = states / np.linalg.norm(states, axis=1, keepdims=True)
    cosines = directions[1:] @ directions[0]
    order = np.argsort(-cosines, kind="stable")[:most]
    rare = Counter(word for row in rows for word in shared_words(row.texts, row.texts))
    return [Neighbour(int(i), rows[i], float(cosines[i]),
                      sorted(shared_words(texts, rows[i].texts), key=lambda word: rare[word])) for i in order]


def mean_states(backbone: Backbone, encoded: Sequence[EncodedRow], prompt: torch.Tensor) -> np.ndarray:
    """Means [n, H] over the encoder's states of the rows' own tokens, with `prompt` [L, H] inserted."""
    result, length = np.zeros((len(encoded), backbone.hidden), dtype=np.float32), len(prompt)

    def work(part: np.ndarray) -> None:
        chosen = [encoded[i] for i in part]
        batch = collate(chosen, [length] * len(chosen), bucket_on(backbone.device.type))
        with torch.inference_mode():
            states, _ = encode(backbone, batch, prompt.repeat(len(chosen), 1)).padded()
        for i, row, state in zip(part, chosen, states.float().cpu().numpy(), strict=True):
            first = len(row.before)
            result[i] = np.concatenate([state[:first], state[first + length : row.length(length)]]).mean(axis=0)

    backbone.rooms["score"].map([row.length(length) for row in encoded], work)
    return result


def _encoded(backbone: Backbone, config: RunConfig, task: Task, texts: Sequence[Texts]) -> list[EncodedRow]:
    return encode_with(backbone.tokenizer, config, task, [Row(one, 0, 0.0) for one in texts])  # labels play no part


def _tensor(backbone: Backbone, prompt: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(prompt, dtype=np.float32)).to(backbone.device)
