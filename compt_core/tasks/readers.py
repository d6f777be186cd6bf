"""Tables from files: tsv, csv, jsonl, parquet, xlsx. Cells are taken as written: "NA" and "null" are words. No torch.

A library reads what is not text (pyarrow, openpyxl). Text is taken apart by Python's own csv and json modules, since no
library says in which line of a file a row stands.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compt_core.errors import DataError, quoted
from compt_core.tasks.spec import as_label

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("tsv", "csv", "jsonl", "parquet", "xlsx")
MOST_BYTES = 1_000_000_000  # of a file
MOST_COLUMNS = 1000  # a table whose rows have different names would grow with the square of its file
MOST_CELLS = 20_000_000  # of a table
MOST_TEXT = 10_000_000  # characters of a cell; only some hundred tokens of them are used
MOST_LINE = 4 * MOST_TEXT  # characters of a line of JSON, where one character may be written with six
MOST_UNPACKED = 500_000_000  # bytes that an xlsx file, which is a zip archive, may unpack to
SEPARATORS = ",;\t|"  # of a csv file, the usual one first
MOST_SAID = 3  # problems of a file that are described; further ones are counted
_SAMPLE = 200_000  # bytes by which an encoding is recognised
_NAMED = "ClassLabel"  # the type of a column of label indices with names, as `datasets` writes it

csv.field_size_limit(MOST_TEXT)  # of the whole process; nothing else in it needs a smaller one


@dataclass(frozen=True)
class Table:
    """Columns by name, and how to name a row in a message: ``'train.tsv', line 7``.

    where    file or data set
    numbers  line in which each row begins, if the file has lines; otherwise rows are counted from 1
    names    column -> the data's own names for the numbers 0, 1, … in it
    notes    what is odd in the file but not wrong
    """

    columns: Mapping[str, Sequence[Any]]
    where: str
    numbers: Sequence[int] | None = None
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def at(self, row: int) -> str:
        """Where row `row` (from 0) is."""
        return f"{self.where}, {self.line(row)}"

    def line(self, row: int) -> str:
        """The same within the table."""
        return f"row {row + 1}" if self.numbers is None else f"line {self.numbers[row]}"


def read_file(path: Path, needed: Collection[str] | None = None) -> Table:
    """The rows of a file, read by its ending. Raises DataError when it is unreadable, ragged, too large or has no row.

    Columns that are not `needed` (default: all are) may be empty.
    """
    try:
        _check(path, path.stat().st_size, MOST_BYTES, "bytes")
        ending = path.suffix.lower()
        table = _read_parquet(path, needed) if ending == ".parquet" else _READERS[ending](path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not any(map(len, table.columns.values())):
        raise DataError(f"The file '{path}' has no rows. Give at least one row below the header.")
    return table


def _read_tsv(path: Path) -> Table:
    """One row per line, with tabs between cells; quotes are text, as in GLUE's files."""
    text, notes = _text(path)
    table = _rectangle(path, ((number, line.split("\t")) for number, line in _lines(text) if line))
    return replace(table, notes=notes)


def _read_csv(path: Path) -> Table:
    text, notes = _text(path)
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
        table = _rectangle(path, rows())
    except csv.Error as error:
        raise DataError(f"The file '{path}', line {begins}, is not valid CSV: "
                        f"{_csv_reason(str(error), begins, reader.line_num)}") from None
    if not several:
        return replace(table, notes=notes)
    counted = f"1 row of '{path}' has" if len(several) == 1 else f"{len(several):,} rows of '{path}' have"
    return replace(table, notes=(*notes, f"{counted} line ends in quoted cells: the first begins in line {several[0]}, "
                                 f"and the longest has {longest:,} lines."))


def _separator(text: str) -> str:
    """What separates the cells of a csv file: a comma, unless its header has none and more of another."""
    header = next((line for _, line in _lines(text[:MOST_LINE]) if line), "")
    parts = header.split('"')[::2]  # outside quotes
    counts = {mark: sum(part.count(mark) for part in parts) for mark in SEPARATORS}
    return "," if counts[","] else max(SEPARATORS, key=lambda mark: counts[mark])


