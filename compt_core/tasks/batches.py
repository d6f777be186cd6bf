"""Rows as token ids with a gap for the prompt, and their assembly into batches.

B batch rows · N tokens of all rows · P prompt length. Prompt and text are contiguous: padding between
them would change T5's relative positions and so the logits. Where there is any, it is outside, on
the right, up to a bucket that depends on the row alone, so that no other row of the batch changes a result.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compt_core.errors import ConfigError, Issue
from compt_core.tasks.first import first_ids
from compt_core.tasks.spec import Row, Task

CPU_BUCKET, GPU_BUCKET = 1, 64


@dataclass(frozen=True)
class EncodedRow:
    """One input around the place of its prompt: the ids before it, and the ids after it (ending in </s>)."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    cut: bool  # whether truncation removed some of its text

    def length(self, prompt: int) -> int:
        """Tokens of the row with a prompt of `prompt` vectors, without padding."""
        return len(self.before) + prompt + len(self.after)


@dataclass(frozen=True)
class Group:
    """Neighbouring rows of one width, with padding; mask [rows, width] bool is False on padding, None without any."""

    rows: int
    width: int
    mask: np.ndarray | None


@dataclass(frozen=True)
class Batch:
    """The tokens of B rows one after another: ids [N] (0 for prompt vectors and padding), in groups.

    places [M]: positions in [N] of all prompt vectors, in the order of the rows.
    """

    ids: np.ndarray
    places: np.ndarray
    groups: tuple[Group, ...]

    @property
    def rows(self) -> int:
        return sum(group.rows for group in self.groups)

    @property
    def sizes(self) -> list[int]:
        """Tokens of each group."""
        return [group.rows * group.width for group in self.groups]


def encode_rows(
    tokenizer: Any, task: Task, rows: Sequence[Row], *, prefix: str, position: str, max_tokens: int
) -> list[EncodedRow]:
    """Tokenize rows as ``prefix [field: text]… </s>`` with the prompt's place at `position`.

    Every piece is tokenized by itself, so that the place of the prompt never changes the pieces. Over `max_tokens` the
    longer text loses its end first. Prefix, field names and </s> stay, and so does a part of every text. Raises
    ConfigError where `max_tokens` leaves no room for that.
    """
    def ids(texts: list[str]) -> list[list[int]]:
        return tokenizer(texts, add_special_tokens=False)["input_ids"]

    head, *names = ids(frame(task, prefix))
    end = (tokenizer.eos_token_id,)
    room = room_for_text(task, [head, *names], max_tokens)
    columns = [first_ids(ids, [row.texts[i] for row in rows], room + 1) for i in range(len(task.columns))]
    encoded = []
    for texts in zip(*columns, strict=True):
        kept = keep_lengths([len(t) for t in texts], room)
        body = tuple(i for name, text, n in zip(names, texts, kept, strict=True) for i in (*name, *text[:n]))
        cut = sum(map(len, texts)) > room
        before, after = {
            "before_all": ((), (*head, *body, *end)),
            "after_prefix": (tuple(head), (*body, *end)),
            "after_text": ((*head, *body), end),
        }[position]
        encoded.append(EncodedRow(before, after, cut))
    return encoded


def frame(task: Task, prefix: str) -> list[str]:
    """What surrounds the texts of every row: the task prefix, then the name before each text."""
    return [task.prefix(prefix), *(f"{name}:" for name in task.field_names(prefix))]


def room_for_text(task: Task, pieces: Sequence[Sequence[int]], max_tokens: int) -> int:
    """Tokens that the tokenized frame `pieces` and </s> leave for the texts; ConfigError if not one for each."""
    taken = sum(map(len, pieces)) + 1
    if max_tokens < taken + len(task.columns):
        raise ConfigError([Issue(
            "max_tokens", "The 'max_tokens' setting of an experiment must leave room for some text: the prefix and "
            f"field names of task '{task.name}' take {taken} tokens with this backbone. Got {max_tokens} instead; set "
            f"at least {taken + len(task.columns)}.")])
    return max_tokens - taken


def keep_lengths(lengths: list[int], room: int) -> list[int]:
    """Tokens of each text to keep so that all fit `room`: the longest is cut to the next longest, and so on."""
    kept = list(lengths)
    while sum(kept) > room:
        longest = max(range(len(kept)), key=kept.__getitem__)
        others = sorted(kept)[-2] if len(kept) > 1 else 0
        kept[longest] -= min(sum(kept) - room, max(1, kept[longest] - others))
    return kept


def collate(rows: Sequence[EncodedRow], prompts: Sequence[int], bucket: int = 1, extra: int = 0) -> Batch:
    """Rows as one batch, in their order; row b leaves room for ``prompts[b]`` vectors.

    Each is padded to a multiple of `bucket` and by `extra`, which change no result beyond rounding.
    The groups are fewest, and the pass quickest, in order of length.
    """
    lengths = np.array([row.length(p) for row, p in zip(rows, prompts, strict=True)])
    widths = padded(lengths, bucket) + extra
    starts = np.cumsum(widths) - widths
    ids = np.zeros(widths.sum(), dtype=np.int64)
    places = []
    for row, p, start in zip(rows, prompts, starts.tolist(), strict=True):
        first, resume = start + len(row.before), start + len(row.before) + p
        ids[start:first] = row.before
        ids[resume : resume + len(row.after)] = row.after
        places.append(np.arange(first, resume))
    cuts = [0, *(np.flatnonzero(np.diff(widths)) + 1).tolist(), len(rows)]
    groups = tuple(_group(lengths[start:stop], int(widths[start])) for start, stop in itertools.pairwise(cuts))
    return Batch(ids, np.concatenate(places), groups)


def _group(lengths: np.ndarray, width: int) -> Group:
    mask = None if (lengths == width).all() else np.arange(width) < lengths[:, None]
    return Group(len(lengths), width, mask)


def bucket_on(device: str) -> int:
    """The multiple that rows are padded to on a type of device: 1 on "cpu", where a group of one row costs little.

    On a GPU each group costs the launches of its attention in every layer, which take longer than the padding.
    """
    return CPU_BUCKET if device == "cpu" else GPU_BUCKET


def padded(lengths: np.ndarray, bucket: int) -> np.ndarray:
    """Lengths rounded up to a multiple of `bucket`."""
    return -(-lengths // bucket) * bucket


def chunks(
    lengths: Sequence[int], max_tokens: int, max_rows: int | None = None, bucket: int = 1, ways: int = 1
) -> Iterator[np.ndarray]:
    """Row indices in order of width, cut into parts of nearly equal cost; their number is a multiple of `ways`.

    lengths [B]: tokens of each row with its prompt. A part has about `max_tokens` tokens (its last row may exceed them)
    and at most `max_rows` rows. A longer row is a part of its own.
    """
    widths = padded(np.asarray(lengths), bucket)
    order = np.argsort(widths, kind="stable")
    cost = np.clip(widths[order], max_tokens / (max_rows or max_tokens), max_tokens)
    needed = -(-cost.sum() // max_tokens)
    parts = min(len(order), int(-(-needed // ways) * ways))
    owner = ((np.cumsum(cost) - cost / 2) * parts / cost.sum()).astype(int)
    yield from (part for part in np.split(order, np.flatnonzero(np.diff(owner)) + 1) if len(part))


def label_ids(tokenizer: Any, words: Iterable[str]) -> list[tuple[int, ...]]:
    """Token ids of each label word, ended by </s>."""
    pieces = tokenizer(list(words), add_special_tokens=False)["input_ids"]
    return [(*ids, tokenizer.eos_token_id) for ids in pieces]
