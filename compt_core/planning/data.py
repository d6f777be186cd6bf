"""The rows of an experiment as its backbone reads them: which are the same to it, and what it cannot read. No torch.

No prompt may have seen the rows that it, or a prompt that shares its sources, is scored on. So a training row is left
out if its texts are among the dev rows of any task of the experiment, in any order: a prompt that saw (a, b) has seen
(b, a). Texts are the same if their words have the same token ids, up to the longest possible input; white space only
separates words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from compt_core.backbone.files import BackboneFiles, Stamps, encoder
from compt_core.errors import DataError, plural, quoted
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.files import digest_of, load_task
from compt_core.tasks.first import CHARACTERS, first_ids
from compt_core.tasks.spec import TaskData
from compt_core.tasks.table import CATALOGUE

LONGEST = 4096  # tokens of a text that are compared: max_tokens allows no more
SAID_UNKNOWN = 0.05  # share of a split's words without pieces from which on a note mentions it
OVERLAP = "also among"  # in every note on training rows that are dev rows
MOST_UNKNOWN = 0.5  # above it, the check before a launch refuses the backbone, to which all such rows look alike
_WORD = re.compile(r"(?:\S|[\x1c-\x1f])+")  # the separators of files are white space only to Python
_BYTES = 4  # per id in a key
Keys = list[tuple[bytes, ...]]  # one per row, the same for its texts in any order


def load_data(names: Sequence[str], data_dir: str | None, files: BackboneFiles, tasks: Catalogue = CATALOGUE
              ) -> tuple[TaskData, ...]:
    """Rows of the tasks called `names` in that order, as `tasks` defines them, without overlap between them; read once
    while nothing on disk changes.

    Raises as :meth:`Catalogue.named`, :func:`tasks.files.load_task` and :func:`as_read`.
    """
    return as_read([load_task(task, data_dir) for task in tasks.named(names)], files)


def as_read(data: Sequence[TaskData], files: BackboneFiles) -> tuple[TaskData, ...]:
    """The data of all tasks of an experiment, with notes, without training rows that are dev rows of any of them.

    Raises DataError where a task has no training row left, and BackboneError where there is no tokenizer.
    """
    return _as_read(tuple(data), files, files.tokenizer_stamps())


@lru_cache(maxsize=16)
def _as_read(data: tuple[TaskData, ...], files: BackboneFiles, changed: Stamps) -> tuple[TaskData, ...]:
    words = _Words(files)
    train, dev, unknown = list[Keys](), list[Keys](), list[dict[str, tuple[float, str]]]()
    for one in data:
        counts: dict[str, tuple[float, str]] = {}
        for split, keys in (("train", train), ("dev", dev)):
            keys.append([tuple(sorted(map(words.key, row.texts))) for row in getattr(one, split)])
            if share := words.unknown_since():
                counts[split] = share
        unknown.append(counts)
    scored = [set(keys) for keys in dev]
    return tuple(_without(k, data, keys, scored, counts, files.ref)
                 for k, (keys, counts) in enumerate(zip(train, unknown, strict=True)))


class _Words(dict[str, bytes]):
    """word -> its token ids, tokenized when first met; most words occur many times in a data set."""

    def __init__(self, files: BackboneFiles):
        super().__init__()
        self._encode, self._unknown = encoder(files)
        self._lost: set[str] = set()  # those without pieces
        self._seen, self._met, self._example = 0, 0, ""

    def __missing__(self, word: str) -> bytes:
        ids = first_ids(self._encode, [word], LONGEST)[0]
        if self._unknown in ids:
            self._lost.add(word)
        self[word] = found = np.array(ids, dtype=np.int32).tobytes()
        return found

    def key(self, text: str) -> bytes:
        """The first ids of a text; equal for texts that look the same to the backbone."""
        size = CHARACTERS * LONGEST
        while True:
            words = _WORD.findall(text, 0, size)
            found = b"".join(map(self.__getitem__, words))
            if size >= len(text) or len(found) >= _BYTES * LONGEST:
                break
            size *= 4
        self._seen += len(words)
        if lost := [word for word in words if word in self._lost] if self._lost else []:
            self._met += len(lost)
            self._example = self._example or lost[0]
        return found[: _BYTES * LONGEST]

    def unknown_since(self) -> tuple[float, str] | None:
        """(share of the words met since the last call that have no pieces, one of them); None if all have pieces."""
        found = (self._met / self._seen, self._example) if self._met else None
        self._seen, self._met, self._example = 0, 0, ""
        return found


def _without(own: int, data: Sequence[TaskData], keys: Keys, scored: Sequence[set[tuple[bytes, ...]]],
             unknown: dict[str, tuple[float, str]], backbone: str) -> TaskData:
    """The data of task number `own` without the training rows whose keys are scored in any task, with its notes."""
    one, lost = data[own], max([share for share, _ in unknown.values()], default=0.0)
    left = [[row for row, key in enumerate(keys) if key in others and lost <= MOST_UNKNOWN] for others in scored]
    notes = [*one.notes, *(overlap_note(one, other, len(rows) + (one.overlap if other is one else 0))
                           for other, rows in zip(data, left, strict=True))]
    out = {row for rows in left for row in rows}
    if len(out) == len(keys):
        raise DataError(f"All training rows of task '{one.task.name}' are dev rows of the experiment's tasks as "
                        "well. Give other rows to train on.")
    if lost >= SAID_UNKNOWN:
        notes.append(_lost(one, unknown, backbone))
    train = tuple(row for number, row in enumerate(one.train) if number not in out) if out else one.train
    return replace(one, train=train, digest=digest_of((train, one.dev)) if out else one.digest,
                   overlap=one.overlap + len(out), unknown=unknown, notes=tuple(filter(None, notes)))


def overlap_note(one: TaskData, other: TaskData, count: int) -> str:
    """A note on rows of a task that are left out because they are dev rows of another, or its own; "" for none."""
    if not count:
        return ""
    where = "its own dev rows" if other is one else f"the dev rows of task '{other.task.name}'"
    verb, they = ("is", "it is") if count == 1 else ("are", "they are")
    return (f"{plural(count, 'training row')} of task '{one.task.name}' {verb} {OVERLAP} {where}, so {they} not "
            "trained on.")


def _lost(one: TaskData, unknown: dict[str, tuple[float, str]], backbone: str) -> str:
    shares = " and ".join(f"{unknown.get(split, (0.0, ''))[0]:.0%} of those {where}" if split == "dev" else
                          f"{unknown.get(split, (0.0, ''))[0]:.0%} of the words {where}"
                          for split, where in (("train", "in the training rows"), ("dev", "in the dev rows")))
    example = next(word for _, word in unknown.values())
    return (f"The tokenizer of backbone '{backbone}' has no pieces for {shares} of task '{one.task.name}' (such as "
            f"{quoted(example, 30)}).")
