"""Curves of a run: which points are kept, and how they lie in the table `events`. Loads no torch.

The steps of a run are cut into at most LIMIT buckets: step 0 alone, then ``stride`` steps each. A
bucket holds one point, its newest. Stride and buckets follow from the number of steps alone, so a
resumed run fills the same buckets, and the newest point of all is always kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from compt_core.runs.schema import events
from compt_core.training.events import Event

LIMITS = {"loss": 200, "task_loss": 200, "attention": 100, "gates": 100, "dev_score": 100,
          "prompts": 12}  # points per run and kind
_AT_ONCE = 500  # runs in one query: SQLite limits its variables
_LARGEST = float(np.finfo(np.float16).max)


def stride(steps: int, kind: str) -> int:
    """Steps per bucket of a run of `steps` optimizer steps, which passes steps 0 to `steps`."""
    return max(1, -(-steps // (LIMITS[kind] - 1)))


def bucket(step: int, width: int) -> tuple[int, int]:
    """First and last step of the bucket that holds `step`: (0, 0), (1, width), (width + 1, 2 width), …"""
    last = -(-step // width) * width
    return max(0, last - width + 1 if last else 0), last


def pack(values: Sequence[float]) -> bytes:
    """Values as little-endian float16; a finite value beyond its range stays finite, at the edge."""
    array = np.asarray(values, dtype=np.float64)
    edged = np.where(np.isfinite(array), np.clip(array, -_LARGEST, _LARGEST), array)
    return edged.astype("<f2").tobytes()


def unpack(blobs: Sequence[bytes]) -> np.ndarray:
    """float32 [n, d] of n blobs of d values each; [0, 0] of none."""
    if not blobs:
        return np.zeros((0, 0), dtype=np.float32)
    return np.frombuffer(b"".join(blobs), dtype="<f2").astype(np.float32).reshape(len(blobs), -1)


def record(connection: Connection, steps: int, points: Iterable[Event]) -> None:
    """Upserts points of one run of `steps` steps, each replacing what its bucket held."""
    newest = {(point.kind, bucket(point.step, stride(steps, point.kind))): point for point in points}
    rows = [
        {"run": point.run, "kind": kind, "step": point.step, "data": pack(point.values), "first": first, "last": last}
        for (kind, (first, last)), point in newest.items()
    ]
    wide = [row for row in rows if row["first"] != row["last"]]
    if wide:
        connection.execute(
            delete(events).where(
                events.c.run == bindparam("run"), events.c.kind == bindparam("kind"),
                events.c.step.between(bindparam("first"), bindparam("last")), events.c.step != bindparam("step")),
            wide,
        )
    if rows:
        upsert = insert(events)
        upsert = upsert.on_conflict_do_update(
            index_elements=[events.c.run, events.c.kind, events.c.step], set_={"data": upsert.excluded.data})
        connection.execute(upsert, [{key: row[key] for key in ("run", "kind", "step", "data")} for row in rows])


def restore(connection: Connection, run: str, curves: Mapping[str, tuple[Any, Any]]) -> None:
    """Inserts whole curves of a run that has none: kind -> (steps [n], values [n, d])."""
    rows = [{"run": run, "kind": kind, "step": int(step), "data": pack(row)}
            for kind, (steps, values) in curves.items() for step, row in zip(steps, values, strict=True)]
    if rows:
        connection.execute(insert(events), rows)


def drop_after(connection: Connection, run: str, step: int) -> None:
    """Forgets the points of a run beyond `step`: it goes on from there, and they are measured again."""
    connection.execute(delete(events).where(events.c.run == run, events.c.step > step))


def curves(connection: Connection, runs: Sequence[str], kind: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Run -> its whole curve as :func:`curve` gives it, for those of `runs` that have points."""
    found: dict[str, tuple[list[int], list[bytes]]] = {}
    for some in (runs[i : i + _AT_ONCE] for i in range(0, len(runs), _AT_ONCE)):
        wanted = select(events.c.run, events.c.step, events.c.data) \
            .where(events.c.run.in_(some), events.c.kind == kind).order_by(events.c.run, events.c.step)
        for run, step, data in connection.execute(wanted):
            steps, blobs = found.setdefault(run, ([], []))
            steps.append(step)
            blobs.append(data)
    return {run: (np.array(steps, dtype=np.int64), unpack(blobs)) for run, (steps, blobs) in found.items()}


def curve(connection: Connection, run: str, kind: str, after_step: int) -> tuple[np.ndarray, np.ndarray]:
    """(steps int64 [n], values float32 [n, d]) of the points beyond `after_step`, by step."""
    rows = connection.execute(
        select(events.c.step, events.c.data)
        .where(events.c.run == run, events.c.kind == kind, events.c.step > after_step).order_by(events.c.step)
    ).all()
    return np.array([row.step for row in rows], dtype=np.int64), unpack([row.data for row in rows])
