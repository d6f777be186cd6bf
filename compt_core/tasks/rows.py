"""Tables as rows of a task: texts and labels checked, all problems reported together, oddities noted. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from compt_core.errors import DataError, quoted
from compt_core.tasks.headers import looks_like_a_row
from compt_core.tasks.readers import MOST_BYTES, MOST_SAID, MOST_TEXT, Table
from compt_core.tasks.spec import Row, Task, as_label

MOST_NAMED = 50  # labels of those that are left out
MOST_COLUMNS = 8  # that a message names


@dataclass(frozen=True)
class Rows:
    """The labelled rows of a table, the number of rows without a label (−1), and notes on oddities."""

    kept: tuple[Row, ...]
    skipped: int
    notes: tuple[str, ...]


def read_rows(task: Task, tables: Mapping[str, Table], problems: Sequence[str] = ()) -> dict[str, Rows]:
    """The rows of each split's table. Raises DataError with `problems` and the problems found in every table."""
    problems = list(problems)
    found = {split: _read(task, split, table, problems) for split, table in tables.items()}
    if problems:
        raise DataError(" ".join(problems))
    return found


def labelled(task: Task, table: Table, problems: list[str]) -> tuple[Row, ...]:
    """The labelled rows of a table, of which there may be none; what is wrong in it goes to `problems`."""
    rows, _, faults = _scan(task, table)
    problems += faults
    return tuple(rows.values())


def _read(task: Task, split: str, table: Table, problems: list[str]) -> Rows:
    missing = [name for name in (*task.columns, task.label_column) if name not in table.columns]
    if missing:
        problems.append(_lacks(task, table, missing))
        return Rows((), 0, ())
    characters = sum(len(cell) for name in task.columns for cell in table.columns[name] if isinstance(cell, str))
    if characters > MOST_BYTES:  # a Parquet file may store a few and repeat them a million times
        problems.append(f"The {split} texts of task '{task.name}' in {table.where} have {characters:,} characters, "
                        f"more than {MOST_BYTES:,} in all. Give fewer rows.")
        return Rows((), 0, ())
    rows, skipped, faults = _scan(task, table)
    if not rows and not faults:
        faults = [f"The {split} data of task '{task.name}' in {table.where} has no labelled row. "
                  "Give at least one row with a label."]
    problems += faults
    return Rows(tuple(rows.values()), skipped, (*table.notes, *_notes(task, split, table, rows)))


def _lacks(task: Task, table: Table, missing: Sequence[str]) -> str:
    """That a table has not the columns of a task, in a sentence that stays short where their names are texts."""
    names = " and no column ".join(quoted(name, 40) for name in missing[:MOST_COLUMNS])
    more = f" and {len(missing) - MOST_COLUMNS} more" if len(missing) > MOST_COLUMNS else ""
    has = ", ".join(quoted(name, 40) for name in list(table.columns)[:MOST_COLUMNS])
    said = f"The data of task '{task.name}' in {table.where} has no column {names}{more}. It has: {has}" \
           f"{', …' if len(table.columns) > MOST_COLUMNS else ''}."
    if table.numbers is not None and looks_like_a_row(list(map(str, table.columns)), list(table.columns.values())):
        said += " That looks like a row: write the names of the columns above it."
    return said


def _scan(task: Task, table: Table) -> tuple[dict[int, Row], int, list[str]]:
    """(labelled rows by their number in the table, rows without a label, what is wrong with the other rows)."""
    rows, skipped = dict[int, Row](), 0
    faults, more = dict[tuple[str, str], str](), 0  # (column, what is wrong) -> its sentence; further such rows
    known: dict[str, tuple[int, float] | DataError | None] = {}  # a task has only a few different labels
    cells = zip(_labels(task, table), *(table.columns[name] for name in task.columns), strict=True)
    for number, (label, *texts) in enumerate(cells):
        if (key := str(label)) not in known:
            known[key] = _label(task, label, table.at(number))
        parsed, fault = known[key], next(filter(None, map(_fault, task.columns, texts)), None)
        if fault is not None:
            said = f"The column {quoted(fault[0])} of task '{task.name}' in {table.at(number)} {fault[1]}"
        elif isinstance(parsed, DataError):
            fault, named = (task.label_column, key), bool(table.names.get(task.label_column))
            said = f"{parsed}{' The data set itself uses this name (ClassLabel), so rename it there.' * named}" \
                if task.label_column not in map(itemgetter(0), faults) else \
                f"{quoted(label)} in {table.line(number)} is not a label of it either."
        else:
            skipped += parsed is None
            if parsed is not None:
                rows[number] = Row(tuple(text or "" for text in texts), *parsed)
            continue
        if fault not in faults and len(faults) == MOST_SAID:
            return rows, skipped, [*faults.values(), f"More rows of {table.where} are wrong as well."]
        more += fault in faults
        faults.setdefault(fault, said)
    also = [f"{more:,} more {'row is' if more == 1 else 'rows are'} wrong in the same way."] if more else []
    return rows, skipped, [*faults.values(), *also]


