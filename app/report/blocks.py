"""What a report is made of: pieces under headings, which the template draws. Plain text throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.report.figures import Figure
from app.report.tables import Table
from app.show.captions import plain


@dataclass(frozen=True)
class Block:
    """A heading, and below it: sentences, figures, tables, text to copy, notes on how to read, and smaller pieces."""

    title: str
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    copied: tuple[str, ...] = ()
    parts: tuple[Block, ...] = ()


def block(title: str, lines: Sequence[str] = (), notes: Sequence[str] = (), **more: Any) -> Block:
    """A piece whose sentences are the pages' Markdown."""
    said, read = (tuple(plain([line]) for line in each) for each in (lines, notes))
    return Block(title, said, read, **more)
