"""A task's texts as people edit them: cleaned, split into words, changed word by word. Pure; no torch."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from compt_core.errors import DataError
from compt_core.language.cases import certify
from compt_core.language.grammar import plain, same_kind
from compt_core.language.suites import BY_NAME
from compt_core.tasks.spec import Task

Texts = tuple[str, ...]  # the texts of one example, in the order of the task's columns
LONGEST = 2000  # characters of a text that a person types
_JOINERS = "\u200c\u200d"  # format characters that some scripts need
_CHANGES = 4  # changes that are named
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Word:
    """One word of an example: the index of its text, its number there (from 1), and its position without the
    punctuation at its ends."""

    text: int
    number: int
    start: int
    end: int
    written: str


def clean(text: str, limit: int = LONGEST) -> tuple[str, int]:
    """(the text on one line without control characters, how many characters beyond `limit` were cut off)."""
    kept = "".join(" " if unicodedata.category(mark) == "Cc" else mark for mark in text
                   if mark in _JOINERS or unicodedata.category(mark) not in ("Cf", "Cs"))  # Cs: no text in UTF-8
    line = " ".join(kept.split())
    return line[:limit].rstrip(), max(0, len(line) - limit)


def words(texts: Texts) -> list[Word]:
    """All words in reading order. Punctuation by itself is counted in the numbers but is not a word."""
    found = []
    for index, text in enumerate(texts):
        for number, match in enumerate(_WORD.finditer(text), 1):
            if core := _bare(match[0]):
                start = match.start() + match[0].index(core)
                found.append(Word(index, number, start, start + len(core), core))
    return found


def replaced(texts: Texts, word: Word, by: str) -> Texts:
    """The texts with `by` in place of the word; an empty `by` removes the word and the space before it."""
    text, start, end = texts[word.text], word.start, word.end
    if not by and text[:start].endswith(" "):
        start -= 1
    elif not by and text[end:].startswith(" "):
        end += 1
    return (*texts[:word.text], text[:start] + by + text[end:], *texts[word.text + 1:])


def difference(before: Texts, after: Texts, columns: Sequence[str]) -> str:
    """What changed, word by word: ``"sentence2: good → bad at word 4"``; several are separated by semicolons."""
    found = []
    for name, old, new in zip(columns, before, after, strict=True):
        one, two = old.split(), new.split()
        for kind, i, j, k, m in difflib.SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
            if kind != "equal":
                where = f"{name}: " if len(columns) > 1 else ""
                old_words, new_words = " ".join(one[i:j]), " ".join(two[k:m])
                if _bare(old_words) != _bare(new_words):
                    old_words, new_words = _bare(old_words), _bare(new_words)
                found.append(f"{where}{brief(old_words) or '(nothing)'} → {brief(new_words) or '(nothing)'} "
                             f"at word {i + 1}")
    more = f"; {len(found) - _CHANGES} more" if len(found) > _CHANGES else ""
    return "; ".join(found[:_CHANGES]) + more or "spaces"


def brief(text: str, most: int = 40) -> str:
    """A text cut to at most `most` characters; an ellipsis marks a cut."""
    return text if len(text) <= most else f"{text[:most - 1]}…"


def _bare(text: str) -> str:
    """The text without the punctuation at its ends."""
    inside = [place for place, mark in enumerate(text) if not unicodedata.category(mark).startswith("P")]
    return text[inside[0]:inside[-1] + 1] if inside else ""


def shared_words(one: Texts, two: Texts) -> list[str]:
    """The words that both have, lower case, in the order of the first."""
    others = set(plain(" ".join(two)))
    return [word for word in dict.fromkeys(plain(" ".join(one))) if word in others]


def certified(task: Task, texts: Texts) -> float | None:
    """The right answer to texts of the demo language (a label's index or a number), found by reading them. None for
    other tasks, for texts outside the language, and where people would disagree."""
    if not task.bundled or task.name not in BY_NAME:
        return None
    try:
        answer = certify(BY_NAME[task.name].skill, *texts)
    except DataError:
        return None
    return None if answer is None else float(answer)


def alike(task: Task, written: str) -> tuple[str, ...]:
    """Words that could replace a word: those of the same kind in the demo language; none for other tasks."""
    return same_kind(written) if task.bundled else ()
