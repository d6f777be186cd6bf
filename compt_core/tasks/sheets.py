"""The rows of the first sheet of an xlsx file, as text. Loads no torch."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from compt_core.errors import DataError
from compt_core.tasks.spec import as_label
from compt_core.tasks.tables import check_size, empty, unreadable

MOST_UNPACKED = 500_000_000  # bytes that the zip archive that it is may unpack to
MOST_PACKED = 200  # times its own size that a large one may unpack to; tables have 5 to 20
LARGE = 20_000_000  # bytes
MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384  # of a sheet; a broken file may name any


def first_sheet(path: Path, most_cells: int) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """((number, cells) of each row that is not empty, the header first; names of the other sheets).

    Dates and formulas' results are taken as text. Raises DataError and OSError.
    """
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
        unpacked = sum(part.file_size for part in parts)
        check_size(path, unpacked, max(LARGE, min(MOST_UNPACKED, MOST_PACKED * path.stat().st_size)),
                   "bytes when unpacked")
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            if not book.worksheets:
                raise empty(path)
            sheet, more = book.worksheets[0], [one.title for one in book.worksheets[1:]]
            sheet.reset_dimensions()  # as the file says them they may be anything
            return list(_rows(path, sheet.iter_rows(values_only=True), most_cells)), more
        finally:
            book.close()
    except (DataError, OSError):
        raise
    except Exception as error:  # a broken file makes openpyxl raise anything
        raise unreadable(path, error) from None


def _rows(path: Path, rows: Iterable[Sequence[Any]], most_cells: int) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of each row that is not empty, all as wide as the header; cells beyond it must be empty."""
    width = seen = 0
    for number, row in enumerate(rows, start=1):
        seen += len(row)
        check_size(path, number, MOST_ROWS, "rows")
        check_size(path, len(row), MOST_COLUMNS, "columns")
        check_size(path, seen, most_cells, "cells")
        cells = list(map(as_label, row))  # as in a csv file, every cell is text
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            width = width or len(cells)
            yield number, cells + [""] * (width - len(cells))
    if not width:
        raise empty(path)
