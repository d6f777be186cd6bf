"""Rows of the tables as records, and back: the one door, at which damaged ones are turned away. Loads no torch.

A cell may hold anything: a disk, another program or a hand changed it. So every row is judged here before it becomes
a record, and what no page could show raises Damaged, or is handed over beside the records of a list. Texts are judged
once, as the same settings and results are read again and again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import ColumnElement, Connection, Row, Table, func, select

from compt_core import sentences
from compt_core.config import Experiment, RunConfig
from compt_core.errors import Damaged, StoreError, quoted
from compt_core.estimate import Pace, pace_of
from compt_core.runs import shapes
from compt_core.runs.ids import check_id, is_id, unknown
from compt_core.runs.points import Shape
from compt_core.runs.record import ExperimentRecord, RunRecord, SavedEdit, State
from compt_core.runs.schema import experiments, runs

T = TypeVar("T")

RUNS = select(runs, experiments.c.id.label("parent")) \
    .select_from(runs.outerjoin(experiments, runs.c.experiment == experiments.c.id))
_RUN_FIELDS = tuple(field.name for field in fields(RunRecord) if field.name not in ("state", "config"))
_SPELLED = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATES = re.compile("[\ud800-\udfff]")  # bytes that are no text come as such
_KEPT, _AT_ONCE = 4096, 500  # judgements of texts; runs in one query: SQLite limits its variables

class _Wrong(Exception):
    """Why a row is damaged."""


def name_of(row: Any) -> str:
    """By which a run is found: its id, or its place in the table where that is damaged."""
    return row.id if is_id(row.id) else f"row-{row.number}"


def named(table: Table, name: str) -> ColumnElement[bool]:
    """Finds the row of `runs` or `experiments` with the name that :func:`name_of` gives. Raises UnknownId for what is
    neither."""
    place = re.fullmatch(r"row-(-?[0-9]{1,18})", name) if isinstance(name, str) else None
    return table.c.number == int(place[1]) if place else table.c.id == check_id(name, table.name.removesuffix("s"))


def run_record(row: Row[Any]) -> RunRecord:
    """A row of RUNS as a record. Raises Damaged."""
    try:
        _check_cells(row, shapes.RunCells)
        config = _settings(row.config, RunConfig)
        for column in ("method", "shots", "seed", "backbone"):
            if getattr(row, column) != config[column]:
                raise _Wrong(f"its '{column}' is {quoted(getattr(row, column), 40)}, its settings say "
                             f"{quoted(config[column], 40)}")
        if row.parent is None:
            raise _Wrong(f"it belongs to the experiment '{row.experiment}', which this store does not hold")
        values = {name: getattr(row, name) for name in _RUN_FIELDS}
        values["result"] = _result(row.result, tuple(config["tasks"]), config["sources"])
        values["versions"] = _json(row.versions, "versions", shapes.Versions)
        return RunRecord(**values, config=config, state=State(row.state))
    except _Wrong as wrong:
        name = name_of(row)
        raise Damaged("run", name, str(wrong), f"Delete it with 'python -m compt_core delete {name}' or in the "
                      "dashboard, or put back a copy of the store.") from None


def read_runs(found: Iterable[Row[Any]], limit: int | None = None) -> tuple[list[RunRecord], list[Damaged]]:
    """Rows of RUNS as records, up to `limit` of them, and those on the way that are damaged."""
    return _sorted_out(found, run_record, limit)


def read_experiments(connection: Connection, found: Iterable[Row[Any]], limit: int | None = None
                     ) -> tuple[list[ExperimentRecord], list[Damaged]]:
    """Rows of `experiments` as records, with the number of runs per state counted in one query, and the damaged."""
    whole, damaged = _sorted_out(found, _experiment, limit)
    counted = select(runs.c.experiment, runs.c.state, func.count().label("runs")) \
        .where(runs.c.experiment.in_([row["id"] for row in whole])).group_by(runs.c.experiment, runs.c.state)
    states: dict[str, dict[str, int]] = {row["id"]: {} for row in whole}
    for count in connection.execute(counted):
        state = count.state if count.state in list(State) else "damaged"
        states[count.experiment][state] = states[count.experiment].get(state, 0) + count.runs
    return [ExperimentRecord(**row, states=states[row["id"]]) for row in whole], damaged


def experiment_record(connection: Connection, experiment: str) -> ExperimentRecord:
    """The experiment of that id. Raises UnknownId and Damaged."""
    row = connection.execute(select(experiments).where(experiments.c.id == experiment)).one_or_none()
    if row is None:
        raise unknown(experiment, "experiment")
    found, damaged = read_experiments(connection, [row])
    if damaged:
        raise damaged[0]
    return found[0]


def orphans(connection: Connection) -> list[Damaged]:
    """The runs whose experiment the store does not hold."""
    return read_runs(connection.execute(RUNS.where(experiments.c.id.is_(None))))[1]


def read_edits(found: Iterable[Row[Any]]) -> tuple[list[SavedEdit], list[Damaged]]:
    """Rows of `edits` as records, and those that are damaged."""
    return _sorted_out(found, _edit, None)


def check_running(row: Row[Any]) -> None:
    """Raises StoreError for a row of a run that has ended."""
    if row.state != State.RUNNING:
        raise StoreError(f"Run '{row.id}' is {row.state}, so nothing more can be measured of it.")


def _sorted_out(found: Iterable[Row[Any]], read: Callable[[Row[Any]], T], limit: int | None
                ) -> tuple[list[T], list[Damaged]]:
    """What `read` makes of rows, until there are `limit`, and what it raised on the way."""
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
    """The fields of an ExperimentRecord but its states. Raises Damaged."""
    try:
        _check_cells(row, shapes.ExperimentCells)
        return {"id": row.id, "owner": row.owner, "created": row.created, "config": _settings(row.config, Experiment),
                "references": _json(row.reference_rows, "reference_rows", shapes.References)}
    except _Wrong as wrong:
        raise Damaged("experiment", name_of(row), str(wrong),
                      "Delete it with its runs on the page Home, or put back a copy of the store.") from None


def _edit(row: Row[Any]) -> SavedEdit:
    try:
        _check_cells(row, shapes.EditCells)
        changes = _json(row.changes, "changes", shapes.Changes, inside="tasks")
        return SavedEdit(**{**row._mapping, "changes": changes})
    except _Wrong as wrong:
        raise Damaged("saved edit", str(row.id), str(wrong), "Delete it, or put back a copy of the store.") from None


def _check_cells(row: Row[Any], shape: type[BaseModel]) -> None:
    cells = row._mapping
    for name in shape.model_fields:
        if isinstance(cells[name], str) and not cells[name].isascii() and _SURROGATES.search(cells[name]):
            raise _Wrong(f"its '{name}' is no text ({quoted(cells[name], 40)})")
    try:
        shape.model_validate(dict(cells))
    except ValidationError as error:
        raise _Wrong(_first(error)) from None


@lru_cache(maxsize=_KEPT)
def _canonical(text: object, model: type[BaseModel]) -> dict[str, Any]:
    """The settings in a cell, with the defaults of those that its version did not know. Raises _Wrong."""
    found = _loaded(text, "config")
    if not isinstance(found, dict):
        raise _Wrong(f"its 'config' must hold settings by name, and is {quoted(found, 40)}")
    try:
        return model.model_validate({"tasks": [], **found}).model_dump(mode="json")
    except ValidationError as error:
        raise _Wrong("of its settings, " + sentences.sentences(error.errors(), found, model.model_fields)[0].message
                     .removesuffix(".")) from None


def _settings(text: object, model: type[BaseModel]) -> dict[str, Any]:
    return dict(_canonical(text, model))


def _result(text: object, tasks: tuple[str, ...], sources: int) -> dict[str, Any] | None:
    """The result in a cell, of a run on these tasks. Raises _Wrong."""
    found: dict[str, Any] | None = _loaded(text, "result")
    if found is not None:
        _check_result(found, tasks, sources)
    return found


def _check_result(found: Any, tasks: tuple[str, ...], sources: int) -> None:
    try:
        result = shapes.Result.model_validate(found)
    except ValidationError as error:
        raise _Wrong(_first(error, "result")) from None
    missing = [name for name in ("tasks", "mean_normalised", "mean") if getattr(result, name) is None]
    if missing and {"tasks", "mean_normalised"} != {*missing} - {"mean"}:
        raise _Wrong(f"its 'result' lacks '{missing[0]}'")
    for name, per_task in (("tasks", result.tasks), ("constant", result.constant), ("eval_rows", result.eval_rows)):
        if per_task is not None and per_task.keys() != set(tasks):
            raise _Wrong(f"its 'result' has other tasks in '{name}' than its settings have")
    for name in ("attention", "alpha", "beta", "private_share", "private_norm_share"):
        values = getattr(result, name)
        if values is not None and len(values) != len(tasks):
            raise _Wrong(f"its 'result' has {len(values)} numbers or rows in '{name}', its settings have {len(tasks)} "
                         "tasks")
    if any(len(row) != sources for row in result.attention or ()):
        raise _Wrong(f"its 'result' has a row in 'attention' that is not of {sources} sources, as its settings say")


def _json(text: object, column: str, shape: type[BaseModel], inside: str = "") -> Any:
    """The JSON of a cell, None for an empty one, if it fits `shape`, there under the name `inside`. Raises _Wrong."""
    found = _loaded(text, column)
    if found is not None or inside:
        try:
            shape.model_validate({inside: found} if inside else found)
        except ValidationError as error:
            raise _Wrong(_first(error, column)) from None
    return found


def _loaded(text: object, column: str) -> Any:
    """The JSON of a cell, None for an empty one. Raises _Wrong."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise _Wrong(f"its '{column}' must be text in JSON, and is {quoted(text, 40)}")
    try:
        found = json.loads(text)
        if _SURROGATES.search(text) or _SPELLED.search(text):
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"its '{column}' is no valid JSON ({quoted(text, 40)})") from error
    return found


