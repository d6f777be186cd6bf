"""Columns of a table that a person named, beside those that a page names. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

T = TypeVar("T")


def beside(row: Collection[str], names: Iterable[str], values: Iterable[T], what: str = "text") -> dict[str, T]:
    """The `values` under the `names` of a task's columns or labels. A name that `row` has, or that came before, gets
    `what` behind it: a label may be called "right"."""
    found: dict[str, T] = {}
    for name, value in zip(names, values, strict=True):
        while name in row or name in found:
            name = f"{name} ({what})"
        found[name] = value
    return found
