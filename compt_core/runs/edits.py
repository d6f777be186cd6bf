"""What-if edits that were named and kept: which run, what was changed, and what came of it. Loads no torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select

from compt_core.errors import Damaged, StoreError, quoted
from compt_core.runs import transitions
from compt_core.runs.ids import new_id
from compt_core.runs.record import SavedEdit
from compt_core.runs.rows import read_edits
from compt_core.runs.schema import Database, edits

LONGEST_NAME = 60  # characters
MOST = 100  # per run and owner


class Edits:
    """The named edits of all runs of a store; they are deleted with their run."""

    def __init__(self, database: Database):
        self._database = database

    def save(self, run: str, name: str, text: str, changes: dict[str, Any], *, owner: str = "local") -> SavedEdit:
        """Keeps an edit under a name that its run and owner do not have yet. Raises StoreError if they do, if the name
        is empty or too long, and beyond MOST."""
        name = " ".join(name.split())
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise StoreError(f"The name of an edit must be 1 to {LONGEST_NAME} printable characters. "
                             f"Got {quoted(name) if name else 'nothing'} instead.")
        with self._database.write() as connection:
            transitions.find(connection, run)
            mine = (edits.c.run == run, edits.c.owner == owner)
            if connection.execute(select(edits.c.id).where(*mine, edits.c.name == name)).first():
                raise StoreError(f"This run already has an edit named {quoted(name)}. Choose another name, or delete "
                                 "that one.")
            if connection.execute(select(func.count()).select_from(edits).where(*mine)).scalar_one() >= MOST:
                raise StoreError(f"A run can keep at most {MOST} edits. Delete one of them first.")
            saved = SavedEdit(new_id(), run, owner, name, time.time(), text, changes)
            connection.execute(insert(edits).values(**vars(saved)))
        return saved

    def of(self, runs: Sequence[str]) -> list[SavedEdit]:
        """All edits of some runs, oldest first, except those that cannot be read."""
        return self.read(runs)[0]

    def read(self, runs: Sequence[str]) -> tuple[list[SavedEdit], list[Damaged]]:
        """As :meth:`of`, and those that cannot be read."""
        wanted = select(edits).where(edits.c.run.in_(runs)).order_by(edits.c.created, edits.c.id)
        with self._database.read() as connection:
            return read_edits(connection.execute(wanted))

    def delete(self, edit: str, *, owner: str = "local") -> None:
        """Deletes one of the owner's edits; it is no error if it is gone already."""
        with self._database.write() as connection:
            connection.execute(delete(edits).where(edits.c.id == edit, edits.c.owner == owner))
