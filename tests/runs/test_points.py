"""Curves: how many points are kept, which, and that going over a stretch again adds none."""

import sqlite3
import threading
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compt_core.errors import StoreError
from compt_core.runs import points
from compt_core.training.events import Event, Log, Outcome


@pytest.fixture
def begin(store, grid):
    """Starts one run of the given number of steps and returns its id."""
    def claim(steps: int) -> str:
        store.submit(grid())
        (record,) = store.claim()
        store.started(record.id, steps, {"torch": "none"})
        return record.id

    return claim


def loss(run, *steps):
    return [Event(run, "loss", step, (float(step),)) for step in steps]


@given(steps=st.integers(1, 100_000), kind=st.sampled_from(sorted(points.LIMITS)), values=st.integers(1, 7))
def test_buckets_cover_all_steps_once_within_the_limit(steps, kind, values):
    width, held = points.stride(steps, kind, values), 1 + 2 * values if kind in points.JUMPING else 1
    assert points.bucket(0, width)[0] == 0
    assert width == 1 or points.bucket(0, width) == (0, 0)
    most, step = 0, 0
    while step <= steps:
        first, last = points.bucket(step, width)
        assert first == step
        assert points.bucket(last, width) == (first, last)
        most, step = most + min(held, last - first + 1), last + 1
    assert most <= points.LIMITS[kind]
    assert most >= min(steps + 1, points.LIMITS[kind] // 3)  # no more is thrown away than the limit asks for


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=9))
def test_values_survive_packing_at_single_precision(values):
    assert points.unpack([points.pack(values, "loss")] * 2, len(values)).tolist() == [values, values]


@pytest.mark.parametrize(("kind", "largest"), [("loss", np.finfo(np.float32).max), ("prompts", 65504)])
def test_packing_keeps_large_values_finite_and_bad_ones_bad(kind, largest):
    packed = points.unpack([points.pack([1e39, -1e39, float("inf"), float("nan")], kind)], 4)[0]
    assert packed[0] == pytest.approx(largest, rel=1e-3)
    assert packed[1] == -packed[0]
    assert np.isinf(packed[2])
    assert np.isnan(packed[3])


