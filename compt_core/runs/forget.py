"""Deletes runs and experiments, including those that cannot be read, without waiting for these. Loads no torch."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, or_, select, update
from sqlalchemy import delete as sql_delete

from compt_core.errors import Damaged
from compt_core.runs.ids import is_id
from compt_core.runs.record import BUNDLED, State
from compt_core.runs.rows import RUNS, name_of, named, run_record
from compt_core.runs.schema import edits, events, experiments, runs, waits


def delete(connection: Connection, gone: Collection[int]) -> None:
    """Deletes runs, given by number, with their curves and edits, and experiments that have no runs left."""
    names = select(runs.c.id).where(runs.c.number.in_(gone))
    connection.execute(sql_delete(edits).where(edits.c.run.in_(names)))
    connection.execute(sql_delete(events).where(events.c.run.in_(names)))
    connection.execute(sql_delete(waits).where(waits.c.run.in_(names)))
    connection.execute(sql_delete(runs).where(runs.c.number.in_(gone)))
    connection.execute(sql_delete(experiments).where(
        ~select(runs.c.id).where(runs.c.experiment == experiments.c.id).exists(), experiments.c.owner != BUNDLED))


def used(connection: Connection, experiment: object) -> bool:
    """Whether an experiment is there, or another one names its folder: what it brought with it is then still read."""
    if not is_id(experiment):
        return True
    cells = (experiments.c.config, experiments.c.task_definitions)
    named_in = [cast(column, Text).contains(experiment) for column in cells]
    found = select(experiments.c.number).where(or_(experiments.c.id == experiment, *named_in)).limit(1)
    return connection.execute(found).first() is not None


def readable(row: Row[Any]) -> bool:
    """Whether a row of RUNS can be read as a record."""
    try:
        return bool(run_record(row))
    except Damaged:
        return False


def set_aside(connection: Connection, found: Sequence[Row[Any]]) -> list[str]:
    """Marks those of some runs (rows of RUNS) as failed that cannot be read, since they cannot be trained. Returns the
    ids of the others."""
    whole = []
    for row in found:
        try:
            whole.append(run_record(row).id)
        except Damaged as error:
            connection.execute(update(runs).where(runs.c.number == row.number).values(
                state=State.FAILED.value, request=None, finished=time.time(), error_type=type(error).__name__,
                error_message=str(error)))
    return whole


def delete_experiment(connection: Connection, experiment: str) -> list[str]:
    """Deletes an experiment, readable or not, with its runs; training runs go as soon as their trainer asks. Returns
    the names of the runs that are gone."""
    row = connection.execute(select(experiments).where(named(experiments, experiment))).one_or_none()
    if row is None:
        return []
    those = connection.execute(RUNS.where(experiments.c.number == row.number)).all()
    connection.execute(update(runs).where(runs.c.number.in_([one.number for one in those]),
                                          runs.c.state == State.RUNNING.value).values(request="delete"))
    gone = [one for one in those if one.state != State.RUNNING]
    delete(connection, [one.number for one in gone])
    if len(gone) == len(those):
        connection.execute(sql_delete(experiments).where(experiments.c.number == row.number))
    return [name_of(one) for one in gone]
