"""The speeds of single steps that were measured, one for each place, in the store's table `meta`. Loads no torch.

A fleet's speed stands in the result of its runs (:func:`compt_core.runs.rows.paces`); a step that was only measured has
no run. Older versions leave these rows alone.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from compt_core.planning.estimate import Pace, pace_of
from compt_core.runs import shapes
from compt_core.runs.cells import Wrong, read_json
from compt_core.runs.schema import meta

_KEY = "pace of "


def keep(connection: Connection, pace: Pace) -> None:
    """Keeps the speed of a measured step in place of an earlier one of the same place."""
    row = insert(meta).values(key=_KEY + pace.place, value=json.dumps({"pace": asdict(pace)}))
    connection.execute(row.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": row.excluded.value}))


def kept(connection: Connection) -> list[Pace]:
    """The speeds of measured steps, newest first; those that cannot be read are left out."""
    found = []
    for text in connection.scalars(select(meta.c.value).where(meta.c.key.startswith(_KEY))):
        with suppress(Wrong):
            if (pace := (read_json(text, "pace", shapes.Timed) or {}).get("pace")) and pace["measured"] is not None:
                found.append(pace_of(pace))
    return sorted(found, key=lambda pace: -(pace.measured or 0))
