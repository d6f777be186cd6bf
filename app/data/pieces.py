"""A row as the backbone reads it, piece by piece, with what is cut off; and the same as coloured Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.show.captions import literal, plural
from compt_core.backbone.files import BackboneFiles, encoder, read_tokenizer
from compt_core.tasks.batches import frame, keep_lengths, room_for_text
from compt_core.tasks.first import first_ids
from compt_core.tasks.spec import Row, Task, TaskData

MOST_COUNTED = 5000  # pieces of a text
MOST_SHOWN = 160  # pieces of a row that are kept
MOST_CHARACTERS = 20_000  # of a text in which words without pieces are named
CUT_SHOWN = 30  # pieces that are cut
_SPACE = "\u2581"  # how a piece says that a word begins
Kind = Literal["frame", "text", "answer", "unknown"]
_LOOK = {"frame": "blue", "text": "gray", "answer": "green", "unknown": "red"}
LEGEND = (":blue-background[blue]: what stands around your text · :gray-background[grey]: your text, piece by piece · "
          ":green-background[green]: the right answer · :red-background[red]: no piece for it · "
          ":gray-background[~~struck~~]: cut off")


@dataclass(frozen=True)
class Piece:
    """One piece: what it says, what it is part of, and whether it is cut off."""

    text: str
    kind: Kind
    cut: bool = False


@dataclass(frozen=True)
class Reading:
    """A row's pieces, how many of them the model reads, how many are cut, and those of the answer."""

    pieces: tuple[Piece, ...]
    read: int
    cut: int
    answer: tuple[Piece, ...]


class Reader:
    """Reads rows of a task with the tokenizer of a backbone, in a style of prefix, up to `most` pieces a row."""

    def __init__(self, files: BackboneFiles, task: Task, prefix: str, most: int):
        self._encode, self._unknown = encoder(files)
        self._tokenizer = read_tokenizer(files)
        self._task, self._prefix, self._words = task, prefix, task.words(prefix)
        self._frame = self._encode(frame(task, prefix))
        self._room = room_for_text(task, self._frame, most)

    def read(self, row: Row) -> Reading:
        """A row; of its pieces at most MOST_SHOWN that are read and CUT_SHOWN that are cut, of each text."""
        texts = first_ids(self._encode, row.texts, MOST_COUNTED)
        kept = keep_lengths(list(map(len, texts)), self._room)
        head, *names = self._frame
        pieces = self._pieces(head, "frame", self._task.prefix(self._prefix))
        fields = frame(self._task, self._prefix)[1:]
        for text, field, name, ids, count in zip(row.texts, fields, names, texts, kept, strict=True):
            shown, cut = ids[:min(count, MOST_SHOWN)], ids[count:count + CUT_SHOWN]
            pieces += [*self._pieces(name, "frame", field), *self._pieces(shown, "text", text)]
            pieces += [replace(piece, cut=True) for piece in self._pieces(cut, "text")]
        read = sum(map(len, self._frame)) + sum(kept) + 1
        return Reading(tuple(pieces), read, sum(map(len, texts)) - sum(kept), tuple(self.word(self._words[row.label])))

    def word(self, text: str) -> list[Piece]:
        """The pieces of a label word."""
        return self._pieces(self._encode([text])[0], "answer", text)

    def _pieces(self, ids: Sequence[int], kind: Kind, text: str = "") -> list[Piece]:
        """The pieces of the ids that `text` begins with; in place of those without a piece, what the text has there."""
        names = [str(self._tokenizer.id_to_token(one) or "?").replace(_SPACE, " ").strip() or _SPACE for one in ids]
        if self._unknown in ids and text:
            whole = self._tokenizer.encode(text[:MOST_CHARACTERS], add_special_tokens=False)
            if whole.ids[:len(ids)] == list(ids):  # else the cut fell into a word
                names = [text[start:end].strip() or name if one == self._unknown else name
                         for one, name, (start, end) in zip(ids, names, whole.offsets, strict=False)]
        return [Piece(name, "unknown" if one == self._unknown else kind)
                for one, name in zip(ids, names, strict=True)]


def markdown(reading: Reading) -> str:
    """A row and its answer as coloured pieces."""
    cut = f" :small[{plural(reading.cut, 'piece')} cut]" if reading.cut else ""
    return f"{_chips(reading.pieces)}{cut} → {_chips(reading.answer)}"


def _chips(pieces: Sequence[Piece]) -> str:
    return " ".join(f":{_LOOK[one.kind]}-background[{'~~' if one.cut else ''}{literal(one.text)}"
                    f"{'~~' if one.cut else ''}]" for one in pieces)


def examples(data: TaskData) -> dict[str, Row]:
    """Label -> the first row with it; of a numeric task rows with a low, a middle and a high number."""
    rows = (*data.train, *data.dev)
    if data.task.numeric:
        ordered = sorted(rows, key=lambda row: row.value)
        picked = [ordered[0], ordered[len(ordered) // 2], ordered[-1]] if ordered else []
        return {f"{row.value:g}": row for row in picked}
    first: dict[int, Row] = {}
    for row in rows:
        first.setdefault(row.label, row)
    return {label: first[number] for number, label in enumerate(data.task.labels) if number in first}
