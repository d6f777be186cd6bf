"""Rows of the tables as records, and back. Damaged rows are turned away here and nowhere else. Loads no torch.

A cell may hold anything, if a disk, another program or a person changed it. So every row is checked here before it
becomes a record, and one that no page could show raises Damaged, or is returned along with the records of a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select
from sqlalchemy import text as sql

from compt_core.errors import Damaged, StoreError, quoted
from compt_core.planning.estimate import Pace, pace_of
from compt_core.runs import shapes
from compt_core.runs.cells import Wrong, checked, definitions, read_json, settings
from compt_core.runs.ids import check_id, is_id, unknown
from compt_core.runs.points import Shape
from compt_core.runs.record import ExperimentRecord, RunRecord, SavedEdit, State
from compt_core.runs.schema import experiments, runs
from compt_core.settings.config import Experiment, RunConfig

T = TypeVar("T")

RUNS = select(runs, experiments.c.id.label("parent"), experiments.c.task_definitions) \
    .select_from(runs.outerjoin(experiments, runs.c.experiment == experiments.c.id))
_READ = ("config", "state", "result", "versions", "tasks")
_PLAIN = tuple(field.name for field in fields(RunRecord) if field.name not in _READ)  # cells that are used unchanged
_AT_ONCE = 500  # runs in one query: SQLite limits its variables


def name_of(row: Any) -> str:
    """The name that finds a run: its id, or its place in the table if the id is damaged."""
    return row.id if is_id(row.id) else f"row-{row.number}"


def named(table: Table, name: str) -> ColumnElement[bool]:
    """Finds the row of `runs` or `experiments` with the name that :func:`name_of` gives. Raises UnknownId for anything
    else."""
    place = re.fullmatch(r"row-(-?[0-9]{1,18})", name) if isinstance(name, str) else None
    return table.c.number == int(place[1]) if place else table.c.id == check_id(name, table.name.removesuffix("s"))


def run_record(row: Row[Any]) -> RunRecord:
    """A row of RUNS as a record. Raises Damaged."""
    try:
        cells = checked(row, shapes.RunCells)
        config = settings(cells["config"], RunConfig)
        for column in ("method", "shots", "seed", "backbone"):
            if cells[column] != config[column]:
                raise Wrong(f"its '{column}' is {quoted(cells[column], 40)}, but its settings say "
                             f"{quoted(config[column], 40)}")
        if cells["parent"] is None:
            raise Wrong(f"it belongs to the experiment '{cells['experiment']}', which this store does not hold")
        result = read_json(cells["result"], "result", shapes.Result, of=(tuple(config["tasks"]), config["sources"]))
        return RunRecord(**{name: cells[name] for name in _PLAIN}, config=config, state=State(cells["state"]),
                         result=result, versions=read_json(cells["versions"], "versions", shapes.Versions),
                         tasks=definitions(cells["task_definitions"]))
    except Wrong as wrong:
        name = name_of(row)
        raise Damaged("run", name, str(wrong), f"Delete it with 'python -m compt_core delete {name}' or in the "
                      "dashboard, or put back a copy of the store.") from None


def read_runs(found: Iterable[Row[Any]], limit: int | None = None) -> tuple[list[RunRecord], list[Damaged]]:
    """Rows of RUNS as records, up to `limit` of them, and the damaged ones found on the way."""
    return _sorted_out(found, run_record, limit)


def read_experiments(connection: Connection, found: Iterable[Row[Any]], limit: int | None = None
                     ) -> tuple[list[ExperimentRecord], list[Damaged]]:
    """Rows of `experiments` as records, with the runs per state counted in one query, and the damaged ones."""
    whole, damaged = _sorted_out(found, _experiment, limit)
    counted = select(runs.c.experiment, runs.c.state, func.count().label("runs")) \
        .where(runs.c.experiment.in_([row["id"] for row in whole])).group_by(runs.c.experiment, runs.c.state)
    states: dict[str, dict[str, int]] = {row["id"]: {} for row in whole}
    for count in connection.execute(counted):
        state = count.state if count.state in list(State) else "damaged"
        states[count.experiment][state] = states[count.experiment].get(state, 0) + count.runs
    return [ExperimentRecord(**row, states=states[row["id"]]) for row in whole], damaged


def experiment_record(connection: Connection, experiment: str) -> ExperimentRecord:
    """The experiment with that id. Raises UnknownId and Damaged."""
    row = connection.execute(select(experiments).where(experiments.c.id == experiment)).one_or_none()
    if row is None:
        raise unknown(experiment, "experiment")
    found, damaged = read_experiments(connection, [row])
    if damaged:
        raise damaged[0]
    return found[0]


def orphans(connection: Connection) -> list[Damaged]:
    """The runs whose experiment is not in the store. Each experiment is looked up once, by index: a store may have a
    million runs, and every page asks."""
    lost = connection.scalars(sql(
        "WITH RECURSIVE each(name) AS (SELECT MIN(experiment) FROM runs UNION ALL "
        "SELECT (SELECT MIN(experiment) FROM runs WHERE experiment > name) FROM each WHERE name IS NOT NULL) "
        "SELECT name FROM each WHERE name IS NOT NULL AND name NOT IN (SELECT id FROM experiments)")).all()
    return read_runs(connection.execute(RUNS.where(runs.c.experiment.in_(lost))))[1] if lost else []


def read_edits(found: Iterable[Row[Any]]) -> tuple[list[SavedEdit], list[Damaged]]:
    """Rows of `edits` as records, and the damaged ones."""
    return _sorted_out(found, _edit, None)


def check_running(row: Row[Any]) -> None:
    """Raises StoreError for the row of a run that has ended."""
    if row.state != State.RUNNING:
        raise StoreError(f"Run '{row.id}' is {row.state}, so nothing more can be measured of it.")


def _sorted_out(found: Iterable[Row[Any]], read: Callable[[Row[Any]], T], limit: int | None
                ) -> tuple[list[T], list[Damaged]]:
    """What `read` makes of rows, until there are `limit`, and the errors that it raised on the way."""
    whole, damaged = list[T](), list[Damaged]()
    for row in found:
        if limit is not None and len(whole) >= limit:
            break
        try:
            whole.append(read(row))
        except Damaged as error:
            damaged.append(error)
    return whole, damaged


def _experiment(row: Row[Any]) -> dict[str, Any]:
    """The fields of an ExperimentRecord except its states. Raises Damaged."""
    try:
        cells = checked(row, shapes.ExperimentCells)
        return {**{name: cells[name] for name in ("id", "owner", "created")},
                "config": settings(cells["config"], Experiment), "tasks": definitions(cells["task_definitions"]),
                "references": read_json(cells["reference_rows"], "reference_rows", shapes.References)}
    except Wrong as wrong:
        raise Damaged("experiment", name_of(row), str(wrong),
                      "Delete it with its runs on the page Home, or put back a copy of the store.") from None


def _edit(row: Row[Any]) -> SavedEdit:
    try:
        cells = checked(row, shapes.EditCells)
        return SavedEdit(**{**cells, "changes": read_json(cells["changes"], "changes", shapes.Changes, inside="tasks")})
    except Wrong as wrong:
        raise Damaged("saved edit", str(row.id), str(wrong), "Delete it, or put back a copy of the store.") from None


class Shapes:
    """Tasks and sources of runs, read once per store, since settings do not change."""

    def __init__(self) -> None:
        self._known: dict[str, Shape] = {}

    def of(self, connection: Connection, wanted: Sequence[str]) -> dict[str, Shape]:
        """Run -> shape, for runs whose settings can be read."""
        new = [run for run in wanted if run not in self._known]
        for some in (new[i:i + _AT_ONCE] for i in range(0, len(new), _AT_ONCE)):
            for run, text in connection.execute(select(runs.c.id, runs.c.config).where(runs.c.id.in_(some))):
                with suppress(Wrong):
                    config = settings(text, RunConfig)
                    self._known[run] = Shape(len(config["tasks"]), config["sources"])
        return {run: self._known[run] for run in wanted if run in self._known}


def paces(connection: Connection, limit: int) -> list[Pace]:
    """The paces of the newest fleets whose runs all completed, newest first; those that cannot be read are left out."""
    newest: dict[str | None, int] = {}  # fleet -> its newest completed run, from the end on, which soon has enough
    for number, fleet, state in connection.execute(
            select(runs.c.number, runs.c.fleet, runs.c.state).order_by(runs.c.number.desc())):
        if len(newest) >= limit:
            break
        if state == State.COMPLETED.value:
            newest.setdefault(fleet, number)
    fleets, found = list(newest.values()), []
    wanted = select(runs.c.result).where(runs.c.number.in_(fleets)).order_by(runs.c.number.desc())
    for text in connection.scalars(wanted):
        with suppress(Wrong):
            if pace := (read_json(text, "result", shapes.Timed) or {}).get("pace"):
                found.append(pace_of(pace))
    return found
