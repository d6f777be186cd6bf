"""Tables from files: tsv, csv, jsonl, parquet, xlsx. Cells are taken as written: "NA" and "null" are words. No torch.

A library reads what is not text (pyarrow, openpyxl). Text is taken apart by Python's own csv and json modules, since no
library says in which line of a file a row stands.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from compt_core.errors import DataError, quoted
from compt_core.tasks.columnar import arrow_columns, label_names
from compt_core.tasks.decoding import read_text
from compt_core.tasks.headers import lacks_names, looks_like_a_row, numbered
from compt_core.tasks.parts import parts_of
from compt_core.tasks.sheets import first_sheet
from compt_core.tasks.tables import Table as Table
from compt_core.tasks.tables import check_size, empty, joined, unreadable

FORMATS = ("tsv", "csv", "jsonl", "parquet", "xlsx")
MOST_BYTES = 1_000_000_000  # of a file
MOST_COLUMNS = 1000  # a table whose rows have different names would grow with the square of its file
MOST_CELLS = 20_000_000  # of a table
MOST_TEXT = 10_000_000  # characters of a cell; only some hundred tokens of them are used
MOST_LINE = 4 * MOST_TEXT  # characters of a line of JSON, where one character may be written with six
SEPARATORS = ",;\t|"  # of a csv file, the usual one first
_LOOKED_AT = 20  # lines of a csv file, for its separator
MOST_SAID = 3  # problems of a file that are described; further ones are counted

Needed = Collection[str] | None  # columns

csv.field_size_limit(MOST_TEXT)  # of the whole process; nothing else in it needs a smaller one


def read_file(path: Path, needed: Needed = None) -> Table:
    """The rows of a file, read by its ending. Raises DataError when it is unreadable, ragged, too large or has no row.

    `needed` are the columns that a definition names; without them, a first row that looks like the others is a row.
    Columns that are not needed may be empty.
    """
    try:
        check_size(path, path.stat().st_size, MOST_BYTES, "bytes")
        ending = path.suffix.lower()
        table = _READERS[ending](path, needed)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    if not any(map(len, table.columns.values())):
        raise DataError(f"The file '{path}' has no rows. Give at least one row below the header.")
    return table


def read_parts(folder: Path, name: str, needed: Needed = None) -> Table:
    """As :func:`read_file`, of a file or of all parts of a table whose first one is called `name`."""
    tables, cells = list[Table](), 0
    for part in parts_of(name):
        if not (folder / part).is_file() and tables:
            raise DataError(f"The file '{folder / part}' is not there, but '{name}' is one of {len(parts_of(name))} "
                            "parts. Put all of them there, or give that one another name.")
        tables.append(read_file(folder / part, tables[0].columns if tables and needed is None else needed))
        cells += sum(map(len, tables[-1].columns.values()))
        check_size(folder / name, cells, MOST_CELLS, "cells in all its parts")
    return joined(tables)


def _read_tsv(path: Path, needed: Needed) -> Table:
    """One row per line, with tabs between cells; quotes are text, as in GLUE's files."""
    text, notes = read_text(path)
    return _rectangle(path, ((number, line.split("\t")) for number, line in _lines(text) if line), needed, notes)


def _read_csv(path: Path, needed: Needed) -> Table:
    text, notes = read_text(path)
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    if separator != ",":
        notes += (f"The cells of '{path}' are separated by {quoted(separator)}.",)
    begins, several, longest = 1, [], 0  # line of the row that is being read; rows over several lines; the most lines

    def rows() -> Iterator[tuple[int, list[str]]]:
        nonlocal begins, longest
        for row in reader:
            if row:
                yield begins, row
            if reader.line_num > begins:
                several.append(begins)
                longest = max(longest, reader.line_num - begins + 1)
            begins = reader.line_num + 1

    try:
        table = _rectangle(path, rows(), needed, notes)
    except csv.Error as error:
        raise DataError(f"The file '{path}', line {begins}, is not valid CSV: "
                        f"{_csv_reason(str(error), begins, reader.line_num)}") from None
    if not several:
        return table
    counted = f"1 row of '{path}' has" if len(several) == 1 else f"{len(several):,} rows of '{path}' have"
    return replace(table, notes=(*table.notes, f"{counted} line ends in quoted cells: the first begins in line "
                                 f"{several[0]}, and the longest has {longest:,} lines."))


def _separator(text: str) -> str:
    """What separates the cells of a csv file: what stands equally often in each of its first lines; where nothing does,
    a comma, unless the first line has none and more of another."""
    lines = [line for _, line in _lines(text[:MOST_LINE]) if line][:_LOOKED_AT] or [""]
    found = [[sum(part.count(mark) for part in line.split('"')[::2]) for line in lines] for mark in SEPARATORS]
    alike = [mark for mark, counts in zip(SEPARATORS, found, strict=True) if counts[0] and len(set(counts)) == 1]
    first = {mark: counts[0] for mark, counts in zip(SEPARATORS, found, strict=True)}
    return alike[0] if alike else "," if first[","] else max(SEPARATORS, key=lambda mark: first[mark])


def _csv_reason(said: str, begins: int, now: int) -> str:
    """The csv module's message about a row from line `begins` to `now`, in words that name the cause."""
    if "unexpected end" in said:
        return 'a cell is opened with a quote (") that never closes. Close it, or write "" for a quote in such a cell.'
    if "field limit" in said:
        return f'a cell has more than {MOST_TEXT:,} characters. Cut it, or close the quote (") that opens it.'
    return f"{said}{f' in line {now}' if now != begins else ''}."


