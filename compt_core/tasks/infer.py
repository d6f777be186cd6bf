"""What a table of texts and labels is, guessed from its columns and cells; a person confirms or corrects it. No torch.

The guess is a :class:`Task` like any other. :attr:`Guess.roles` says what each column is taken for, and
:attr:`Guess.said` says why, a sentence each.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from compt_core.errors import DataError, plural, quoted
from compt_core.tasks.definition import MOST_LABELS, parse
from compt_core.tasks.headers import is_long, is_numbered, looks_like_a_row
from compt_core.tasks.labels import doubtful_labels, every_label, is_number, label_of, minus_is_label
from compt_core.tasks.readers import Table
from compt_core.tasks.spec import Task, as_label

Role = Literal["text", "label", "not used"]
LOOKED_AT = 2000  # rows of a table
_LABELS = ("label", "labels", "gold_label", "gold", "class", "category", "target", "answer", "sentiment", "stance",
           "intent", "topic", "emotion", "relation", "type", "y", "score", "similarity", "relatedness_score",
           "relatedness", "rating", "stars")  # names of label columns, the likeliest first
_LAST_WORDS = ("sentiment", "stance", "intent", "emotion", "topic")  # of the names of label columns
_WORDS = ("word", "term", "phrase", "entity", "aspect", "keyword", "mention", "question")  # columns of text, even if
# the same few texts stand there again and again
_NO_TEXT = re.compile(r".*_parse|(.*_)?(created|date|time|timestamp)(_at)?", re.IGNORECASE)  # trees and times
_IDENTITY = re.compile(r"(.*[_.-])?(id|idx|index|guid|uid|uuid|no|number|url|split|start\d*|end\d*)", re.IGNORECASE)
_FEW_LABELS = 30  # different values that a column without a telling name may have as a label
_SHORT = 40  # characters of a label
_FEWEST_STEPS = 4  # of a scale, where its values allow
_WHOLE_NUMBERS = 12  # different whole numbers from which on a column is a scale rather than classes


@dataclass(frozen=True)
class Guess:
    """A task and how it was found.

    roles   column -> what it is taken for
    counts  label as written in the data -> how many rows of the table have it; empty for numbers
    said    sentences on what was taken for what
    """

    task: Task
    roles: Mapping[str, Role]
    counts: Mapping[str, int]
    said: tuple[str, ...]


def infer(name: str, table: Table, folder: str = "", roles: Mapping[str, Role] | None = None,
          data: Mapping[str, Any] | None = None, also: Table | None = None) -> Guess:
    """The likeliest task called `name` of a table, with `data` as the `data` of its definition and files in `folder`.

    `roles`, where given, decides what each column is. `also` is the table of the dev rows, whose labels count as well.
    Raises DataError where no column can be the label or the text.
    """
    cells = {str(column): values[:LOOKED_AT] for column, values in table.columns.items()}
    label = _label_of(cells, table, roles)
    texts = [column for column in cells if column != label and (
        roles.get(column) == "text" if roles is not None else _is_text(column, cells[column]))]
    if not texts:
        raise DataError(f"No column of {table.where} can be the text of task '{name}'. It has: {_names(cells)}. Give a "
                        "definition that names the columns, or a file with texts.")
    written: dict[str, Any] = {"name": name, "texts": dict(zip(texts, _fields(texts), strict=True)), "label": label}
    minus = minus_is_label(table, label)
    counts = Counter(filter(None, (label_of(cell, table, label, minus) for cell in table.columns[label])))
    both = [table, *([also] if also and label in also.columns else [])]
    if all(map(is_numbered, cells)) and len(both) > 1 and both[1].numbers:
        _check_no_names(table, both[1], label)
    every = every_label(both, label)
    if not counts:
        raise DataError(f"The label column {quoted(label)} in {table.where} is empty.")
    numbers = _scale(label, every)
    if numbers:
        written |= {"numbers": numbers}
    else:
        if len(every) < 2:
            raise DataError(f"The label column {quoted(label)} in {table.where} must have at least two different "
                            f"labels. Got {quoted(next(iter(every), ''))} alone; choose another column.")
        if len(every) > MOST_LABELS:
            raise DataError(f"The label column {quoted(label)} in {table.where} has {len(every):,} different labels, "
                            f"more than {MOST_LABELS}. Choose another column.")
        if "-" in every and len(every) > 2:  # where annotators did not agree
            every.remove("-")
            written["leave_out"] = ["-"]
        beside = _words_beside(table, label, every)
        written |= {"labels": beside or dict(zip(every, words_for(every), strict=True)),
                    "metrics": ["accuracy", "macro_f1"] if len(every) > 2 else ["accuracy"]}
    if data:
        written["data"] = dict(data)
    found: dict[str, Role] = {column: "label" if column == label else "text" if column in texts else "not used"
                              for column in cells}
    task = parse(written, folder, f"What was found in {table.where}")
    said = (*_said(task, found, counts), *doubtful_labels(both, label, every))
    return Guess(task, found, {} if numbers else counts, said)


def _check_no_names(table: Table, also: Table, label: str) -> None:
    """Raises DataError where only one of two files begins with names of columns, which would be taken for a row."""
    first = [as_label(column[0]) for column in also.columns.values()]
    known = Counter(as_label(cell) for one in (table, also) for cell in one.columns[label])
    alike = looks_like_a_row(first, [column[1:] for column in also.columns.values()])
    if not alike and known[as_label(also.columns[label][0])] == 1:
        raise DataError(f"The file {also.where} begins with names of columns ({_names(first)}), and {table.where} has "
                        "none. Write them above the rows of both, or of none.")


def _label_of(cells: Mapping[str, Sequence[Any]], table: Table, roles: Mapping[str, Role] | None) -> str:
    if roles is not None:
        chosen = [column for column, role in roles.items() if role == "label" and column in cells]
        if len(chosen) != 1:
            raise DataError(f"Exactly one column of {table.where} must be the label. Got {len(chosen)} instead; choose "
                            "one.")
        return chosen[0]
    named = {column.lower(): column for column in cells}
    for name in _LABELS:
        if name in named and _can_be_label(cells[named[name]], table, named[name], MOST_LABELS):
            return named[name]
    named_classes = [column for column in table.names if column in cells]
    few = [column for column in cells if not _IDENTITY.fullmatch(column) and not _counts_up(cells[column])
           and _can_be_label(cells[column], table, column, _FEW_LABELS)][::-1]
    alone = next((named[name] for name in _LABELS if name in named), "")
    if not named_classes and not few and alone:
        raise DataError(f"No column of {table.where} can be the label: {quoted(alone)} "
                        f"{_why_not(cells[alone], table, alone)}")
    if not named_classes and not few:
        raise DataError(f"No column of {table.where} can be the label. It has: {_names(cells)}. Call the label column "
                        "'label', or give a definition that names it.")
    by_name = [column for column in few if any(name in column.lower() for name in ("label", "class", "answer", "gold"))
               or re.split(r"[\W_]+", column.lower())[-1] in _LAST_WORDS]
    # Of columns without a telling name: one in which values occur again, then the one with the fewest words, the last.
    few.sort(key=lambda column: _unlike_labels(list(map(as_label, cells[column]))))
    return [*named_classes, *by_name, *few][0]


def _why_not(cells: Sequence[Any], table: Table, column: str) -> str:
    """Why a column that is called like a label cannot be one, and what to do."""
    minus = minus_is_label(table, column, cells)
    different = dict.fromkeys(filter(None, (label_of(cell, table, column, minus) for cell in cells)))
    if len(different) < 2:
        return (f"has {plural(len(different), 'label')} in the rows looked at. Give rows with at least two labels, or "
                "a definition that names another column.")
    if long := next((one for one in different if len(one) > _SHORT), None):
        return (f"has {quoted(long, _SHORT)}, which is longer than the {_SHORT} characters that are taken for a label. "
                "Give a definition that names the labels, or another column.")
    return (f"has {len(different):,} different values in {plural(len(cells), 'row')}, too many for labels (at most "
            f"{MOST_LABELS}, each of them in several rows). Give a definition that names another column.")


def _can_be_label(cells: Sequence[Any], table: Table, column: str, most: int) -> bool:
    minus = minus_is_label(table, column, cells)
    values = [value for value in (label_of(cell, table, column, minus) for cell in cells) if value]
    different = set(values)
    if len(different) < 2 or any(len(value) > _SHORT for value in different):
        return False
    if all(is_number(value) for value in different):
        return len(different) <= most or any("." in value for value in different)
    few = len(values) < 2 * len(different) <= 12 and sum(_words(one) > 2 for one in different) <= len(different) / 2
    return len(different) <= most and (len(different) <= len(values) / 2 or few)


def _words(value: str) -> int:
    return len(re.findall(r"[^\W_]+", value))


def _unlike_labels(cells: Sequence[str]) -> tuple[bool, int]:
    return len(set(cells)) == len(cells), max(map(_words, cells))


def _counts_up(cells: Sequence[Any]) -> bool:
    """Whether a column numbers its rows."""
    texts = [as_label(cell) for cell in cells[:_FEW_LABELS]]
    numbers = [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 16]
    return len(texts) > 2 and numbers == list(range(numbers[0], numbers[0] + len(texts))) if numbers else False


def _is_text(column: str, cells: Sequence[Any]) -> bool:
    """Whether a column holds words to read: no numbers, no names of rows, not the same few words again and again."""
    texts = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
    if not texts or any(known.fullmatch(column) for known in (_IDENTITY, _NO_TEXT)) \
            or sum(map(is_number, texts)) > len(texts) / 2:
        return False
    if column.lower() in _WORDS:
        return True
    if any(word in column.lower() for word in ("label", "class", "categor")):  # would give the answer away
        return False
    sentences = sum(len(text.split()) > 1 for text in texts) > len(texts) / 10
    return sentences or len(set(texts)) > max(_FEW_LABELS, len(texts) / 5) or \
        (len(texts) < _FEW_LABELS and len(set(texts)) > len(texts) / 2)


def _scale(label: str, labels: Sequence[str]) -> dict[str, float] | None:
    """The range and step of labels that are numbers of a scale; None for classes."""
    if not labels or not all(map(is_number, labels)):
        return None
    values = sorted(map(float, labels))
    fractions = any(not value.is_integer() for value in values)
    scale = any(word in label.lower() for word in ("score", "similar", "related", "rating"))
    if not fractions and not scale and len(values) <= _WHOLE_NUMBERS:
        return None
    low, high = float(int(values[0] // 1)), float(-int(-values[-1] // 1))
    fitting = [step for step in (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0) if (fractions or step >= 1)
               and 1 <= (high - low) / step <= 50
               and all(abs((value - low) / step - round((value - low) / step)) < 1e-6 for value in values)]
    if fitting:  # the largest that leaves a few candidates
        step = max((step for step in fitting if (high - low) / step >= _FEWEST_STEPS), default=fitting[0])
        return {"from": low, "to": high, "step": step}
    step = next(step for step in (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, (high - low) / 50) if (high - low) / step <= 50)
    return {"from": low, "to": high, "step": step}


def words_for(labels: Sequence[str]) -> list[str]:
    """A word for each label: the label itself without marks that no sentence has, unless two would be the same."""
    words = [" ".join(label.replace("_", " ").split()) for label in labels]
    return words if len(set(words)) == len(words) and all(words) else list(labels)


def _fields(texts: Sequence[str]) -> list[str]:
    """The word before each text: the column's own name in plain letters, or "sentence" where that says nothing."""
    if all(map(is_numbered, texts)):
        return ["sentence"] if len(texts) == 1 else [f"sentence{number}" for number in range(1, len(texts) + 1)]
    if len(texts) == 1:
        return ["sentence"] if texts[0].lower() in ("text", "sentence", "content") else [_plain(texts[0])]
    return [_plain(column) for column in texts]


