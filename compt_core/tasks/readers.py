"""Tables from files: tsv, csv, jsonl, parquet. A cell is what stands there: "NA" and "null" are words. No torch."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compt_core.errors import DataError, quoted

FORMATS = ("tsv", "csv", "jsonl", "parquet")
MOST_COLUMNS = 1000  # a table of rows with names of their own would grow with the square of its file
MOST_CELLS = 20_000_000  # of a JSONL table


@dataclass(frozen=True)
class Table:
    """Columns by name, and how to name a row in a message: ``'train.tsv', line 7``.

    where    file or data set
    numbers  line of each row, where it has lines; else rows are counted from 1
    """

    columns: Mapping[str, Sequence[Any]]
    where: str
    numbers: Sequence[int] | None = None

    def at(self, row: int) -> str:
        """Where row `row` (from 0) stands."""
        return f"{self.where}, row {row + 1}" if self.numbers is None else f"{self.where}, line {self.numbers[row]}"


def read_file(path: Path) -> Table:
    """The rows of a file by its ending. Raises DataError when it is unreadable, ragged or has no row."""
    try:
        table = _READERS[path.suffix](path)
    except UnicodeDecodeError as error:
        raise DataError(f"The file '{path}' is not text in UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    except (OSError, ValueError, RecursionError) as error:  # pyarrow's errors are ValueErrors
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200].rstrip(".")
        raise DataError(f"The file '{path}' cannot be read as {path.suffix[1:]}: "
                        f"{reason or type(error).__name__}.") from None
    if not any(map(len, table.columns.values())):
        raise DataError(f"The file '{path}' has no rows. Give at least one row below the header.")
    return table


def _read_tsv(path: Path) -> Table:
    """One row per line, cells between tabs; quotes are text, as in GLUE's files."""
    lines = (line.rstrip("\r") for line in _text(path).split("\n"))
    return _rectangle(path, ((number, line.split("\t")) for number, line in enumerate(lines, start=1) if line))


def _read_csv(path: Path) -> Table:
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        return _rectangle(path, ((reader.line_num, row) for row in reader if row))
    except csv.Error as error:
        raise DataError(f"The file '{path}', line {reader.line_num}, is not valid CSV: {error}.") from None


def _read_jsonl(path: Path) -> Table:
    """One object per line; a column that an object lacks is None there."""
    rows, numbers = [], []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"The file '{path}', line {number}, is not valid JSON: {error}.") from None
        if not isinstance(row, dict):
            raise DataError(f"The file '{path}', line {number}, must hold an object. Got {quoted(row)} instead.")
        rows.append(row)
        numbers.append(number)
    names = dict.fromkeys(name for row in rows for name in row)
    _check_columns(path, len(names))
    if len(rows) * len(names) > MOST_CELLS:  # lines that lack most columns take little in the file
        raise DataError(f"The file '{path}' has {len(rows):,} lines with {len(names)} different names, more than "
                        f"{MOST_CELLS:,} cells as a table. Leave out the names that the task does not need.")
    return Table({name: [row.get(name) for row in rows] for name in names}, f"'{path}'", numbers)


def _read_parquet(path: Path) -> Table:
    from pyarrow import parquet

    if path.stat().st_size == 0:
        raise _empty(path)
    return Table(parquet.read_table(path).to_pydict(), f"'{path}'")


_READERS: dict[str, Callable[[Path], Table]] = {
    ".tsv": _read_tsv, ".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet,
}


def _text(path: Path) -> str:
    """The file's text, without a byte order mark and with its line ends as they are."""
    text = path.read_bytes().decode("utf-8-sig")
    if not text.strip():
        raise _empty(path)
    return text


def _check_columns(path: Path, count: int) -> None:
    if count > MOST_COLUMNS:
        raise DataError(f"The file '{path}' has {count:,} columns, more than {MOST_COLUMNS:,}. Keep those of the task.")


def _empty(path: Path) -> DataError:
    return DataError(f"The file '{path}' is empty. Give a header row and at least one row below it.")


def _rectangle(path: Path, lines: Iterable[tuple[int, list[str]]]) -> Table:
    """(line number, cells) with the header first as a Table; every row must have as many cells as the header."""
    stream = iter(lines)
    _, names = next(stream)
    _check_columns(path, len(names))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"The file '{path}' has several columns called {quoted(twice)}. Rename or remove one.")
    rows, numbers = [], []
    for number, cells in stream:
        if len(cells) != len(names):
            raise DataError(f"The file '{path}', line {number}, must have {len(names)} cells, as its header has. "
                            f"Got {len(cells)} instead.")
        rows.append(cells)
        numbers.append(number)
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return Table(dict(zip(names, columns, strict=True)), f"'{path}'", numbers)
