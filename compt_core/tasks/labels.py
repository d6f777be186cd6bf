"""The labels in a column of a table, as a definition names them, and what a label of −1 means. Pure; loads no torch.

In public data −1 marks a row whose label is kept secret or is missing. In sentiment data it is the negative label.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from compt_core.errors import plural, quoted
from compt_core.tasks.spec import as_label
from compt_core.tasks.tables import Table

MINUS = "-1"
_MINUS_SHARE = 0.05  # of the rows, from which on -1 beside 0 and 1 is a label
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def is_number(text: str) -> bool:
    """Whether a cell or a label is a number."""
    return bool(_NUMBER.fullmatch(text.strip()))


def minus_is_label(table: Table, column: str, cells: Sequence[object] | None = None) -> bool:
    """Whether −1 is a label like the others: beside another negative number, beside 1 alone, or often beside 0 and 1.

    `cells` are those that are looked at, if not the whole column.
    """
    if table.names.get(column):
        return False
    counts = Counter(as_label(cell).strip() for cell in (table.columns[column] if cells is None else cells))
    others = {label for label in counts if label not in ("", MINUS)}
    if not counts[MINUS] or not others or not all(map(is_number, others)):
        return False
    often = counts[MINUS] >= _MINUS_SHARE * (counts.total() - counts[""])
    return any(label.startswith("-") for label in others) or (often and others in ({"1"}, {"0", "1"}))


def label_of(cell: object, table: Table, column: str, minus: bool = False) -> str:
    """A label as the definition names it: the data's own name for an index, else the cell as text; "" for none.

    `minus` says that −1 is a label (:func:`minus_is_label`).
    """
    text, names = as_label(cell).strip(), table.names.get(column, ())
    if names and text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(names):
        return names[int(text)]
    return "" if text == MINUS and not minus else text


def every_label(tables: Sequence[Table], column: str) -> list[str]:
    """Every label of the whole tables, in the data's own order of names, or sorted. The first says what −1 means."""
    minus = minus_is_label(tables[0], column)
    found = {value for table in tables for cell in table.columns[column]
             if (value := label_of(cell, table, column, minus))}
    names = [name for name in tables[0].names.get(column, ()) if name in found]
    if len(names) == len(found):
        return names
    return sorted(found, key=lambda value: (float(value) if is_number(value) else 0.0, value))


def label_counts(tables: Sequence[Table], column: str) -> dict[str, int]:
    """Every label of a column as a definition names it, in their order -> its rows in all tables that have it."""
    having = [table for table in tables if column in table.columns]
    if not having:
        return {}
    minus = minus_is_label(having[0], column)
    counts = Counter(value for table in having for cell in table.columns[column]
                     if (value := label_of(cell, table, column, minus)))
    return {label: counts[label] for label in every_label(having, column)}


def doubtful_labels(tables: Sequence[Table], column: str, labels: Mapping[str, object] | Collection[str]) -> list[str]:
    """A sentence on what −1 was taken for, if it stands in the column, and one on labels that differ in case alone."""
    rows = sum(as_label(cell).strip() == MINUS for table in tables for cell in table.columns[column])
    said = list[str]()
    if rows and minus_is_label(tables[0], column):
        said.append(f"'{MINUS}' ({plural(rows, 'row')}) is taken for a label like the others. Leave it out if it marks "
                    "rows without a label.")
    elif rows:
        said.append(f"'{MINUS}' ({plural(rows, 'row')}) is taken for a missing label. Write a word in its place if it "
                    "is a label.")
    alike: dict[str, list[str]] = {}
    for label in labels:
        alike.setdefault(label.casefold(), []).append(label)
    if same := next((group for group in alike.values() if len(group) > 1), None):
        shown = " and ".join(quoted(one, 40) for one in same)
        said.append(f"The labels {shown} differ in capital letters alone and count as {len(same)}. Write them alike in "
                    "the data if they mean the same.")
    return said