def _read_xlsx(path: Path) -> Table:
    """The first sheet, its first row being the header. Dates and formulas' results are taken as text."""
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(part.file_size for part in packed.infolist())
        _check(path, unpacked, MOST_UNPACKED, "bytes when unpacked")
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            if not book.worksheets:
                raise _empty(path)
            sheet, more = book.worksheets[0], [one.title for one in book.worksheets[1:]]
            sheet.reset_dimensions()  # as the file says them they may be anything
            table = _rectangle(path, _sheet_rows(path, sheet.iter_rows(values_only=True)), "row")
        finally:
            book.close()
    except (DataError, OSError):
        raise
    except Exception as error:  # a broken file makes openpyxl raise anything
        raise _unreadable(path, error) from None
    others = f"Only the first sheet of '{path}' is read. It has others: {quoted(more, 100)[1:-1]}."
    return replace(table, notes=(others,)) if more else table


def _sheet_rows(path: Path, rows: Iterable[Sequence[Any]]) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of each row that is not empty, all as wide as the header; cells beyond it must be empty."""
    width = 0
    for number, row in enumerate(rows, start=1):
        _check(path, len(row), 16_384, "columns")
        cells = list(map(as_label, row))  # as in a csv file, every cell is text
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            width = width or len(cells)
            yield number, cells + [""] * (width - len(cells))
    if not width:
        raise _empty(path)


def _csv_reason(said: str, begins: int, now: int) -> str:
    """The csv module's message about a row from line `begins` to `now`, in words that name the cause."""
    if "unexpected end" in said:
        return 'a cell is opened with a quote (") that never closes. Close it, or write "" for a quote in such a cell.'
    if "field limit" in said:
        return f'a cell has more than {MOST_TEXT:,} characters. Cut it, or close the quote (") that opens it.'
    return f"{said}{f' in line {now}' if now != begins else ''}."


def _read_jsonl(path: Path) -> Table:
    """One object per line; columns that an object lacks are None."""
    rows, numbers, problems = [], [], list[str]()
    text, notes = _text(path)
    for number, line in _lines(text):
        if not line or line.isspace():
            continue
        try:
            rows.append(_object(f"The file '{path}', line {number},", line))
            numbers.append(number)
        except DataError as error:
            problems.append(str(error))
        _check(path, len(rows), MOST_CELLS, "lines")
    _check_lines(path, problems)
    names = dict.fromkeys(name for row in rows for name in row)
    _check(path, len(names), MOST_COLUMNS, "columns")
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


def _read_parquet(path: Path, needed: Collection[str] | None) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    if path.stat().st_size == 0:
        raise _empty(path)
    try:
        about = parquet.read_metadata(path)
        schema = about.schema.to_arrow_schema()
        names = schema.names
        _check_header(path, names)
        wanted = [name for name in names if needed is None or name in needed]
        _check(path, about.num_rows * len(wanted), MOST_CELLS, "cells")
        texts = [name for name in wanted if schema.field(name).type in (pa.string(), pa.large_string(), pa.binary())]
        # As dictionaries, since a few bytes may stand for a million rows.
        with parquet.ParquetFile(path, read_dictionary=texts) as file:
            read = file.read(columns=wanted)
    except DataError:
        raise
    except Exception as error:  # a broken file makes arrow raise anything
        raise _unreadable(path, error) from None
    columns = arrow_columns(read, f"'{path}'")
    return Table({name: columns.get(name, ()) for name in names}, f"'{path}'", names=_names(read.schema))


_READERS: dict[str, Callable[[Path], Table]] = {
    ".tsv": _read_tsv, ".csv": _read_csv, ".jsonl": _read_jsonl, ".xlsx": _read_xlsx}


def arrow_columns(table: pa.Table, where: str) -> dict[str, list[Any]]:
    """The cells of an Arrow table; equal texts of a dictionary are one object. Raises DataError naming the column."""
    columns = {}
    for name in table.column_names:
        try:
            columns[name] = [cell for chunk in table.column(name).chunks for cell in _cells(chunk)]
        except Exception as error:  # as above
            raise DataError(f"The column {quoted(name)} in {where} cannot be read: {reason(error)}.") from None
    return columns


def _cells(chunk: pa.Array) -> list[Any]:
    """Cells as Python values. Bytes that are not UTF-8 become lone surrogates, so that their row can be named."""
    import pyarrow as pa

    if isinstance(chunk, pa.DictionaryArray):
        words = _cells(chunk.dictionary)
        pa.DictionaryArray.from_arrays(chunk.indices, pa.nulls(len(words)))  # raises where an index has no word
        return [None if index is None else words[index] for index in chunk.indices.to_pylist()]
    text = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
    cells = chunk.view(text[chunk.type]) if chunk.type in text else chunk
    cells.validate(full=True)  # otherwise arrow would follow a broken file anywhere in memory
    return [cell.decode(errors="surrogateescape") if isinstance(cell, bytes) and chunk.type in text else cell
            for cell in cells.to_pylist()]