def _first(error: ValidationError, column: str = "") -> str:
    """The first problem of several, as the reason why a row cannot be read."""
    problem = error.errors(include_url=False)[0]
    path = " → ".join(f"'{quoted(str(part))[1:-1]}'" for part in ((column,) if column else ()) + problem["loc"])
    said = problem["msg"].removeprefix("Input ").removeprefix("Value ")
    return f"its {path} {said} (got {quoted(problem['input'], 40)})"


def shapes_of(connection: Connection, wanted: Sequence[str]) -> dict[str, Shape]:
    """Run -> tasks and sources, of those whose settings can be read."""
    found = {}
    for some in (wanted[i:i + _AT_ONCE] for i in range(0, len(wanted), _AT_ONCE)):
        for run, text in connection.execute(select(runs.c.id, runs.c.config).where(runs.c.id.in_(some))):
            with suppress(_Wrong):
                config = _canonical(text, RunConfig)
                found[run] = Shape(len(config["tasks"]), config["sources"])
    return found


def paces(connection: Connection, limit: int) -> list[Pace]:
    """What the newest fleets took whose runs all completed, newest first; one that cannot be read is left out."""
    newest = func.max(runs.c.number)
    fleets = select(newest).where(runs.c.state == State.COMPLETED.value).group_by(runs.c.fleet) \
        .order_by(newest.desc()).limit(limit)
    found = []
    wanted = select(runs.c.result).where(runs.c.number.in_(fleets)).order_by(runs.c.number.desc())
    for text in connection.scalars(wanted):
        with suppress(_Wrong):
            if pace := (_json(text, "result", shapes.Timed) or {}).get("pace"):
                found.append(pace_of(pace))
    return found
