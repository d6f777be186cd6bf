"""Rows of the tables as records. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, func, select

from compt_core.errors import StoreError
from compt_core.estimate import Pace, pace_of
from compt_core.runs.record import ExperimentRecord, RunRecord, State
from compt_core.runs.schema import runs

_RUN_FIELDS = tuple(field.name for field in fields(RunRecord) if field.name != "state")


def run_record(row: Row[Any]) -> RunRecord:
    """A row of `runs` as a record."""
    return RunRecord(**{name: getattr(row, name) for name in _RUN_FIELDS}, state=State(row.state))


def experiment_records(connection: Connection, found: Sequence[Row[Any]]) -> list[ExperimentRecord]:
    """Rows of `experiments` with the number of runs per state, counted in one query."""
    counted = select(runs.c.experiment, runs.c.state, func.count().label("runs")) \
        .where(runs.c.experiment.in_([row.id for row in found])).group_by(runs.c.experiment, runs.c.state)
    states: dict[str, dict[str, int]] = {row.id: {} for row in found}
    for count in connection.execute(counted):
        states[count.experiment][count.state] = count.runs
    return [
        ExperimentRecord(id=row.id, owner=row.owner, created=row.created, config=row.config,
                         references=row.reference_rows, states=states[row.id])
        for row in found
    ]


def check_running(row: Row[Any]) -> None:
    """Raises StoreError for a row of a run that has ended."""
    if row.state != State.RUNNING:
        raise StoreError(f"Run '{row.id}' is {row.state}, so nothing more can be measured of it.")


def paces(connection: Connection, limit: int) -> list[Pace]:
    """What the newest fleets took whose runs all completed, newest first."""
    wanted = select(runs.c.result["pace"]).where(runs.c.state == State.COMPLETED.value) \
        .group_by(runs.c.fleet).order_by(func.max(runs.c.number).desc()).limit(limit)
    return [pace_of(found) for found in connection.scalars(wanted) if found]
