"""The queue, which is the table `runs`: every change of a run's state, inside the caller's transaction.

:func:`move` is the only place that writes a state; everything else here decides which move to make. Loads no torch.
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from typing import Any, Literal

from sqlalchemy import Column, ColumnElement, Connection, Float, Integer, Row, bindparam, cast, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from compt_core.errors import StoreError, plural
from compt_core.planning.fleets import fleets
from compt_core.runs import points, waiting_for
from compt_core.runs.forget import delete, readable, set_aside
from compt_core.runs.ids import check_id, is_id, new_id, unknown
from compt_core.runs.record import BUNDLED, TERMINAL, TRANSITIONS, RunRecord, State
from compt_core.runs.rows import RUNS, check_running, name_of, named, run_record
from compt_core.runs.schema import experiments, runs, turns
from compt_core.training.events import Event, Outcome

Request = Literal["cancel", "pause", "delete"]
_ASKED = {"cancel": State.CANCELLED, "pause": State.PAUSED}
_STRENGTH = {"pause": 1, "cancel": 2, "delete": 3}
_TOGETHER = (runs.c.experiment, runs.c.owner, runs.c.backbone, runs.c.fleet)  # equal for runs that train together
_BY_ID = RUNS.where(runs.c.id == bindparam("wanted"))
_TURN = func.coalesce(cast(turns.c.turn, Integer), 0)
_PLACE = func.coalesce(cast(experiments.c.place, Float), experiments.c.number)  # a number, whatever the cell holds


def find(connection: Connection, run: str) -> Row[Any]:
    """The row of a run. Raises StoreError if there is none."""
    row = known(connection, run)
    if row is None:
        raise unknown(run, "run")
    return row


def known(connection: Connection, run: str) -> Row[Any] | None:
    """The row of a run, or None. Raises StoreError for anything but an id."""
    if is_id(run):  # with a statement that is made once, since every batch of points asks this
        return connection.execute(_BY_ID, {"wanted": run}).one_or_none()
    found = connection.execute(RUNS.where(named(runs, run))).one_or_none()
    return found if found is None or name_of(found) == run else None


def move(connection: Connection, moved: Collection[str], after: State, **values: Any) -> None:
    """Moves runs to the state `after` and sets `values`, if TRANSITIONS allows it from where each is.

    Any move ends a pending request; `finished` is set on entering a terminal state.
    Raises StoreError for a forbidden move, or if another transaction moved a run meanwhile.
    """
    before = connection.execute(select(runs.c.id, runs.c.state).where(runs.c.id.in_(moved))).all()
    for run, state in before:
        if after not in TRANSITIONS[State(state)]:
            allowed = ", ".join(sorted(TRANSITIONS[State(state)])) or "nothing else"
            raise StoreError(f"Run '{run}' is {state} and cannot become {after}. From there it can become {allowed}.")
    if after == State.CANCELLED:
        values["checkpoint"] = None  # queued again, it starts from the beginning
    values = {"request": None, "finished": time.time() if after in TERMINAL else None} | values
    done = connection.execute(
        update(runs).where(runs.c.id.in_(moved), runs.c.state.in_({state for _, state in before}))
        .values(state=after.value, **values))
    if done.rowcount != len(moved):
        raise StoreError(f"{plural(len(moved), 'run')} should have become {after}, but only "
                         f"{done.rowcount} could. Try again.")


def request(connection: Connection, run: str, what: Request) -> None:
    """Cancels, pauses or deletes a run at once if nothing trains it; otherwise asks its trainer. Idempotent."""
    row = find(connection, run)
    if what != "delete":
        run_record(row)  # a run that cannot be read can only be deleted
    elif row.owner == BUNDLED and readable(row):
        raise StoreError(f"Run '{run}' comes with ComPT Lab and stays as it is. Start the dashboard with "
                         "COMPT_DEMO_RUNS=off to leave all bundled runs out of a new store.")
    if row.state == State.RUNNING:
        if _STRENGTH[what] > _STRENGTH.get(row.request, 0):  # a later pause does not take back a cancel
            connection.execute(update(runs).where(runs.c.number == row.number).values(request=what))
    elif what == "delete":
        delete(connection, [row.number])
    elif (after := _ASKED[what]) in TRANSITIONS[State(row.state)]:
        move(connection, [run], after)


def requeue(connection: Connection, run: str) -> None:
    """Puts a run that ended without being completed back into the queue; any other run stays as it is.

    A failed run loses its error. The run goes on from its last checkpoint, if it has one.
    """
    row = find(connection, run)
    run_record(row)
    if State.QUEUED in TRANSITIONS[State(row.state)]:
        again = {"fleet": None} if row.state in TERMINAL else {}  # others go on together with those they trained with
        move(connection, [run], State.QUEUED, error_type=None, error_message=None, traceback=None, **again)


def requeue_fleet(connection: Connection, fleet: str) -> None:
    """Puts the interrupted runs of a fleet back into the queue."""
    left = select(runs.c.id).where(runs.c.fleet == fleet, runs.c.state == State.INTERRUPTED.value)
    move(connection, connection.execute(left).scalars().all(), State.QUEUED)


def started(connection: Connection, run: str, steps: int, versions: Mapping[str, Any], step: int) -> None:
    """Notes that a running run starts at `step` of `steps`; its curves and checkpoint beyond that are deleted."""
    check_running(find(connection, run))
    points.drop_after(connection, run, step)
    connection.execute(update(runs).where(runs.c.id == run).values(
        steps=steps, step=step, versions=versions, heartbeat=time.time(), checkpoint=step or None))


def heartbeat(connection: Connection, fleet: str) -> None:
    """Notes that the running runs of a fleet are still alive."""
    connection.execute(update(runs).where(runs.c.fleet == fleet, runs.c.state == State.RUNNING.value)
                       .values(heartbeat=time.time()))


def measured(connection: Connection, run: str, found: Sequence[Event]) -> None:
    """Keeps measured points of a run. Raises StoreError if it has not started or has ended."""
    row = find(connection, run)
    if not found:
        return
    check_running(row)
    if row.steps is None:
        raise StoreError(f"Run '{run}' has not started: call started() before keeping points of it.")
    points.record(connection, row.steps, found)
    connection.execute(update(runs).where(runs.c.id == run).values(
        step=max(row.step, *(point.step for point in found)), heartbeat=time.time()))


def keep_checkpoints(connection: Connection, steps: Mapping[str, int]) -> None:
    """Notes the step that each running run would go on from."""
    for run, step in steps.items():
        connection.execute(update(runs).where(runs.c.id == run, runs.c.state == State.RUNNING.value)
                           .values(checkpoint=step))


def set_references(connection: Connection, experiment: str, references: Mapping[str, Any]) -> None:
    """Keeps the reference rows of an experiment. Raises UnknownId."""
    wanted = update(experiments).where(experiments.c.id == check_id(experiment, "experiment"))
    if not connection.execute(wanted.values(reference_rows=references)).rowcount:
        raise unknown(experiment, "experiment")


def first(connection: Connection, experiment: str) -> None:
    """Moves an experiment to the front of its owner's queue."""
    own = connection.execute(
        select(experiments.c.owner).where(experiments.c.id == check_id(experiment, "experiment"))).scalar()
    lowest = connection.execute(
        select(func.min(_PLACE)).join(runs, runs.c.experiment == experiments.c.id)
        .where(runs.c.state == State.QUEUED.value, experiments.c.owner == own, experiments.c.id != experiment)).scalar()
    if lowest is not None:
        connection.execute(update(experiments).where(experiments.c.id == experiment).values(place=lowest - 1))


