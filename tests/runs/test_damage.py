"""Cells of the store that anything may have changed: a row is turned away by name, and all others live on."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from compt_core.errors import Damaged, LostStore, StoreError
from compt_core.runs.record import BUNDLED, RunRecord
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker
from compt_core.training.events import Event, Outcome


@pytest.fixture
def spoil(home: Path) -> Callable[..., None]:
    """Writes into cells as no program of ours would."""
    def write(statement: str, *values: object) -> None:
        with closing(sqlite3.connect(home / "compt.db")) as raw, raw:
            raw.execute(statement, values)

    return write


def result_of(run: RunRecord) -> dict[str, object]:
    tasks = run.config["tasks"]
    rows = [[1 / run.config["sources"]] * run.config["sources"] for _ in tasks]
    return {"tasks": {task: {"accuracy": 0.5} for task in tasks}, "mean": 0.5, "mean_normalised": 0.1,
            "attention": rows, "alpha": [0.5] * len(tasks), "beta": [0.5] * len(tasks)}


@pytest.fixture
def pair(store: Store, grid: Callable[..., object]) -> tuple[str, str]:
    """Two completed runs of one experiment."""
    store.submit(grid(methods=["spp"], seeds=[0, 1]))
    first, second = store.claim()
    for run in (first, second):
        store.started(run.id, 9, {"backbone": {"id": "demo", "hash": "x"}, "data": {"demo-rte": "y"}})
        store.write_events([Event(run.id, "loss", step, (2 - step / 10,)) for step in range(10)])
        store.finish(run.id, Outcome("completed", result_of(run)))
    return first.id, second.id


CELLS = {
    "state": ["melting", 7, b"completed", ""],
    "config": ["{", "[]", "3", "null", '"x"', "{}", b"{}", 1.5, "[" * 100_000, "9" * 5000, '{"tasks": "\\ud800"}'],
    "result": ["{", "[]", "3", '{"mean": "x"}',
               '{"tasks": {}, "mean": 0.5, "mean_normalised": 0.1}', '{"mean": 1e999}'],
    "versions": ["{", "[]", '{"backbone": "demo"}', '{"data": {"demo-rte": 3}}'],
    "step": ["many", -1, 1.5, b"x"], "steps": ["many", -1], "checkpoint": ["last", -1],
    "method": ["lora", b"spp", "pt"], "shots": ["few", 9], "seed": ["none", -1], "backbone": [b"demo", "other"],
    "owner": [b"local"], "created": ["then", -1.0, 1e300, float("inf")], "started": ["then"], "finished": [1e20],
    "heartbeat": ["now"], "request": ["melt", b"x"], "error_message": [b"\xff"], "traceback": [b"\xff"],
    "fleet": [b"x"],
}


@pytest.mark.parametrize(("column", "value"), [(column, value) for column, values in CELLS.items() for value in values])
def test_a_run_with_a_damaged_cell_is_named_and_deleted_and_its_mate_lives(
        store: Store, pair: tuple[str, str], spoil: Callable[..., None], column: str, value: object) -> None:
    bad, good = pair
    experiment = store.run(good).experiment
    spoil(f"UPDATE runs SET {column} = ? WHERE id = ?", value, bad)
    [damaged] = store.read_runs(experiment)[1]
    assert f"The run '{bad}' cannot be read: " in str(damaged) and f"compt_core delete {bad}'" in str(damaged)
    assert f"'{column}'" in str(damaged) or "of its settings" in str(damaged)
    assert "\n" not in str(damaged) and len(str(damaged)) < 500
    assert [one.id for one in store.runs(experiment)] == [one.id for one in store.runs()] == [good]
    for attempt in (store.run, store.requeue, lambda run: store.request(run, "cancel"), store.prompts, store.log):
        with pytest.raises(Damaged, match=f"The run '{bad}' cannot be read"):
            attempt(bad)
    assert store.events(good, "loss")[0].tolist() == list(range(10))
    assert store.experiment(experiment).id == experiment and len(store.paces()) == 0
    store.delete(bad)
    if column == "state" or store.read_runs(experiment)[1]:  # a row that says running goes when its trainer asks
        store.sweep()
    assert store.read_runs(experiment) == ([store.run(good)], [])


@pytest.mark.parametrize("value", ["x y", b"blob", 77, "Ä" * 10])
def test_a_run_whose_id_is_damaged_has_the_name_of_its_place(
        store: Store, pair: tuple[str, str], spoil: Callable[..., None], value: object) -> None:
    spoil("PRAGMA foreign_keys=OFF")
    spoil("UPDATE runs SET id = ? WHERE id = ?", value, pair[0])
    [damaged] = store.read_runs()[1]
    assert damaged.name == "row-1" and "'id'" in damaged.why
    with pytest.raises(StoreError, match="no run 'row-2'"):
        store.run("row-2")  # it has an id
    store.delete("row-1")
    assert [one.id for one in store.runs()] == [pair[1]] and store.read_runs()[1] == []


@pytest.mark.parametrize(("column", "value"), [
    ("config", "["), ("config", "[]"), ("config", "{}"), ("reference_rows", "3"), ("owner", b"x"), ("created", "then"),
    ("reference_rows", '{"majority": {"demo-rte": {}}}'), ("config", '{"tasks": ["demo-rte"], "methods": ["lora"]}'),
    ("task_definitions", "{"), ("task_definitions", "3"), ("task_definitions", b"{}"),
    ("task_definitions", '{"demo-rte": {"labels": []}}')])
def test_an_experiment_with_a_damaged_cell_is_named_and_the_others_are_listed(
        store: Store, grid: Callable[..., object], pair: tuple[str, str], spoil: Callable[..., None], column: str,
        value: object) -> None:
    bad, good = store.run(pair[0]).experiment, store.submit(grid())
    spoil(f"UPDATE experiments SET {column} = ? WHERE id = ?", value, bad)
    newer = store.submit(grid())
    found, damaged = store.read_experiments(limit=1)
    assert [one.id for one in found] == [newer] and damaged == []
    found, damaged = store.read_experiments()
    assert [one.id for one in found] == [newer, good] and [one.name for one in damaged] == [bad]
    for attempt in (store.experiment, store.runs):
        with pytest.raises(Damaged, match=f"The experiment '{bad}' cannot be read: "):
            attempt(bad)
    store.delete_experiment(bad)
    assert store.read_experiments()[1] == [] and {one.experiment for one in store.runs()} == {newer, good}


def test_runs_whose_tasks_are_damaged_are_named_and_trained_by_nobody(
        store: Store, grid: Callable[..., object], spoil: Callable[..., None]) -> None:
    bad, good = store.submit(grid()), store.submit(grid())
    spoil("UPDATE experiments SET task_definitions = '{\"demo-mood\": {\"suite\": 3}}' WHERE id = ?", bad)
    [damaged] = store.read_runs()[1]
    assert "its 'task_definitions' → 'demo-mood' → 'suite' should be a valid string (got 3)" in str(damaged)
    assert [one.experiment for one in store.claim()] == [good] and store.claim() == ()
    spoil("UPDATE experiments SET task_definitions = NULL WHERE id = ?", bad)
    assert store.experiment(bad).tasks == {} and store.runs(bad)[0].tasks == {}


def test_runs_of_no_experiment_are_named_and_deleted(
        store: Store, pair: tuple[str, str], spoil: Callable[..., None]) -> None:
    spoil("UPDATE runs SET experiment = 'aaaaaaaaaa' WHERE id = ?", pair[0])
    [orphan] = store.read_experiments()[1]
    assert orphan.name == pair[0] and "'aaaaaaaaaa', which this store does not hold" in str(orphan)
    store.delete(orphan.name)
    assert store.read_experiments()[1] == []


def test_a_run_with_a_setting_that_this_version_does_not_know_is_looked_at_but_not_used(
        store: Store, pair: tuple[str, str], spoil: Callable[..., None]) -> None:
    spoil("UPDATE runs SET config = json_set(config, '$.of_tomorrow', 1) WHERE id = ?", pair[0])
    assert store.run(pair[0]).config["of_tomorrow"] == 1
    with pytest.raises(StoreError, match=rf"settings of run '{pair[0]}' were stored by another version of ComPT Lab"):
        store.run(pair[0]).settings  # noqa: B018
    assert store.run(pair[1]).settings.seed == 1


def test_a_bundled_run_that_cannot_be_read_can_be_deleted(
        store: Store, pair: tuple[str, str], spoil: Callable[..., None]) -> None:
    spoil("UPDATE runs SET owner = ?", BUNDLED)
    with pytest.raises(StoreError, match="comes with ComPT Lab"):
        store.delete(pair[0])
    spoil("UPDATE runs SET config = '' WHERE id = ?", pair[0])
    store.delete(pair[0])
    assert [one.id for one in store.runs()] == [pair[1]]


DAMAGE = ["config = '['", "steps = 'x'", "owner = x'00'", "request = 'melt'", "fleet = x'ff'", "id = 'x y'"]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_keeps_the_worker_from_no_other(
        store: Store, grid: Callable[..., object], spoil: Callable[..., None], damage: str) -> None:
    first, second = (store.submit(grid(seeds=[0, 1])) for _ in range(2))
    spoil(f"UPDATE runs SET {damage} WHERE number = 1")
    spoil("UPDATE experiments SET place = 'x'")
    spoil("INSERT INTO turns VALUES ('bob', 'x')")
    claimed = [[run.experiment for run in store.claim()] for _ in range(3)]
    assert claimed == [[first], [second] * 2, []]
    assert store.experiment(first).states == {"failed": 1, "running": 1}


@pytest.mark.parametrize("damage", [*DAMAGE, "request = 'delete', config = '['"])
def test_a_damaged_run_keeps_nobody_from_sweeping(
        store: Store, grid: Callable[..., object], spoil: Callable[..., None], damage: str) -> None:
    identity = store.submit(grid(seeds=[0, 1]))
    store.claim()
    spoil(f"UPDATE runs SET {damage} WHERE number = 1")
    store.sweep()
    states = store.experiment(identity).states
    assert states == ({"interrupted": 1} if "delete" in damage else {"failed": 1, "interrupted": 1})


@pytest.mark.parametrize(("damage", "left"), [
    ("data = x'0102030405' WHERE step = 3", [0, 1, 2, 4]), ("data = 'text' WHERE step = 3", [0, 1, 2, 4]),
    ("data = x'00' WHERE step < 9", []), ("step = -1 WHERE step = 0", [1, 2, 3, 4]),
    ("step = 'x' WHERE step = 4", [0, 1, 2, 3]), ("data = zeroblob(4000) WHERE step = 1", [0, 2, 3, 4])])
def test_points_that_cannot_be_read_are_left_out_and_told(
        store: Store, grid: Callable[..., object], spoil: Callable[..., None], damage: str, left: list[int]) -> None:
    store.submit(grid())
    run = store.claim()[0].id
    store.started(run, 9, {})
    store.write_events([Event(run, "loss", step, (step / 2,)) for step in range(5)])
    spoil(f"UPDATE events SET {damage}")
    notes: list[str] = []
    steps, values = store.curves([run], "loss", notes).get(run, (np.zeros(0), np.zeros((0, 1))))
    assert steps.tolist() == left and values[:, 0].tolist() == [step / 2 for step in left]
    assert [f"In run '{run}', {5 - len(left)} of 5 points of the curve 'loss' cannot be read" in one for one in notes] \
        == [True]


def test_a_saved_edit_that_cannot_be_read_is_named_and_deleted(
        store: Store, pair: tuple[str, str], spoil: Callable[..., None]) -> None:
    bad, good = (store.edits.save(pair[0], name, "{}", {"rte": {"before": 0.5, "after": 0.6}}) for name in "ab")
    spoil("UPDATE edits SET changes = '[1]' WHERE id = ?", bad.id)
    saved, [damaged] = store.edits.read(pair)
    assert saved == [good] and f"The saved edit '{bad.id}' cannot be read: its 'changes'" in str(damaged)
    store.edits.delete(damaged.name)
    assert store.edits.read(pair) == ([good], [])


@pytest.mark.parametrize("value", ["0", "\u00b2", "-1", "", "x", "4.0", "9" * 5000, b"4"])
def test_a_schema_that_is_no_number_is_one_sentence(store: Store, home: Path, spoil: Callable[..., None],
                                                    value: object) -> None:
    store.close()
    spoil("UPDATE meta SET value = ?", value)
    with pytest.raises(StoreError, match=r"cannot be used: its schema must be a number from 1 on.*COMPT_HOME"):
        Store(home)


def test_a_row_with_nothing_where_something_must_be_is_no_end_of_the_store(
        store: Store, home: Path, pair: tuple[str, str], spoil: Callable[..., None]) -> None:
    store.close()
    with closing(sqlite3.connect(home / "compt.db")) as raw:  # as a disk would: past the rules of the table
        raw.execute("PRAGMA writable_schema=ON")
        raw.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'runs'")
        raw.commit()
    spoil("UPDATE runs SET config = NULL, owner = NULL WHERE id = ?", pair[0])
    with closing(sqlite3.connect(home / "compt.db")) as raw:
        raw.execute("PRAGMA writable_schema=ON")
        raw.execute("UPDATE sqlite_master SET sql = replace(sql, 'owner TEXT', 'owner TEXT NOT NULL') "
                    "WHERE name = 'runs'")
        raw.commit()
    again = Store(home)
    assert [one.id for one in again.runs()] == [pair[1]] and again.read_runs()[1][0].name == pair[0]
    again.delete(pair[0])
    again.close()


def test_a_store_that_was_deleted_moved_or_replaced_takes_nothing(
        store: Store, home: Path, grid: Callable[..., object], tmp_path: Path) -> None:
    identity = store.submit(grid())
    run = store.runs(identity)[0].id
    store.close()
    home.rename(tmp_path / "aside")
    uses = (store.check, store.runs, store.experiments, store.claim, lambda: store.submit(grid()), store.sweep,
            lambda: store.edits.save(run, "a", "{}", {}), lambda: store.delete(run))
    for use in uses:
        with pytest.raises(LostStore, match=r"is no longer there: it was deleted or moved.* Put its folder back"):
            use()
    assert not home.exists()  # nothing was made in its place
    Store(home).close()
    for use in uses:
        with pytest.raises(LostStore, match=r"was replaced by another file.* Restart ComPT Lab"):
            use()
    assert Store(home).runs() == []
    home.rename(tmp_path / "other")
    (tmp_path / "aside").rename(home)
    assert store.run(run).id == run  # it is back


def test_a_worker_trains_nothing_into_a_store_that_is_gone(
        store: Store, home: Path, grid: Callable[..., object], steered: Callable[..., object], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compt_core.runs.worker.RETRY_SECONDS", 0.01)
    waits, train, said = threading.Event(), steered(free=False), list[object]()
    monkeypatch.setattr("compt_core.runs.worker.logger.error", lambda *what: said.append(what) or waits.set())
    identity = store.submit(grid())
    worker = Worker(store, train, lambda config, tasks: {"majority": {}, "no_prompt": {}})
    worker.start_thread()
    try:
        assert train.training.wait(30)
        home.rename(tmp_path / "aside")
        train.step()
        assert waits.wait(30)
        assert len(said) == 1 and not worker.lease.held and not home.exists()
        (tmp_path / "aside").rename(home)
        train.free = True
        train.training.clear()
        while not train.training.wait(0.01):  # swept: the run says interrupted, and goes on when queued again
            if store.experiment(identity).states == {"interrupted": 1}:
                store.requeue(store.runs(identity)[0].id)
                worker.wake()
    finally:
        assert worker.stop(30)
    assert store.runs(identity)[0].state in ("completed", "interrupted")
