"""Curves of a run: which points are kept, and how they are stored in the table `events`. Loads no torch.

The steps of a run are cut into buckets: step 0 alone, then :func:`stride` steps each. A bucket holds its newest point.
For the losses, which jump, it also holds the points where the loss, or the loss of any one task, was lowest and highest
in it (the earlier of two equal ones). Attention and gates move a little with each step, and dev scores and prompts are
measured seldom, so for them the newest point is enough. What a bucket holds depends on its points alone, however they
were batched and whatever was measured twice. So a resumed run ends with the curve of an undisturbed one, and the newest
point of all is always kept.

Values are float32, except "prompts", a sketch, which are float16. Stores before schema 4, and the bundled runs, have
float16 throughout, which half the length shows. Such a number is read as its shortest decimal, .1 rather than
.09997559, because it never had more digits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from compt_core.runs.schema import events
from compt_core.training.events import Event

LIMITS = {"loss": 200, "task_loss": 200, "attention": 100, "gates": 100, "dev_score": 100,
          "prompts": 12, "phase_score": 10**9}  # points per run and kind; there are few phases, and each counts
JUMPING = ("loss", "task_loss")  # kinds whose extremes are kept
_HALF = ("prompts",)  # kinds that are written as float16
_AT_ONCE = 500  # runs in one query: SQLite limits its variables

Curve = tuple[np.ndarray, np.ndarray]  # (steps int64 [n], values float32 [n, d])
NOTHING: Curve = np.zeros(0, dtype=np.int64), np.zeros((0, 0), dtype=np.float32)


_STRETCH = select(events.c.kind, events.c.step, events.c.data).where(
    events.c.run == bindparam("of"), events.c.kind.in_(bindparam("kinds", expanding=True)),
    events.c.step.between(bindparam("first"), bindparam("last")))
_DELETE = delete(events).where(
    events.c.run == bindparam("r"), events.c.kind == bindparam("k"), events.c.step == bindparam("s"))
_UPSERT = insert(events).on_conflict_do_update(
    index_elements=[events.c.run, events.c.kind, events.c.step], set_={"data": insert(events).excluded.data})


class Shape(NamedTuple):
    """K tasks and S sources of a run, which say how many values a point has."""

    tasks: int
    sources: int

    def width(self, kind: str) -> int | None:
        """Values of a point of that kind; None where that is not known, as for "prompts"."""
        return {"loss": 1, **dict.fromkeys(("task_loss", "dev_score", "phase_score"), self.tasks),
                "gates": 2 * self.tasks, "attention": self.tasks * self.sources}.get(kind)


def stride(steps: int, kind: str, values: int = 1) -> int:
    """Steps per bucket for a run of `steps` optimizer steps (it passes steps 0 to `steps`) and points of `values`."""
    if steps < LIMITS[kind]:
        return 1
    held = 1 + 2 * values if kind in JUMPING else 1
    return -(-steps // max(1, (LIMITS[kind] - 1) // held))


def bucket(step: int, width: int) -> tuple[int, int]:
    """First and last step of the bucket with `step`: (0, 0), (1, width), (width + 1, 2 width), …"""
    last = -(-step // width) * width
    return max(0, last - width + 1 if last else 0), last


def kept(kind: str, points: Mapping[int, np.ndarray]) -> set[int]:
    """Which points (step -> values, not empty) a bucket keeps; applied to those again, it keeps the same ones."""
    steps = sorted(points)
    chosen = {steps[-1]}
    if kind in JUMPING:
        values = np.stack([points[step] for step in steps])
        unknown = np.isnan(values)
        for at in (np.where(unknown, np.inf, values).argmin(0), np.where(unknown, -np.inf, values).argmax(0)):
            chosen |= {steps[place] for place in at.tolist()}
    return chosen


def thin(values: np.ndarray, most: int) -> np.ndarray:
    """Indices of about `most` points of a curve [n, d]. The first and the last are among them and, while they fit, the
    extremes of each of its d values."""
    count = len(values)
    if count <= most:
        return np.arange(count)
    width = -(-count // max(1, (most - 1) // (1 + 2 * values.shape[1])))
    chosen = {0}
    for first in range(0, count, width):
        chosen |= kept("loss", {at: values[at] for at in range(first, min(first + width, count))})
    return np.array(sorted(chosen))


def pack(values: Sequence[float] | np.ndarray, kind: str) -> bytes:
    """Values as little-endian floats; a finite value beyond their range becomes the largest one.

    An array of float16 stays one: it comes from bundled runs, whose numbers have no more digits.
    """
    half = kind in _HALF or getattr(values, "dtype", None) == np.float16
    array, largest = np.asarray(values, dtype=np.float64), float(np.finfo(np.float16 if half else np.float32).max)
    edged = np.where(np.isfinite(array), np.clip(array, -largest, largest), array)
    return edged.astype("<f2" if half else "<f4").tobytes()


def unpack(blobs: Sequence[bytes], width: int) -> np.ndarray:
    """float32 [n, width] from n blobs of `width` values each, in either precision."""
    if len(set(map(len, blobs))) == 1 and len(blobs[0]) == 4 * width:
        return np.frombuffer(b"".join(blobs), "<f4").reshape(-1, width)
    found, halves = np.empty((len(blobs), width), dtype=np.float32), [len(blob) == 2 * width for blob in blobs]
    for half in set(halves):
        joined = b"".join(blob for blob, is_half in zip(blobs, halves, strict=True) if is_half == half)
        values = _decimals_of_halves()[np.frombuffer(joined, dtype="<u2")] if half else np.frombuffer(joined, "<f4")
        found[np.equal(halves, half)] = values.reshape(-1, width)
    return found


@lru_cache(maxsize=1)
def _decimals_of_halves() -> np.ndarray:
    """float32 [65536]: every float16, in the order of its bits, as its shortest decimal."""
    return np.arange(2**16, dtype=np.uint16).view(np.float16).astype("U").astype(np.float32)


def decimals(values: np.ndarray) -> np.ndarray:
    """float32 as the float64 with the same digits: .1, not .10000000149, so that no digit is made up."""
    return values.astype("U").astype(np.float64) if values.dtype == np.float32 else np.asarray(values, np.float64)


def record(connection: Connection, steps: int, points: Iterable[Event]) -> None:
    """Upserts points of one run of `steps` steps; each bucket keeps the points that :func:`kept` names."""
    groups = dict[tuple[str, int, int], dict[int, bytes]]()
    for point in points:
        run, width = point.run, stride(steps, point.kind, len(point.values))
        packed = pack(point.values, point.kind)
        groups.setdefault((point.kind, *bucket(point.step, width)), {})[point.step] = packed
    wide = [group for group in groups if group[1] < group[2]]
    before = _held(connection, run, wide) if wide else []
    stale, rows = list[dict[str, Any]](), list[dict[str, Any]]()
    for (kind, first, last), new in groups.items():
        held = {step: blob for at, step, blob in before if at == kind and first <= step <= last} | new
        values = _values(held, kind, next(iter(new.values())))
        staying = kept(kind, values)
        rows += [{"run": run, "kind": kind, "step": step, "data": new[step]} for step in new if step in staying]
        stale += [{"r": run, "k": kind, "s": step} for step in values if step not in staying]
    if stale:
        connection.execute(_DELETE, stale)
    if rows:
        connection.execute(_UPSERT, rows)


def _held(connection: Connection, run: str, wide: Sequence[tuple[str, int, int]]) -> Sequence[tuple[str, int, Any]]:
    """(kind, step, data) of a run's stored points in the stretch of these buckets: kind, first and last step."""
    found = connection.execute(_STRETCH, {
        "of": run, "kinds": sorted({kind for kind, *_ in wide}), "first": min(first for _, first, _ in wide),
        "last": max(last for *_, last in wide)})
    return [(kind, step, data) for kind, step, data in found]