def waiting(connection: Connection) -> bool:
    """Whether any run is queued that could be trained now, or that waits for one that can no longer complete."""
    wanted = select(runs.c.id).where(runs.c.state == State.QUEUED.value, waiting_for.READY | waiting_for.IN_VAIN)
    return connection.execute(wanted.limit(1)).first() is not None


def give_up(connection: Connection) -> None:
    """Fails queued runs that wait for a run that was deleted, failed or cancelled, and those that wait for them."""
    while found := waiting_for.in_vain(connection):
        for run, why in found.items():
            move(connection, [run], State.FAILED, error_type="WaitError", error_message=why)


def running(connection: Connection) -> bool:
    """Whether any run has the state running."""
    return connection.execute(select(runs.c.id).where(runs.c.state == State.RUNNING.value).limit(1)).first() is not None


def requests(connection: Connection, fleet: str) -> dict[str, str]:
    """Run id -> what was asked for, for the fleet's running runs."""
    wanted = select(runs.c.id, runs.c.request).where(
        runs.c.fleet == fleet, runs.c.state == State.RUNNING.value, runs.c.request.is_not(None))
    return {row.id: row.request for row in connection.execute(wanted)}


def others_wait(connection: Connection, fleet: str) -> bool:
    """Whether a run of another owner than the fleet's is queued."""
    own = select(runs.c.owner).where(runs.c.fleet == fleet).limit(1).scalar_subquery()
    return connection.execute(
        select(runs.c.id).where(runs.c.state == State.QUEUED.value, runs.c.owner != own).limit(1)).first() is not None


