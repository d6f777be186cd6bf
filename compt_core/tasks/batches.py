"""Rows as token ids with a gap for the prompt, and their assembly into padded batches.

B batch rows · T input tokens · P prompt length. Prompt and text are contiguous: padding between them
would change T5's relative positions and so the logits. It stands only outside, on the right, up to a
fixed bucket that depends on the row alone, so that no row beside it changes a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compt_core.errors import ConfigError, Issue
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
    Over `max_tokens` the longer text loses its end first; prefix, field names and </s> stay, and so
    does something of every text. Raises ConfigError where `max_tokens` leaves no room for that.
    """
    def ids(texts: Sequence[str]) -> list[list[int]]:
        return tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []

    head, *names = ids(frame(task, prefix))
    columns = [ids([row.texts[i] for row in rows]) for i in range(len(task.columns))]
    end = (tokenizer.eos_token_id,)
    room = room_for_text(task, [head, *names], max_tokens)
    encoded = []
    for texts in zip(*columns, strict=True):
        kept = _keep([len(t) for t in texts], room)
        body = tuple(i for name, text, n in zip(names, texts, kept, strict=True) for i in (*name, *text[:n]))
        cut = sum(map(len, texts)) - sum(kept)
        before, after = {
            "before_all": ((), (*head, *body, *end)),
            "after_prefix": (tuple(head), (*body, *end)),
            "after_text": ((*head, *body), end),
        }[position]
        encoded.append(EncodedRow(before, after, cut))
    return encoded


def frame(task: Task, prefix: str) -> list[str]:
    """What stands around the texts of every row: the task prefix, then the name before each text."""
    return [task.prefix(prefix), *(f"{name}:" for name in task.field_names(prefix))]


def room_for_text(task: Task, pieces: Sequence[Sequence[int]], max_tokens: int) -> int:
    """Tokens that the tokenized frame `pieces` and </s> leave to the texts; ConfigError below one for each."""
    taken = sum(map(len, pieces)) + 1
    if max_tokens < taken + len(task.columns):
        raise ConfigError([Issue(
            "max_tokens", "The 'max_tokens' setting of an experiment must leave room for some text: prefix and field "
            f"names of task '{task.name}' take {taken} tokens of this backbone. Got {max_tokens} instead; set at least "
            f"{taken + len(task.columns)}.")])
    return max_tokens - taken


def _keep(lengths: list[int], room: int) -> list[int]:
    """Tokens of each text to keep so that they fit `room`: the longest is cut to the next longest, and so on."""
    kept = list(lengths)
    while sum(kept) > room:
        longest = max(range(len(kept)), key=kept.__getitem__)
        others = sorted(kept)[-2] if len(kept) > 1 else 0
        kept[longest] -= min(sum(kept) - room, max(1, kept[longest] - others))
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


def chunks(lengths: Sequence[int], max_tokens: int, max_rows: int | None = None) -> Iterator[np.ndarray]:
    """Index groups of rows that share a bucket, each of at most `max_tokens` padded tokens and `max_rows` rows.

    lengths [B]: tokens of each row with its prompt. Rows keep their order inside a group.
    """
    padded = np.array([bucket(n) for n in lengths])
    for width in np.unique(padded):
        members = np.flatnonzero(padded == width)
        step = max(1, min(max_tokens // int(width), max_rows or len(padded)))
        yield from (members[i : i + step] for i in range(0, len(members), step))


def label_ids(tokenizer: Any, words: Iterable[str]) -> list[tuple[int, ...]]:
    """Token ids of each label word, ended by </s>."""
    pieces = tokenizer(list(words), add_special_tokens=False)["input_ids"]
    return [(*ids, tokenizer.eos_token_id) for ids in pieces]