def _names(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """The label names by column, from the metadata that `datasets` writes."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: tuple(map(str, one["names"])) for name, one in features.items()
                if isinstance(one, dict) and one.get("_type") == _NAMED}
    except (KeyError, ValueError, TypeError, AttributeError):  # written by another program
        return {}


def _text(path: Path) -> tuple[str, tuple[str, ...]]:
    """The file's text, without a byte order mark and with unchanged line ends, and a note where it is not UTF-8."""
    data = path.read_bytes()
    try:
        text, notes = data.decode("utf-8-sig"), tuple[str, ...]()
        if "\0" in text[:1000] and not data.startswith(codecs.BOM_UTF8):
            raise UnicodeError
    except UnicodeError:
        text, called = _recognised(path, data)
        notes = (f"The file '{path}' is not UTF-8. It is read as {called}; save it as UTF-8 if letters look wrong.",)
    if not text or text.isspace():
        raise _empty(path)
    return text, notes


def _recognised(path: Path, data: bytes) -> tuple[str, str]:
    """The text of a file that is not UTF-8, and the name of its encoding."""
    from charset_normalizer import from_bytes

    by_marks = json.detect_encoding(data[:4])  # by marks and NULs, since every table begins with ASCII
    if by_marks.startswith(("utf-16", "utf-32")):
        with suppress(UnicodeError):
            return data.decode(by_marks).removeprefix("\ufeff"), by_marks.upper()
    best = None if b"\0" in data[:_SAMPLE] else from_bytes(data[:_SAMPLE]).best()
    if best is not None:
        for called in (best.encoding, "cp1252"):
            with suppress(UnicodeError):
                return data.decode(called), called.replace("_", "-")
    raise DataError(f"The file '{path}' is not text in UTF-8 or any other encoding that can be recognised. Save it as "
                    "UTF-8.")


def _lines(text: str) -> Iterable[tuple[int, str]]:
    r"""Lines with their numbers. \n and \r\n end a line, \r only in a file without \n; anything else may be text."""
    return enumerate((line.rstrip("\r") for line in text.split("\n" if "\n" in text else "\r")), start=1)


def _check(path: Path, count: int, most: int, what: str) -> None:
    if count > most:
        raise DataError(f"The file '{path}' has {count:,} {what}, more than {most:,}. Keep the rows and columns that "
                        "the task needs.")


def _check_header(path: Path, names: Sequence[str]) -> None:
    _check(path, len(names), MOST_COLUMNS, "columns")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"The file '{path}' has several columns called {quoted(twice)}. Rename or remove one.")


def _check_lines(path: Path, problems: Sequence[str]) -> None:
    """Raises DataError with the first `problems` of lines and the number of further ones."""
    more = len(problems) - MOST_SAID
    if problems:
        also = [f"{more:,} more {'line of it is' if more == 1 else 'lines of it are'} wrong."] if more > 0 else []
        raise DataError(" ".join([*problems[:MOST_SAID], *also]))


def _empty(path: Path) -> DataError:
    return DataError(f"The file '{path}' is empty. Give a header row and at least one row below it.")


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"The file '{path}' cannot be read as {path.suffix[1:]}: {reason(error)}.")


def reason(error: Exception) -> str:
    """A library's message about a broken file, as a part of one line."""
    said = " ".join(str(getattr(error, "strerror", None) or error).split())[:200].rstrip(".")
    said = "".join(mark if mark.isprintable() else "?" for mark in said)
    return f"{type(error).__name__} {said}".rstrip() if isinstance(error, LookupError) or not said else said


def _rectangle(path: Path, lines: Iterable[tuple[int, list[str]]], called: str = "line") -> Table:
    """A Table from (number of the line or row, cells), header first; every row must have as many cells as that."""
    stream = iter(lines)
    _, names = next(stream)
    _check_header(path, names)
    rows, numbers, problems = [], [], []
    for number, cells in stream:
        if len(cells) != len(names):
            problems.append(f"The file '{path}', {called} {number}, must have {len(names)} cells, as its header has. "
                            f"Got {len(cells)} instead.")
            continue
        rows.append(cells)
        numbers.append(number)
        _check(path, len(rows) * len(names), MOST_CELLS, "cells")
    _check_lines(path, problems)
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return Table(dict(zip(names, columns, strict=True)), f"'{path}'", numbers)