def _read_jsonl(path: Path, needed: Needed) -> Table:
    """One object per line; columns that an object lacks are None."""
    rows, numbers, problems = [], [], list[str]()
    text, notes = read_text(path)
    for number, line in _lines(text):
        if not line or line.isspace():
            continue
        try:
            rows.append(_object(f"The file '{path}', line {number},", line))
            numbers.append(number)
        except DataError as error:
            problems.append(str(error))
        check_size(path, len(rows), MOST_CELLS, "lines")
    _check_lines(path, problems)
    names = dict.fromkeys(name for row in rows for name in row)
    check_size(path, len(names), MOST_COLUMNS, "columns")
    if len(rows) * len(names) > MOST_CELLS:  # lines that lack most columns take little space in the file
        raise DataError(f"The file '{path}' has {len(rows):,} lines with {len(names)} different names, which makes "
                        f"more than {MOST_CELLS:,} cells. Leave out the names that the task does not need.")
    return Table({name: [row.get(name) for row in rows] for name in names}, f"'{path}'", numbers, notes=notes)


def _object(where: str, line: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise DataError(f"{where} has the name {quoted(twice)} more than once. Keep one of them.")
        return found

    if len(line) > MOST_LINE:
        raise DataError(f"{where} has {len(line):,} characters, more than {MOST_LINE:,}. Cut its texts.")
    try:
        row = json.loads(line, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        said = error.msg.removesuffix(" at")
        raise DataError(f"{where} is not valid JSON: {said} at character {error.pos + 1}.") from None
    except (ValueError, RecursionError):  # an integer of thousands of digits, or thousands of brackets
        raise DataError(f"{where} has a JSON value that is too long or too deep. Leave that value out.") from None
    if not isinstance(row, dict):
        raise DataError(f"{where} must hold an object. Got {quoted(row)} instead.")
    return row


def _read_parquet(path: Path, needed: Needed) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    if path.stat().st_size == 0:
        raise empty(path)
    try:
        about = parquet.read_metadata(path)
        schema = about.schema.to_arrow_schema()
        names = schema.names
        _check_header(path, names)
        wanted = [name for name in names if needed is None or name in needed]
        check_size(path, about.num_rows * len(wanted), MOST_CELLS, "cells")
        texts = [name for name in wanted if schema.field(name).type in (pa.string(), pa.large_string(), pa.binary())]
        # As dictionaries, since a few bytes may stand for a million rows.
        with parquet.ParquetFile(path, read_dictionary=texts) as file:
            read = file.read(columns=wanted)
    except DataError:
        raise
    except Exception as error:  # a broken file makes arrow raise anything
        raise unreadable(path, error) from None
    columns = arrow_columns(read, f"'{path}'")
    return Table({name: columns.get(name, ()) for name in names}, f"'{path}'", names=label_names(read.schema))


def _read_xlsx(path: Path, needed: Needed) -> Table:
    """The first sheet."""
    rows, more = first_sheet(path, MOST_CELLS)
    others = f"Only the first sheet of '{path}' is read. It has others: {quoted(more, 100)[1:-1]}."
    return _rectangle(path, rows, needed, (others,) if more else (), "row")


_READERS: dict[str, Callable[[Path, Needed], Table]] = {
    ".tsv": _read_tsv, ".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet, ".xlsx": _read_xlsx}


def _lines(text: str) -> Iterable[tuple[int, str]]:
    r"""Lines with their numbers. \n and \r\n end a line, \r only in a file without \n; anything else may be text."""
    return enumerate((line.rstrip("\r") for line in text.split("\n" if "\n" in text else "\r")), start=1)


def _check_header(path: Path, names: Sequence[str]) -> None:
    check_size(path, len(names), MOST_COLUMNS, "columns")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"The file '{path}' has several columns called {quoted(twice)}. Rename or remove one.")


def _check_lines(path: Path, problems: Sequence[str]) -> None:
    """Raises DataError with the first `problems` of lines and the number of further ones."""
    more = len(problems) - MOST_SAID
    if problems:
        also = [f"{more:,} more {'line of it is' if more == 1 else 'lines of it are'} wrong."] if more > 0 else []
        raise DataError(" ".join([*problems[:MOST_SAID], *also]))


def _rectangle(path: Path, lines: Iterable[tuple[int, list[str]]], needed: Needed, notes: tuple[str, ...],
               called: str = "line") -> Table:
    """A Table from (number of the line or row, cells); every one must have as many cells as the first. That one
    has the names of the columns, or is a row itself where :mod:`compt_core.tasks.headers` finds no names."""
    stream = iter(lines)
    begins, first = next(stream)
    check_size(path, len(first), MOST_COLUMNS, "columns")
    rows, numbers, problems = [], [], []
    for number, cells in stream:
        if len(cells) != len(first):
            problems.append(f"The file '{path}', {called} {number}, must have {len(first)} cells, as its first "
                            f"{called} has. Got {len(cells)} instead.")
            continue
        rows.append(cells)
        numbers.append(number)
        check_size(path, len(rows) * len(first), MOST_CELLS, "cells")
    _check_lines(path, problems)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(first)
    names = _named(first)
    if looks_like_a_row(first, columns) if needed is None else lacks_names(names, needed):
        names, numbers = numbered(len(first)), [begins, *numbers]
        columns = [(cell, *column) for cell, column in zip(first, columns, strict=True)]
        notes += (f"The file '{path}' has no names of columns in its first {called}, so that is read as a row, and the "
                  "columns are called 'column 1', 'column 2', ….",)
    _check_header(path, names)
    return Table(dict(zip(names, columns, strict=True)), f"'{path}'", numbers, notes=notes)


def _named(names: list[str]) -> list[str]:
    """The names in a header, where a spreadsheet writes nothing but commas for columns that have none."""
    return [name or other for name, other in zip(names, numbered(len(names)), strict=True)] if names.count("") > 1 \
        else names
