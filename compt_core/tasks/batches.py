"""Rows as token ids with a gap for the prompt, and their assembly into padded batches.

B batch rows · T input tokens · P prompt length. Prompt and text are contiguous; padding stands
only outside, on the right, up to a fixed bucket that depends on the row alone: never on the rows
beside it (method.md, "Position"; design.md, "Fleets").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compt_core.tasks.spec import Row, Task

BUCKET = 8  # row lengths are padded up to a multiple of this


@dataclass(frozen=True)
class EncodedRow:
    """One input around the place of its prompt: ids before it, ids after it (ending in </s>)."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    cut: int  # tokens of text that truncation removed

    def length(self, prompt: int) -> int:
        """Tokens of the row with a prompt of `prompt` vectors, before padding."""
        return len(self.before) + prompt + len(self.after)


@dataclass(frozen=True)
class Batch:
    """Padded inputs: ids [B, T] (0 where a prompt goes), mask [B, T], and the places of the prompts.

    places [M]: positions in the flattened [B * T] of all prompt vectors, row after row.
    """

    ids: np.ndarray
    mask: np.ndarray
    places: np.ndarray


def encode_rows(
    tokenizer: Any, task: Task, rows: Sequence[Row], *, prefix: str, position: str, max_tokens: int
) -> list[EncodedRow]:
    """Tokenize rows as ``prefix [field: text]… </s>`` with the prompt's place at `position`.

    Every piece is tokenized by itself, so that the place of the prompt never changes the pieces.
    Over `max_tokens` the longer text loses its end first; prefix, field names and </s> stay.
    """
    def ids(texts: Sequence[str]) -> list[list[int]]:
        return tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []

    head = tuple(ids([task.prefix(prefix)])[0])
    names = ids([f"{name}:" for name in task.field_names(prefix)])
    columns = [ids([row.texts[i] for row in rows]) for i in range(len(task.columns))]
    end = (tokenizer.eos_token_id,)
    room = max_tokens - len(head) - sum(map(len, names)) - 1
    encoded = []
    for texts in zip(*columns, strict=True):
        kept = _keep([len(t) for t in texts], room)
        body = tuple(i for name, text, n in zip(names, texts, kept, strict=True) for i in (*name, *text[:n]))
        cut = sum(map(len, texts)) - sum(kept)
        before, after = {
            "before_all": ((), (*head, *body, *end)),
            "after_prefix": (head, (*body, *end)),
            "after_text": ((*head, *body), end),
        }[position]
        encoded.append(EncodedRow(before, after, cut))
    return encoded


def _keep(lengths: list[int], room: int) -> list[int]:
    """Tokens of each text to keep so that they fit `room`: the longest gives first, none goes to 0 early."""
    kept = list(lengths)
    while sum(kept) > max(room, 0):
        longest = max(range(len(kept)), key=kept.__getitem__)
        others = sorted(kept)[-2] if len(kept) > 1 else 0
        kept[longest] -= min(sum(kept) - max(room, 0), max(1, kept[longest] - others))
    return kept


def collate(rows: Sequence[EncodedRow], prompts: Sequence[int], extra: int = 0) -> Batch:
    """Rows as one padded batch; row b leaves room for ``prompts[b]`` vectors.

    T is the longest row's bucket, plus `extra` padding, which changes no result beyond rounding.
    """
    width = max(bucket(row.length(p)) for row, p in zip(rows, prompts, strict=True)) + extra
    ids = np.zeros((len(rows), width), dtype=np.int64)  # [B, T]
    mask = np.zeros((len(rows), width), dtype=np.int64)
    places = []
    for i, (row, p) in enumerate(zip(rows, prompts, strict=True)):
        first, resume = len(row.before), len(row.before) + p
        ids[i, :first] = row.before
        ids[i, resume : resume + len(row.after)] = row.after
        mask[i, : resume + len(row.after)] = 1
        places.append(np.arange(i * width + first, i * width + resume))
    return Batch(ids, mask, np.concatenate(places))


def bucket(length: int) -> int:
    """The padded length of a row of `length` tokens."""
    return -(-length // BUCKET) * BUCKET


def chunks(lengths: Sequence[int], max_tokens: int) -> Iterator[np.ndarray]:
    """Index groups of rows that share a bucket, each of at most `max_tokens` padded tokens.

    lengths [B]: tokens of each row with its prompt. Rows keep their order inside a group.
    """
    padded = np.array([bucket(n) for n in lengths])
    for width in np.unique(padded):
        members = np.flatnonzero(padded == width)
        step = max(1, max_tokens // int(width))
        yield from (members[i : i + step] for i in range(0, len(members), step))


def label_ids(tokenizer: Any, words: Iterable[str]) -> list[tuple[int, ...]]:
    """Token ids of each label word, ended by </s>."""
    pieces = tokenizer(list(words), add_special_tokens=False)["input_ids"]
    return [(*ids, tokenizer.eos_token_id) for ids in pieces]
