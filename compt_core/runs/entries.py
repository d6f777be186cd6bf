"""How experiments get into the tables: submitted for training, or restored as already finished. Loads no torch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table, func, insert, select

from compt_core.runs import points, starts
from compt_core.runs.ids import new_id
from compt_core.runs.record import ExperimentRecord, Left, RunRecord, State
from compt_core.runs.schema import experiments, runs, waits
from compt_core.settings.config import Experiment, RunConfig
from compt_core.tasks.catalogue import Catalogue


def submit(connection: Connection, experiment: Experiment, owner: str, tasks: Catalogue,
           grid: Mapping[str, RunConfig]) -> str:
    """Queues `grid`, the runs of the experiment by id, with the `tasks` that belong to it; returns its id."""
    identity, now = new_id(), time.time()
    rows = [
        {"id": run, "experiment": identity, "owner": owner, "backbone": config.backbone,
         "method": config.method, "shots": config.shots, "seed": config.seed,
         "config": config.model_dump(mode="json"), "state": State.QUEUED.value, "step": 0, "created": now}
        for run, config in grid.items()
    ]
    connection.execute(insert(experiments).values(
        id=identity, owner=owner, created=now, config=experiment.model_dump(mode="json"),
        task_definitions=tasks.only(experiment.tasks).written()))
    connection.execute(insert(runs), rows)
    if pairs := starts.waits(grid):
        connection.execute(insert(waits), [{"run": run, "before": before} for run, before in pairs])
    return identity


def restore(
    connection: Connection, experiment: ExperimentRecord, records: Sequence[RunRecord], left: Sequence[Left],
    newest: bool = False,
) -> bool:
    """Inserts a finished experiment, its runs and their curves, numbered as older than everything that is there, or as
    `newest`.

    Returns False and inserts nothing if the experiment is there already.
    """
    if connection.execute(select(experiments.c.id).where(experiments.c.id == experiment.id)).first():
        return False
    first, below = (_after(connection, table) if newest else _before(connection, table, size)
                    for table, size in ((experiments, 1), (runs, len(records))))
    connection.execute(insert(experiments).values(
        number=first, id=experiment.id, owner=experiment.owner, created=experiment.created, config=experiment.config,
        reference_rows=experiment.references, task_definitions=experiment.tasks.written()))
    connection.execute(insert(runs), [
        {**{name: value for name, value in vars(record).items() if name != "tasks"},  # these belong to its experiment
         "number": below + place, "state": record.state.value, "backbone": record.config["backbone"]}
        for place, record in enumerate(records)
    ])
    for record, parts in zip(records, left, strict=True):
        points.restore(connection, record.id, parts.curves)
    return True


def _before(connection: Connection, table: Table, size: int) -> int:
    """The first of `size` numbers below all of a table's."""
    return min(0, connection.execute(select(func.min(table.c.number))).scalar() or 0) - size


def _after(connection: Connection, table: Table) -> int:
    """The first number above all of a table's."""
    return max(0, connection.execute(select(func.max(table.c.number))).scalar() or 0) + 1
