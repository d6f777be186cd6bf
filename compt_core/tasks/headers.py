"""Whether the first row of a file holds the names of its columns, or is a row like the others. Pure; loads no torch.

The columns of a file without names are called 'column 1', 'column 2', …. A definition that uses these names reads such
a file the same way again, whatever its first row looks like.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

LOOKED_AT = 2000  # rows
MOST_DIFFERENT = 200  # values of a column of labels
_NUMBERED = re.compile(r"column [1-9][0-9]{0,3}")
_NUMBER = re.compile(r"-?[0-9]{1,15}([.][0-9]{1,15})?")
_SHORT = 40  # characters of a label
_WORDS_OF_A_TEXT = 5  # from which on a cell is no name
_MOSTLY = 0.9
_CALLED = re.compile(  # as columns of public data are
    "texts?|sent(ence)?|premise|hypothesis|question|passage|context|title|body|content|description|review|comment|tweet|"
    "utterance|query|document|doc|word|phrase|headline|abstract|labels?|gold|class|category|target|answer|sentiment|"
    "stance|intent|topic|emotion|relation|type|score|similarity|relatedness|rating|stars|id|idx|index|guid|split|source|"
    "url|date")


def numbered(count: int) -> list[str]:
    """The names of columns that have none."""
    return [f"column {number}" for number in range(1, count + 1)]


def is_numbered(name: str) -> bool:
    """Whether a column's name is one of :func:`numbered`."""
    return bool(_NUMBERED.fullmatch(name))


def lacks_names(first: Sequence[str], needed: Collection[str]) -> bool:
    """Whether columns that a definition names by their numbers are not among the names in the first row."""
    return all(map(is_numbered, needed)) and not set(needed) <= set(first)


def looks_like_a_row(first: Sequence[str], columns: Sequence[Sequence[object]]) -> bool:
    """Whether the first row of a file is like the cells below it, by column, rather than the names of the columns.

    It is, where some cell is a label or a number as they stand below it, or all are long texts, and no cell is what a
    column is usually called or of another kind than what is below it.
    """
    below = [row for row in zip(*(column[:LOOKED_AT] for column in columns), strict=True) if row != tuple(first)]
    found = [_evidence(name.strip(), [str(row[place]).strip() for row in below]) for place, name in enumerate(first)]
    return bool(found) and min(found) >= 0 and (max(found) == _ROW or min(found) > 0)


_NAME, _UNKNOWN, _TEXT, _ROW = -1, 0, 1, 2  # what a cell of the first row speaks for


def _evidence(cell: str, below: Sequence[str]) -> int:
    below = [one for one in below if one]
    if not cell or not below:
        return _UNKNOWN
    different = set(below)
    if cell in different and len(cell) <= _SHORT and len(different) <= MOST_DIFFERENT:
        return _ROW
    numbers = sum(bool(_NUMBER.fullmatch(one)) for one in below) / len(below)
    number = bool(_NUMBER.fullmatch(cell))
    if _is_name(cell) or (number and numbers < 1 - _MOSTLY) or (not number and numbers > _MOSTLY):
        return _NAME
    if number and numbers > _MOSTLY:
        return _ROW
    long = sum(len(one.split()) >= _WORDS_OF_A_TEXT for one in below) > len(below) / 2
    return _TEXT if long and is_long(cell) else _UNKNOWN


def is_long(cell: str) -> bool:
    """Whether a cell has more words than the name of a column."""
    return len(cell.split()) >= _WORDS_OF_A_TEXT


def _is_name(cell: str) -> bool:
    """Whether columns are called so: a known word, or one at an end of an identifier such as sentence_A."""
    parts = [part for part in re.split(r"[_.-]", cell.lower().rstrip("0123456789")) if part]
    return cell.split() == [cell] and any(_CALLED.fullmatch(part) for part in parts[:1] + parts[-1:])