def _words_beside(table: Table, label: str, labels: Sequence[str]) -> dict[str, str]:
    """Label -> its name in a column beside it such as label_text; empty where that names some label not, or not alone.
    """
    column = next((f"{label}_{end}" for end in ("text", "name") if f"{label}_{end}" in table.columns), "")
    if not column or not table.columns[column] or not all(map(is_number, labels)):
        return {}
    minus = minus_is_label(table, label)
    pairs = {(label_of(cell, table, label, minus), str(name or "").strip())
             for cell, name in zip(table.columns[label], table.columns[column], strict=True)}
    found = {one: name for one, name in pairs if one in labels}
    names = set(found.values())
    once = len(found) == len(labels) == len(names) and sum(one in labels for one, _ in pairs) == len(labels)
    return {one: found[one] for one in labels} if once and all(0 < len(name) <= _SHORT for name in names) else {}


def _plain(column: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", column).split()) or "text"


def _said(task: Task, roles: Mapping[str, Role], counts: Mapping[str, int]) -> tuple[str, ...]:
    unused = [column for column, role in roles.items() if role == "not used"]
    labels = f"numbers from {task.labels[0]} to {task.labels[-1]} in steps of {task.step:g}" if task.numeric else \
        f"{plural(len(task.labels), 'label')} ({', '.join(quoted(one, 40)[1:-1] for one in task.written_labels[:8])}" \
        f"{', …' if len(task.labels) > 8 else ''})"
    return (f"Task '{task.name}': the text is {' and '.join(map(quoted, task.columns))}; the label is "
            f"{quoted(task.label_column)} with {labels}.",
            *([f"Not used: {_names(unused)}."] if unused else []),
            *_doubtful_names(task, counts),
            *(["The labels are numbers. Give each a word that says what it means."]
              if not task.numeric and all(map(is_number, task.labels)) else []))


def _doubtful_names(task: Task, counts: Mapping[str, int]) -> list[str]:
    """A sentence on the names of columns, where one looks like a cell."""
    if task.label_column in counts or is_number(task.label_column):
        said = f"{quoted(task.label_column, 40)} looks like a label"
    elif long := [column for column in task.columns if is_long(column)]:
        said = f"{quoted(long[0], 40)} looks like a text"
    else:
        return []
    return [f"The first row is read as the names of the columns, but {said}. Add a line with names above it if the "
            "file has none."]


def _names(columns: Mapping[str, Any] | Sequence[str]) -> str:
    shown = [quoted(column, 40) for column in columns]
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")
