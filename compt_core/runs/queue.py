"""The queue, which is the table `runs`: every change of a run's state, inside the caller's transaction.

:func:`move` is the only place that writes a state; all else here decides which move to make. Loads no torch.
"""

from __future__ import annotations

import secrets
import string
import time
import traceback
from collections.abc import Collection, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, insert, select, update

from compt_core.errors import StoreError
from compt_core.runs.record import TERMINAL, TRANSITIONS, ExperimentRecord, RunRecord, State
from compt_core.runs.schema import experiments, runs
from compt_core.training.events import Outcome

ID_LENGTH = 10
_ALPHABET = string.ascii_lowercase + string.digits


def new_id() -> str:
    """A random id that fits into a URL: ten lower-case letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))


def check_id(value: object, noun: str) -> str:
    """`value` as an id, or StoreError: ids come from links and command lines, so anything may stand there."""
    if isinstance(value, str) and len(value) == ID_LENGTH and set(value) <= set(_ALPHABET):
        return value
    raise unknown(value, noun)


def unknown(value: object, noun: str) -> StoreError:
    """The sentence for an id that the store does not hold; control characters escaped, long ones cut."""
    shown = repr(value)
    shown = shown if len(shown) <= 40 else shown[:37] + "…'"
    return StoreError(f"There is no {noun} {shown} in this store. Take its id from the list of runs.")


def find(connection: Connection, run: str) -> Row[Any]:
    """The row of a run. Raises StoreError when there is none."""
    row = connection.execute(select(runs).where(runs.c.id == check_id(run, "run"))).one_or_none()
    if row is None:
        raise unknown(run, "run")
    return row


def move(connection: Connection, moved: Collection[str], after: State, **values: Any) -> None:
    """Moves runs to the state `after` and sets `values`, if TRANSITIONS allows it from where each is.

    A pending request is done with by any move; `finished` is set on entering a terminal state.
    Raises StoreError for a forbidden move, or when another transaction moved a run meanwhile.
    """
    before = connection.execute(select(runs.c.id, runs.c.state).where(runs.c.id.in_(moved))).all()
    for run, state in before:
        if after not in TRANSITIONS[State(state)]:
            allowed = ", ".join(sorted(TRANSITIONS[State(state)])) or "nothing else"
            raise StoreError(f"Run '{run}' is {state} and cannot become {after}: from there it can become {allowed}.")
    values = {"request": None, "finished": time.time() if after in TERMINAL else None} | values
    done = connection.execute(
        update(runs).where(runs.c.id.in_(moved), runs.c.state.in_({state for _, state in before}))
        .values(state=after.value, **values))
    if done.rowcount != len(moved):
        raise StoreError(f"{len(moved)} runs were to become {after}, but only {done.rowcount} could. Try again.")


def request(connection: Connection, run: str, what: Literal["cancel", "pause"]) -> None:
    """Cancels or pauses a run at once where nothing trains it; asks its trainer otherwise. Idempotent."""
    row = find(connection, run)
    after = {"cancel": State.CANCELLED, "pause": State.PAUSED}[what]
    if row.state == State.RUNNING:
        if row.request != "cancel":  # a cancel is not taken back by a later pause
            connection.execute(update(runs).where(runs.c.id == run).values(request=what))
    elif after in TRANSITIONS[State(row.state)]:
        move(connection, [run], after)


def requeue(connection: Connection, run: str) -> None:
    """Puts a paused or interrupted run back into the queue; any other stays as it is."""
    if State.QUEUED in TRANSITIONS[State(find(connection, run).state)]:
        move(connection, [run], State.QUEUED)


def waiting(connection: Connection) -> bool:
    """Whether any run is queued."""
    return connection.execute(select(runs.c.id).where(runs.c.state == State.QUEUED.value).limit(1)).first() is not None


def claim(connection: Connection) -> str | None:
    """Marks the next fleet running and returns its new id; None when nothing is queued.

    The fleet is the oldest waiting experiment's queued runs that share owner and backbone with its
    first queued run.
    """
    queued = select(runs.c.id).join(experiments, runs.c.experiment == experiments.c.id) \
        .where(runs.c.state == State.QUEUED.value)
    first = connection.execute(
        queued.add_columns(runs.c.experiment, runs.c.owner, runs.c.backbone)
        .order_by(experiments.c.number, runs.c.number).limit(1)
    ).one_or_none()
    if first is None:
        return None
    fleet, now = new_id(), time.time()
    mates = connection.execute(queued.where(
        runs.c.experiment == first.experiment, runs.c.owner == first.owner, runs.c.backbone == first.backbone))
    move(connection, mates.scalars().all(), State.RUNNING, fleet=fleet, started=now, heartbeat=now)
    return fleet


def position(connection: Connection, run: str) -> int | None:
    """Queued runs of older experiments: 0 when its own experiment is next; None if it is not queued."""
    row = find(connection, run)
    if row.state != State.QUEUED:
        return None
    own = select(experiments.c.number).where(experiments.c.id == row.experiment).scalar_subquery()
    return connection.execute(
        select(func.count()).select_from(runs).join(experiments, runs.c.experiment == experiments.c.id)
        .where(runs.c.state == State.QUEUED.value, experiments.c.number < own)
    ).scalar_one()


def sweep(connection: Connection) -> int:
    """Ends what a dead worker left running: interrupted, or what was asked for last. Returns how many."""
    left = connection.execute(select(runs.c.id, runs.c.request).where(runs.c.state == State.RUNNING.value)).all()
    for asked in {row.request for row in left}:
        move(connection, [row.id for row in left if row.request == asked], _unfinished(asked))
    return len(left)


def close(connection: Connection, run: str, outcome: Outcome) -> None:
    """Ends a running run as its trainer says, but for what was asked for meanwhile.

    completed stays completed: the work is done. Else a pending cancel wins. A trainer that paused a
    run which nobody asked to pause was stopped itself: interrupted.
    """
    row = find(connection, run)
    if outcome.state == "completed":
        move(connection, [run], State.COMPLETED, result=outcome.result or {},
             step=row.step if row.steps is None else row.steps)
    elif outcome.state == "cancelled" or row.request == "cancel":
        move(connection, [run], State.CANCELLED)
    elif outcome.state == "paused":
        move(connection, [run], _unfinished(row.request))
    else:
        error = outcome.error or RuntimeError("The trainer gave no reason.")
        move(connection, [run], State.FAILED, error_type=type(error).__name__,
             error_message=str(error) or repr(error), traceback="".join(traceback.format_exception(error)))


def _unfinished(asked: str | None) -> State:
    return {"cancel": State.CANCELLED, "pause": State.PAUSED}.get(asked or "", State.INTERRUPTED)


def restore(connection: Connection, experiment: ExperimentRecord, records: Sequence[RunRecord]) -> bool:
    """Inserts a finished experiment and its runs, numbered below all that are there: older than anything queued.

    False, and nothing, when the experiment is there already.
    """
    if connection.execute(select(experiments.c.id).where(experiments.c.id == experiment.id)).first():
        return False
    lowest = [connection.execute(select(func.min(table.c.number))).scalar() or 0 for table in (experiments, runs)]
    first, below = min(0, lowest[0]) - 1, min(0, lowest[1]) - len(records)
    connection.execute(insert(experiments).values(
        number=first, id=experiment.id, owner=experiment.owner, created=experiment.created, config=experiment.config,
        reference_rows=experiment.references))
    connection.execute(insert(runs), [
        {**vars(record), "number": below + place, "state": record.state.value, "backbone": record.config["backbone"]}
        for place, record in enumerate(records)
    ])
    return True
