"""Queued runs that must wait until other runs are completed, as the table `waits` says. Loads no torch."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Connection, func, or_, select

from compt_core.runs.record import State
from compt_core.runs.schema import runs, waits

_before = runs.alias("before")
_JOINED = waits.outerjoin(_before, _before.c.id == waits.c.before)
_LOST = or_(_before.c.state.is_(None), _before.c.state.in_((State.FAILED.value, State.CANCELLED.value)))


def _some(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a run of the outer query waits for a run with that condition."""
    return select(waits.c.run).select_from(_JOINED).where(waits.c.run == runs.c.id, condition).correlate(runs).exists()


# Conditions on a row of `runs`: nothing is left to wait for; or what it waits for may never come.
READY: Final = ~_some(func.coalesce(_before.c.state, "") != State.COMPLETED.value)
IN_VAIN: Final = _some(_LOST)


def in_vain(connection: Connection) -> dict[str, str]:
    """Queued run -> why it waits in vain: for a run that was deleted, failed or cancelled."""
    wanted = select(runs.c.id, waits.c.before, _before.c.state) \
        .select_from(runs.join(_JOINED, waits.c.run == runs.c.id)).where(runs.c.state == State.QUEUED.value, _LOST)
    return {run: f"It waits for run '{before}', which was deleted. Launch both again." if state is None else
            f"It waits for run '{before}', which is {state}. Resume that run, and then this one."
            for run, before, state in connection.execute(wanted)}


def unfinished(connection: Connection, experiment: str) -> dict[str, str]:
    """Run that a queued run of the experiment waits for -> its state, while that is not "completed"."""
    wanted = select(waits.c.before, func.coalesce(_before.c.state, "gone")) \
        .select_from(runs.join(_JOINED, waits.c.run == runs.c.id)) \
        .where(runs.c.experiment == experiment, runs.c.state == State.QUEUED.value,
               func.coalesce(_before.c.state, "") != State.COMPLETED.value)
    return {before: str(state) for before, state in connection.execute(wanted)}
