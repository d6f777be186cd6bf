"""The cells of Arrow tables as Python values, and the names of their labels. Loads no torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from compt_core.errors import DataError, quoted
from compt_core.tasks.tables import reason

if TYPE_CHECKING:
    import pyarrow as pa

_NAMED = "ClassLabel"  # the type of a column of label indices with names, as `datasets` writes it


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


def label_names(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """The label names by column, from the metadata that `datasets` writes."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: tuple(map(str, one["names"])) for name, one in features.items()
                if isinstance(one, dict) and one.get("_type") == _NAMED}
    except (KeyError, ValueError, TypeError, AttributeError):  # written by another program
        return {}