def _labels(task: Task, table: Table) -> Sequence[Any]:
    """Label cells. Indices that the data has names for become those names, whatever their order."""
    cells, names = table.columns[task.label_column], table.names.get(task.label_column, ())
    words = dict(zip(task.hub_names, task.labels, strict=False))
    if set(names) <= set(words):
        names = [words[name] for name in names]
    return [_named(cell, names) for cell in cells] if names else cells


def _named(cell: object, names: Sequence[str]) -> object:
    index = int(cell) if isinstance(cell, (int, float)) and not isinstance(cell, bool) and cell == cell // 1 else None
    if index is None or index == -1:
        return cell
    return names[index] if 0 <= index < len(names) else f"{index}, which has no name"


def _label(task: Task, label: object, where: str) -> tuple[int, float] | DataError | None:
    try:
        return task.parse_label(label, where)
    except DataError as error:
        return error


def _fault(name: str, text: object) -> tuple[str, str] | None:
    """(column, what is wrong with the cell, from the verb on) for a cell that is not text; None for text.

    An empty cell counts as a text, and a missing one does as well: tsv and csv cannot tell them apart, and public data
    have some.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        return name, f"must be text. Got {quoted(text)} instead."
    if len(text) > MOST_TEXT:
        return name, f"must have at most {MOST_TEXT:,} characters. Got {len(text):,}; cut it."
    if (mark := _no_character(text)) is not None:
        return name, f"must be text. Got {mark!r} in it, which is not a character; take it out."
    return None


def _no_character(text: str) -> str | None:
    """A NUL or half of a character (lone surrogate) in `text`, which no tokenizer takes."""
    if "\0" in text:
        return "\0"
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError as error:
        return text[error.start]
    return None


def _left_out(task: Task, split: str, table: Table) -> Iterator[str]:
    """A sentence with the rows of each label that the definition leaves out, where there are any."""
    found = Counter(as_label(cell).strip() for cell in _labels(task, table)) if task.left_out else Counter[str]()
    if counts := [f"{quoted(label, 40)} ({found[label]:,})" for label in task.left_out[:MOST_NAMED] if found[label]]:
        yield (f"The {split} rows of task '{task.name}' with these labels are left out, as its definition says: "
               f"{', '.join(counts)}.")


def _notes(task: Task, split: str, table: Table, rows: Mapping[int, Row]) -> Iterator[str]:
    yield from _left_out(task, split, table)
    for place, name in enumerate(task.columns):
        empty = [number for number, row in rows.items() if not row.texts[place].strip()]
        if empty:
            yield (f"{len(empty):,} of {len(rows):,} {split} rows of task '{task.name}' "
                   f"{'has' if len(empty) == 1 else 'have'} no text in the column {quoted(name)}, the first in "
                   f"{table.at(empty[0])}.")
    first: dict[tuple[str, ...], int] = {}
    torn: dict[tuple[str, ...], int] = {}  # texts -> the first row with another label than their first
    for number, row in rows.items():
        if rows[first.setdefault(row.texts, number)].value != row.value and any(map(str.strip, row.texts)):
            torn.setdefault(row.texts, number)
    if torn:
        texts, number = next(iter(torn.items()))
        stand = "text occurs" if len(torn) == 1 else "texts occur"
        yield (f"{len(torn):,} {stand} in the {split} data of task '{task.name}' with different labels, the first in "
               f"{table.at(first[texts])} and {table.line(number)}.")