def _values(held: Mapping[int, bytes], kind: str, like: bytes) -> dict[int, np.ndarray]:
    """Step -> values for the blobs of one bucket, without those whose number of values differs from that of `like`."""
    width = len(like) // (2 if kind in _HALF else 4)
    return {step: unpack([blob], width)[0] for step, blob in held.items() if _fits(blob, width)}


def _fits(blob: object, width: int) -> bool:
    return isinstance(blob, bytes) and len(blob) in (2 * width, 4 * width)


def restore(connection: Connection, run: str, curves: Mapping[str, tuple[Any, Any]]) -> None:
    """Inserts whole curves of a run that has none: kind -> (steps [n], values [n, d])."""
    rows = [{"run": run, "kind": kind, "step": int(step), "data": pack(row, kind)}
            for kind, (steps, values) in curves.items() for step, row in zip(steps, values, strict=True)]
    if rows:
        connection.execute(insert(events), rows)


def drop_after(connection: Connection, run: str, step: int) -> None:
    """Deletes the points of a run beyond `step`: it goes on from there, and they are measured again."""
    connection.execute(delete(events).where(events.c.run == run, events.c.step > step))


def curves(connection: Connection, runs: Mapping[str, Shape], kind: str, notes: list[str] | None = None
           ) -> dict[str, Curve]:
    """Run -> its curve, for the `runs` that have points; sentences on points that cannot be read go to `notes`."""
    found: dict[str, tuple[list[Any], list[Any]]] = {}
    names = list(runs)
    for some in (names[i : i + _AT_ONCE] for i in range(0, len(names), _AT_ONCE)):
        wanted = select(events.c.run, events.c.step, events.c.data) \
            .where(events.c.run.in_(some), events.c.kind == kind).order_by(events.c.run, events.c.step)
        for run, step, data in connection.execute(wanted):
            steps, blobs = found.setdefault(run, ([], []))
            steps.append(step)
            blobs.append(data)
    read = {run: _curve(run, kind, *found[run], runs[run], notes) for run in names if run in found}
    return {run: curve for run, curve in read.items() if len(curve[0])}


def _curve(run: str, kind: str, steps: list[Any], blobs: list[Any], shape: Shape, notes: list[str] | None) -> Curve:
    """A curve from its steps, in order, and its blobs, without damaged points."""
    width = shape.width(kind)
    if width is None:
        sizes = Counter(len(blob) // 2 for blob in blobs if isinstance(blob, bytes))
        width = max(sizes, key=sizes.__getitem__, default=0)
    if {int} != set(map(type, steps)) or steps[0] < 0 or {bytes} != set(map(type, blobs)) \
            or not set(map(len, blobs)) <= {2 * width, 4 * width}:
        whole = [at for at, (step, blob) in enumerate(zip(steps, blobs, strict=True))
                 if type(step) is int and step >= 0 and _fits(blob, width)]
        if notes is not None:
            lost = f"{len(steps) - len(whole)} of {len(steps)} points of the curve '{kind}'"
            notes.append(f"In run '{run}', {lost} cannot be read and are left out, because the store is damaged there. "
                         "Put back a copy of it, or train the run again.")
        steps, blobs = [steps[at] for at in whole], [blobs[at] for at in whole]
    return (np.array(steps, dtype=np.int64), unpack(blobs, width)) if steps else NOTHING
