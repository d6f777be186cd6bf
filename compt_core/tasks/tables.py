"""A table of rows whose place in its source can be named, and what is wrong with files. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from compt_core.errors import DataError, plural, quoted


@dataclass(frozen=True)
class Table:
    """Columns by name, and how to name a row in a message: ``'train.tsv', line 7``.

    where    file or data set
    numbers  line in which each row begins, if the file has lines; otherwise rows are counted from 1
    names    column -> the data's own names for the numbers 0, 1, … in it
    notes    what is odd in the file but not wrong
    parts    of a table in several files, each of them without its cells, and its number of rows
    """

    columns: Mapping[str, Sequence[Any]]
    where: str
    numbers: Sequence[int] | None = None
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    parts: tuple[tuple[Table, int], ...] = ()

    def at(self, row: int) -> str:
        """Where row `row` (from 0) is."""
        for part, count in self.parts:
            if row < count:
                return part.at(row)
            row -= count
        return f"{self.where}, {self.line(row)}"

    def line(self, row: int) -> str:
        """The same within the table."""
        if self.parts:
            return self.at(row)
        return f"row {row + 1}" if self.numbers is None else f"line {self.numbers[row]}"


def joined(tables: Sequence[Table]) -> Table:
    """One table of the rows of several, which must have the same columns. Raises DataError."""
    first, *others = tables
    if not others:
        return first
    for one in others:
        if list(one.columns) != list(first.columns) or one.names != first.names:
            raise DataError(f"The file {one.where} must have the columns and the label names of {first.where}, since "
                            f"it is a part of the same table. It has: {quoted(list(one.columns), 200)[1:-1]}.")
    counted = tuple((replace(one, columns={}), max(map(len, one.columns.values()))) for one in tables)
    return Table({name: [cell for one in tables for cell in one.columns[name]] for name in first.columns},
                 f"{first.where} and {plural(len(others), 'more part')}", names=first.names,
                 notes=tuple(note for one in tables for note in one.notes), parts=counted)


def check_size(path: Path, count: int, most: int, what: str) -> None:
    """Raises DataError where a file has more of something than anything here can take."""
    if count > most:
        raise DataError(f"The file '{path}' has {count:,} {what}, more than {most:,}. Keep the rows and columns that "
                        "the task needs.")


def empty(path: Path) -> DataError:
    """The error for a file without anything in it."""
    return DataError(f"The file '{path}' is empty. Give a header row and at least one row below it.")


def unreadable(path: Path, error: Exception) -> DataError:
    """The error for a file that is not what its ending says."""
    return DataError(f"The file '{path}' cannot be read as {path.suffix[1:]}: {reason(error)}.")


def reason(error: Exception) -> str:
    """A library's message about a broken file, as a part of one line."""
    said = " ".join(str(getattr(error, "strerror", None) or error).split())[:200].rstrip(".")
    said = "".join(mark if mark.isprintable() else "?" for mark in said)
    return f"{type(error).__name__} {said}".rstrip() if isinstance(error, LookupError) or not said else said
