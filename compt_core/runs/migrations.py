"""How a store of an older schema is brought up to date, with a step for each version. Loads no torch.

A step is SQL, or a function of the connection where SQL is not enough. It knows the tables as they were then, so this
module imports none of today's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from compt_core.tasks.table import CATALOGUE

Step = str | Callable[[Connection], None]


def migrate(connection: Connection, found: int, wanted: int) -> None:
    """Brings the tables from schema `found` to `wanted`, inside the caller's transaction: whole or not at all."""
    for version in range(found, wanted):
        for step in _STEPS[version]:
            if isinstance(step, str):
                connection.exec_driver_sql(step)
            else:
                step(connection)


def _define_tasks(connection: Connection) -> None:
    """Gives every experiment the bundled table's definitions of its tasks; tasks with another name get none."""
    for number, config in connection.exec_driver_sql("SELECT number, config FROM experiments").all():
        written = json.dumps(CATALOGUE.only(_names(config)).written())
        connection.exec_driver_sql("UPDATE experiments SET task_definitions = ? WHERE number = ?", (written, number))


def _names(config: Any) -> list[str]:
    """The names of tasks in the settings of an experiment; empty if the cell is damaged."""
    try:
        found = json.loads(config) if isinstance(config, str) else None
    except (ValueError, RecursionError):
        found = None
    names = found.get("tasks") if isinstance(found, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


_STEPS: dict[int, tuple[Step, ...]] = {  # schema -> the step to the next one
    1: ("ALTER TABLE experiments ADD COLUMN place FLOAT", "ALTER TABLE runs ADD COLUMN checkpoint INTEGER",
        "CREATE TABLE turns (owner TEXT NOT NULL PRIMARY KEY, turn INTEGER NOT NULL)"),
    2: ("CREATE TABLE edits (id TEXT NOT NULL PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id), owner TEXT NOT "
        "NULL, name TEXT NOT NULL, created FLOAT NOT NULL, text TEXT NOT NULL, changes JSON NOT NULL)",
        "CREATE INDEX ix_edits_run ON edits (run)"),
    3: (),  # curves were float16, told by their length; an older version must not read the new ones
    4: ("ALTER TABLE experiments ADD COLUMN task_definitions JSON", _define_tasks),
    5: ("CREATE TABLE waits (run TEXT NOT NULL, before TEXT NOT NULL, PRIMARY KEY (run, before))",),
}