def claim(connection: Connection) -> tuple[RunRecord, ...]:
    """Marks the next fleet as running and returns its runs; () if nothing is queued.

    The fleet is the first of :func:`line`, or as many of its runs as make the first of :func:`fleets`.
    """
    give_up(connection)
    mates = list[str]()
    while not mates:
        ahead = line(connection)
        if not ahead:
            return ()
        next_, fleet, now = ahead[0], new_id(), time.time()
        together = [runs.c.state == State.QUEUED.value, waiting_for.READY,
                    *(_as(column, next_.first) for column in _TOGETHER)]
        found = connection.execute(RUNS.where(*together).order_by(runs.c.number)).all()
        if not found:  # an index of the file disagrees with its rows
            return ()
        mates = set_aside(connection, found)
    move(connection, fleets(mates)[0], State.RUNNING, fleet=fleet, started=now, heartbeat=now)
    turn = connection.execute(select(func.coalesce(func.max(_TURN), 0) + 1)).scalar_one()
    connection.execute(upsert(turns).values(owner=next_.owner, turn=turn)
                       .on_conflict_do_update(index_elements=[turns.c.owner], set_={"turn": turn}))
    return tuple(map(run_record, connection.execute(RUNS.where(runs.c.fleet == fleet).order_by(runs.c.number))))


def _as(column: Column[Any], number: int) -> ColumnElement[bool]:
    """Whether a run has the same value in a column as the run with that number, compared in SQL, whatever it is."""
    first = runs.alias()
    return column.is_not_distinct_from(select(first.c[column.name]).where(first.c.number == number).scalar_subquery())


def line(connection: Connection) -> list[Row[Any]]:
    """What can be trained, in the order of training: (owner, experiment, runs, place, number of its first run). Runs
    that wait for others are left out.

    Owners take turns, and the one who has waited longest comes first. The experiments of an owner come in their order.
    Runs of an experiment that share a backbone train together, and runs that were in a fleet before as that fleet.
    """
    groups = connection.execute(
        select(runs.c.owner, runs.c.experiment, func.count().label("runs"), _PLACE.label("place"),
               func.min(runs.c.number).label("first"))
        .join(experiments, runs.c.experiment == experiments.c.id)
        .where(runs.c.state == State.QUEUED.value, waiting_for.READY)
        .group_by(*_TOGETHER)
        .order_by(_PLACE, func.min(runs.c.number))).all()
    served: dict[str, int] = dict(map(tuple, connection.execute(select(turns.c.owner, _TURN))))
    of_owner: dict[str, deque[Row[Any]]] = {}
    for group in groups:
        of_owner.setdefault(group.owner, deque()).append(group)
    turn, ordered = max(served.values(), default=0), []
    while of_owner:
        owner = min(of_owner, key=lambda name: (served.get(name, 0), of_owner[name][0].place))
        turn += 1
        served[owner] = turn
        ordered.append(of_owner[owner].popleft())
        if not of_owner[owner]:
            del of_owner[owner]
    return ordered


def position(connection: Connection, run: str) -> int | None:
    """How many queued runs come before its experiment's runs: 0 if that is next, None if the run is not queued."""
    row = find(connection, run)
    if row.state != State.QUEUED:
        return None
    before = takewhile(lambda group: group.experiment != row.experiment, line(connection))
    return sum(group.runs for group in before)


def sweep(connection: Connection) -> list[str]:
    """Ends runs that a dead worker left running: interrupted, or as was asked for last. Returns which runs."""
    running = select(runs.c.number, runs.c.id, runs.c.request).where(runs.c.state == State.RUNNING.value)
    left = connection.execute(running).all()
    delete(connection, [row.number for row in left if row.request == "delete"])
    set_aside(connection, connection.execute(RUNS.where(runs.c.state == State.RUNNING.value)).all())
    those = connection.execute(running).all()
    for asked in {row.request for row in those}:
        move(connection, [row.id for row in those if row.request == asked], _unfinished(asked))
    return [row.id for row in left if is_id(row.id)]


def close(connection: Connection, run: str, outcome: Outcome) -> None:
    """Ends a running run as its trainer says, unless something else was asked for: a run to be deleted is gone.

    completed stays completed, since the work is done. Otherwise a pending cancel wins. If a trainer paused a run that
    nobody asked to pause, the trainer itself was stopped: interrupted.
    """
    row = find(connection, run)
    if row.request == "delete" and row.state == State.RUNNING:
        delete(connection, [row.number])
    elif outcome.state == "completed":
        move(connection, [run], State.COMPLETED, result=outcome.result or {}, checkpoint=None,
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