@given(st.lists(st.floats(width=16, allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_the_halves_of_older_stores_are_read_as_their_decimals(values):
    old = np.array(values, dtype="<f2")
    found = points.unpack([old.tobytes(), points.pack([0.1] * len(values), "loss"), old.tobytes()], len(values))
    assert (found[0] == found[2]).all() and (found[1] == np.float32(0.1)).all()
    assert found[0].tolist() == [np.float32(str(one)) for one in old]
    assert np.array_equal(found[0].astype(np.float16), old)  # not a bit is lost


def test_a_number_is_written_with_the_digits_that_it_has():
    assert [str(one) for one in points.decimals(np.array([0.1, 1e5, 1 / 3], dtype=np.float32))] \
        == ["0.1", "100000.0", "0.33333334"]


@pytest.mark.parametrize("kind", ["loss", "task_loss"])
def test_the_extremes_of_a_long_run_stay_whatever_the_batches(store, begin, kind):
    draw = np.random.default_rng(5)
    values = 1 + 0.05 * draw.normal(size=(3001, 12 if kind == "task_loss" else 1))
    values[1234, 0], values[77, -1] = 1e5, -3.25
    runs = begin(3000), begin(3000)
    for run, batch in zip(runs, (60, 1000), strict=True):
        for start in range(0, 3001, batch):
            store.write_events([Event(run, kind, step, tuple(values[step].tolist()))
                                for step in range(start, min(start + batch, 3001))])
    (steps, found), (again, same) = (store.events(run, kind) for run in runs)
    assert np.array_equal(steps, again) and np.array_equal(found, same)
    assert np.array_equal(found, values[steps].astype(np.float32))
    assert (found.max(0) == values.max(0).astype(np.float32)).all()  # of every task
    assert (found.min(0) == values.min(0).astype(np.float32)).all()
    assert {0, 77, 1234, 3000} <= set(steps.tolist()) and 100 < len(steps) <= points.LIMITS[kind]


@given(st.lists(st.one_of(st.sampled_from([1.0, 2.0, float("nan"), float("inf")]), st.floats(width=32)), min_size=1,
                max_size=12), st.integers(0, 12))
def test_what_a_bucket_holds_is_the_same_in_one_go_and_in_two(values, at):
    of = {step: np.array([value, -value], dtype=np.float32) for step, value in enumerate(values)}
    first = {step: of[step] for step in list(of)[:at]}
    left = {step: of[step] for step in (points.kept("loss", first) if first else [])}
    assert points.kept("loss", of) == points.kept("loss", left | {step: of[step] for step in list(of)[at:]} or of)


@pytest.mark.parametrize(("steps", "batch"), [
    (1, 1), (50, 1), (198, 7), (199, 7), (200, 7), (201, 7), (201, 100_000), (1234, 61), (1234, 100_000)])
def test_a_run_keeps_first_and_last_and_at_most_the_limit(store, begin, steps, batch):
    run = begin(steps)
    everything = [event for step in range(steps + 1) for event in (
        Event(run, "loss", step, (float(step),)), Event(run, "gates", step, (step, *[0.5] * 23)))]
    for start in range(0, len(everything), batch):
        store.write_events(everything[start:start + batch])
    for kind, width in (("loss", 1), ("gates", 24)):
        found, values = store.events(run, kind)
        assert (found.dtype, values.dtype, values.shape) == (np.int64, np.float32, (len(found), width))
        assert (found[0], found[-1]) == (0, steps)
        assert len(found) <= points.LIMITS[kind]
        assert kind == "loss" or len(set(np.diff(found)[:-1])) <= 1  # evenly spaced but for the last
        assert (values[:, 0] == found).all()


def test_the_newest_point_is_there_at_any_time(store, begin):
    run = begin(5000)
    for step in range(60):
        store.write_events(loss(run, step))
        assert store.events(run, "loss")[0][-1] == step
        assert store.run(run).step == step


def test_events_after_a_step_and_of_an_absent_kind(store, begin):
    run = begin(10)
    store.write_events(loss(run, *range(6)))
    assert store.events(run, "loss", after_step=3)[0].tolist() == [4, 5]
    found, values = store.events(run, "gates")
    assert (found.shape, values.shape) == ((0,), (0, 0))


def test_writing_again_replaces(store, begin):
    run = begin(1000)
    store.write_events(loss(run, *range(400)))
    store.write_events([Event(run, "loss", step, (9.0,)) for step in range(400)])
    found, values = store.events(run, "loss")
    assert set(values[:, 0]) == {9.0}
    assert found[-1] == 399


@pytest.mark.parametrize("kind", ["loss", "task_loss", "dev_score"])
@pytest.mark.parametrize("resumed_at", [1, 100, 203, 400, 404])
def test_a_resumed_run_ends_with_the_points_of_an_undisturbed_one(store, begin, resumed_at, kind):
    draw = np.random.default_rng(resumed_at)
    values = draw.normal(size=(1001, 1 if kind == "loss" else 12)).round(1)  # with equal ones

    def measure(run, steps):
        store.write_events([Event(run, kind, step, tuple(values[step].tolist())) for step in steps])

    undisturbed, run = begin(1000), begin(1000)
    measure(undisturbed, range(1001))
    measure(run, range(300))
    measure(run, range(300, 405))
    store.finish(run, Outcome("paused"))
    store.requeue(run)
    store.claim()
    store.started(run, 1000, {}, step=resumed_at)
    assert store.run(run).step == resumed_at
    assert store.events(run, kind)[0][-1] <= resumed_at  # nothing of steps that are taken anew
    for start in range(resumed_at + 1, 1001, 70):
        measure(run, range(start, min(start + 70, 1001)))
    for whole, pieced in zip(store.events(undisturbed, kind), store.events(run, kind), strict=True):
        assert np.array_equal(whole, pieced)


def test_a_batch_holds_many_runs_and_logs(store, grid):
    store.submit(grid(seeds="0-2"))
    runs = [record.id for record in store.claim()]
    for run in runs:
        store.started(run, 10, {})
    before = store.run(runs[0]).heartbeat
    batch = [item for step in range(4) for run in runs for item in (*loss(run, step), Log(run, step, f"at\n{step}"))]
    store.write_events(batch)
    for run in runs:
        assert store.events(run, "loss")[0].tolist() == [0, 1, 2, 3]
        lines = store.log(run).splitlines()
        assert [line.split(" ", 1)[1] for line in lines] == [f"step {step}: at {step}" for step in range(4)]
    assert store.run(runs[0]).heartbeat >= before
    store.write_events([])


def test_points_of_a_run_that_is_not_training_are_refused(store, grid, begin):
    run = begin(10)
    store.finish(run, Outcome("cancelled"))
    with pytest.raises(StoreError, match="is cancelled, so nothing more can be measured"):
        store.write_events(loss(run, 1))
    with pytest.raises(StoreError, match="is cancelled"):
        store.started(run, 10, {})
    store.submit(grid())
    (record,) = store.claim()
    with pytest.raises(StoreError, match=r"has not started: call started\(\)"):
        store.write_events(loss(record.id, 1))


def test_a_refused_batch_leaves_nothing(store, begin):
    run, gone = begin(10), begin(10)
    store.finish(gone, Outcome("cancelled"))
    with pytest.raises(StoreError):
        store.write_events([*loss(run, 1), Log(run, 1, "never"), *loss(gone, 1)])
    assert store.events(run, "loss")[0].size == 0
    assert store.log(run) == ""


def test_threads_write_and_read_at_once(store, begin):
    runs = [begin(300), begin(300)]
    together, failures = threading.Barrier(3), []

    def write(run):
        try:
            together.wait(30)
            for step in range(101):
                store.write_events(loss(run, step))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    together.wait(30)
    while any(thread.is_alive() for thread in threads):
        for run in runs:
            found = store.events(run, "loss")[0]
            assert found.size == 0 or store.run(run).step >= found[-1]
    assert not failures
    assert [store.events(run, "loss")[0][-1] for run in runs] == [100, 100]


def test_points_lie_under_run_kind_and_step(store, home):
    with closing(sqlite3.connect(home / "compt.db")) as raw:
        key = [row[1] for row in raw.execute("PRAGMA table_info(events)") if row[5]]
    assert key == ["run", "kind", "step"]


def test_the_curves_of_many_runs_are_those_of_each(store, grid, monkeypatch):
    monkeypatch.setattr(points, "_AT_ONCE", 2)
    runs = [record.id for record in store.runs(store.submit(grid(seeds="0-4")))]
    store.claim()
    for number, run in enumerate(runs[:4]):
        store.started(run, 9, {})
        store.write_events([Event(run, "loss", step, (float(step * number),)) for step in range(1, 3 + number)])
    found = store.curves(runs, "loss")
    assert list(found) and found.keys() == set(runs[:4])
    for run, (steps, values) in found.items():
        assert (steps.tolist(), values.tolist()) == tuple(one.tolist() for one in store.events(run, "loss"))
    assert store.curves([], "loss") == {} == store.curves(runs, "gates")
