"""A study in the report of an experiment that is a part of one: its reading, and its figures as tables."""

from __future__ import annotations

from app.report import tables
from app.report.blocks import Block
from app.report.tables import Table
from compt_core.errors import StoreError
from compt_core.runs.record import ExperimentRecord
from compt_core.runs.store import Store
from compt_core.studies import launch
from compt_core.studies.study import Figure
from compt_core.studies.table import known

_MOST_ROWS = 200  # of a figure's table; a scatter may have thousands of points


def study(store: Store, experiment: ExperimentRecord) -> Block | None:
    """The study that the experiment is a part of; None where it is of none, or has no completed runs."""
    name, _, rest = experiment.config.get("study", "").partition("/")
    found = [one for one in launch.launched(store, name) if one.instance == rest.partition("/")[0]] if name else []
    if not found:
        return None
    asked = known()[name]
    try:
        reading = launch.read(store, asked, {part: record.id for part, record in found[0].experiments.items()})
    except StoreError as error:
        return Block(f"Study: {asked.title}", (asked.question, str(error)))
    if reading is None:
        return None
    others = [f"{part}: experiment {record.id}" for part, record in found[0].experiments.items()
              if record.id != experiment.id]
    return Block(f"Study: {asked.title}", (asked.question, *reading.sentences), tuple(asked.cannot) + (
        (f"Its other parts are {'; '.join(others)}.",) if others else ()),
        tables=tuple(map(table, reading.figures)))


def table(figure: Figure) -> Table:
    """The rows of a figure, with its series side by side."""
    if figure.kind == "scatter":
        rows = {f"{name} ({series})": [_number(x), _number(y)] for x, y, name, series in figure.rows[:_MOST_ROWS]}
        return tables.words(rows, f"{figure.title}. {figure.reading}", figure.columns[2], list(figure.columns[:2]))
    cells: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
    for own in figure.rows:
        head, column, text = _cell(figure, own)
        columns[column] = None
        cells.setdefault(head, {})[column] = text
    body = {head: [of.get(column, "–") for column in columns] for head, of in cells.items()}
    return tables.words(body, f"{figure.title}. {figure.reading}", figure.columns[0], list(columns))


def _cell(figure: Figure, own: tuple[object, ...]) -> tuple[str, str, str]:
    """(head of the row, head of the column, text) of one row of a figure's table."""
    if figure.kind == "matrix":
        return str(own[0]), str(own[1]), _number(own[2])
    value, half = own[1], own[3]
    return str(own[0]), str(own[2]), _number(value) + (f" ± {_number(half)}" if half is not None else "")


def _number(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
