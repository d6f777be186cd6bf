"""Stores with random cells or bytes of the file changed, put to all uses that pages and the terminal make of them."""

from __future__ import annotations

import io
import json
import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.show import captions, frames, progress, weights
from app.whatif.saved import compared
from compt_core.analysis.diagnosis import diagnose_runs
from compt_core.cli.terminal import console
from compt_core.errors import Damaged, StoreError, UnknownId
from compt_core.exchange.export import CURVES, document, tables, write_csv, write_json
from compt_core.exchange.report import accuracy_table, diagnosis_lines
from compt_core.runs.points import LIMITS
from compt_core.runs.record import RunRecord, State
from compt_core.runs.store import Store
from compt_core.scoring.statistics import t_quantile
from compt_core.settings.config import build_experiment
from compt_core.tasks.table import TASKS
from compt_core.training.events import Event, Log, Outcome
from tests.fuzz.hunt import hunt

RAW = {"tasks": "cola,sst2,stsb", "backbone": "demo", "methods": "pt,spp", "shots": "8", "sources": 2, "steps": 9}
TABLES = ("runs", "runs", "runs", "experiments", "events", "edits", "meta", "turns")
NUMBERS = (0, -1, 1, 2**31, 2**63 - 1, -(2**63), 0.5, -1.5, 1e300, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", " ", "x", "0", "²", "running", "queued", "completed", "null", "[]", "{}", "[1]", '"x"', "NaN", "-Infinity",
         "1e999", "9" * 5000, "[" * 3000, "\ud800", '"\\ud800"', "a\nb", "Ä", "../../x", "aaaaaaaaaa", "None")


class Change(NamedTuple):
    """Cells to overwrite: statements with their values; bytes of the file: place (a share of it) -> byte; and which
    experiment is looked at then, None where the store is changed instead."""

    look: int | None
    cells: tuple[tuple[str, tuple[Any, ...]], ...]
    bytes_: tuple[tuple[float, int], ...]


def result_of(run: RunRecord) -> dict[str, Any]:
    tasks = run.config["tasks"]
    composed = run.method == "spp"
    each = [0.2 + 0.1 * k for k in range(len(tasks))]
    return {
        "tasks": {task: dict.fromkeys(TASKS[task].metrics, 0.5) for task in tasks}, "mean": 0.5,
        "mean_normalised": 0.1, "attention": [[0.25, 0.75] for _ in tasks] if composed else None,
        **dict.fromkeys(("alpha", "beta", "private_share", "private_norm_share"), each if composed else None),
        "normalizer": "softmax" if composed else None, "dead_sources": [], "trainable_parameters": 100,
        "constant": dict.fromkeys(tasks, False), "eval_rows": dict.fromkeys(tasks, 20), "train_seconds": 1.5,
        "eval_seconds": 0.5, "prompt_rms": {"initial": 1.0, "final": 2.0}, "cut": {tasks[0]: {"train": 1, "dev": 0}},
        "fixed_batch_loss": {"initial": 2.0, "final": 0.5}, "overlap": {task: {"train": 0} for task in tasks},
        "pace": {"place": "cpu, 1 threads, x", "work": {"steps": 9, "tokens": 90, "numbers": 9, "scored": 9},
                 "train_seconds": 1.5, "eval_seconds": 0.5, "memory": 1e6},
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[tuple[str, str, Any, Any]]]:
    """The file of a store with runs in several states, and its cells (table, column, row, value), NULL allowed."""
    store = Store(tmp_path_factory.mktemp("whole"))
    done = store.submit(build_experiment(RAW))
    for run in store.claim():
        train(store, run)
        store.finish(run.id, Outcome("completed", result_of(run)))
    rows = {task: dict.fromkeys(TASKS[task].metrics, 0.4) for task in ("cola", "sst2", "stsb")}
    store.set_references(done, {"majority": rows, "no_prompt": rows})
    store.edits.save(store.runs(done)[1].id, "mine", "{}", {"cola": {"before": 0.5, "after": 0.6, "flips": [1]}})
    store.submit(build_experiment(RAW | {"seeds": "0,1"}), owner="ann")
    failed, queued, paused, running = store.claim()
    for run in (failed, paused, running):
        train(store, run)
    store.finish(failed.id, Outcome("failed", error=ValueError("no more")))
    store.finish(queued.id, Outcome("cancelled"))
    store.requeue(queued.id)
    store.request(paused.id, "pause")
    store.finish(paused.id, Outcome("paused"))
    store.close()
    with closing(sqlite3.connect(store.home / "compt.db")) as raw:
        raw.execute("PRAGMA writable_schema=ON")
        raw.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name != 'events'")
        raw.commit()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cells = []
        for table in dict.fromkeys(TABLES):
            names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
            key = "rowid" if table != "events" else "run || kind || step"
            for row in raw.execute(f"SELECT {key}, * FROM {table}").fetchall():
                cells += [(table, name, (key, row[0]), value) for name, value in zip(names, row[1:], strict=True)]
    return (store.home / "compt.db").read_bytes(), cells


def train(store: Store, run: RunRecord) -> None:
    store.started(run.id, 9, {"torch": "2", "backbone": {"id": "demo", "hash": "x"}, "data": {"cola": "y"}})
    found = [Event(run.id, "loss", step, (2.0 - step / 10,)) for step in range(10)]
    found += [Event(run.id, "task_loss", step, (2.0, 1.0, 0.5)) for step in range(10)]
    found += [Event(run.id, "dev_score", step, (0.5, float("nan"), 0.4)) for step in (0, 5, 9)]
    if run.method == "spp":
        found += [Event(run.id, "attention", step, (0.5,) * 6) for step in (3, 6, 9)]
        found += [Event(run.id, "gates", step, (0.5,) * 6) for step in (3, 6, 9)]
    store.write_events([*found, Log(run.id, 9, "said")])


def change(dice: random.Random, cells: Sequence[tuple[str, str, Any, Any]]) -> Change:
    look = dice.choice([0, 1, None])
    if dice.random() < 0.15:
        return Change(look, (), tuple((dice.random(), dice.randrange(256)) for _ in range(dice.choice([1, 2, 8, 64]))))
    changed = []
    for _ in range(dice.choice([1, 1, 1, 2, 5])):
        table = dice.choice(TABLES)
        _, column, (key, row), value = dice.choice([cell for cell in cells if cell[0] == table])
        new = mutated(dice, value)
        place = "CAST(? AS TEXT)" if isinstance(new, bytes) and dice.random() < 0.3 else "?"
        changed.append((f"UPDATE {table} SET {column} = {place} WHERE {key} = ?", (new, row)))
    return Change(look, tuple(changed), ())


def mutated(dice: random.Random, value: Any) -> Any:
    """Another value for a cell: any at all, or its own, a little wrong."""
    if isinstance(value, str) and value[:1] in "[{" and dice.random() < 0.7:
        text = json.dumps(leaf_changed(dice, json.loads(value)))
        return text if dice.random() < 0.9 else text[:dice.randrange(len(text))]
    if isinstance(value, bytes) and dice.random() < 0.7:
        found = bytearray(value * dice.choice([1, 1, 2]))
        for _ in range(dice.randrange(1, 4)):
            found[dice.randrange(len(found)):][:1] = bytes([dice.randrange(256)])
        return bytes(found[:dice.randrange(len(found) + 1)]) if dice.random() < 0.5 else \
            bytes(dice.randrange(256) for _ in found)
    return anything(dice)


def anything(dice: random.Random) -> Any:
    text = dice.choice(TEXTS)
    return dice.choice([None, dice.choice(NUMBERS), text, dice.randbytes(dice.randrange(12)),
                        text.encode(errors="surrogatepass")])


def leaf_changed(dice: random.Random, value: Any) -> Any:
    """JSON with one part replaced, left out or put in."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        name = dice.choice(list(value))
        if dice.random() < 0.15:
            return {key: one for key, one in value.items() if key != name}
        if dice.random() < 0.1:
            return {**value, dice.choice(TEXTS): value[name]}
        return {**value, name: leaf_changed(dice, value[name])}
    if isinstance(value, list) and value and dice.random() < 0.8:
        at = dice.randrange(len(value))
        return [*value[:at], *([leaf_changed(dice, value[at])] * dice.choice([0, 1, 1, 2])), *value[at + 1:]]
    return dice.choice([None, True, dice.choice(NUMBERS), dice.choice(TEXTS), [], {}, [[]], [1, "x"], {"x": 1},
                        10**400])


def test_a_damaged_store_is_used_or_refused_in_a_sentence(
        whole: tuple[bytes, list[tuple[str, str, Any, Any]]], tmp_path: Path, record_property: Callable[..., None]
) -> None:
    image, cells = whole
    home = tmp_path / "home"
    home.mkdir()
    t_quantile(3)  # scipy loads for seconds on a busy machine

    def act(given: Change) -> str:
        file = bytearray(image)
        for at, byte in given.bytes_:
            file[int(at * len(file))] = byte
        for left in home.glob("compt.db*"):
            left.unlink()
        (home / "compt.db").write_bytes(file)
        with closing(sqlite3.connect(home / "compt.db")) as raw, raw:
            for statement, values in given.cells:
                with suppress(sqlite3.Error, UnicodeEncodeError, OverflowError):  # a key that is there already, say
                    raw.execute(statement, values)
        try:
            store = Store(home)
        except StoreError as error:
            return told(error, "refused")
        try:
            return use(store, given.look)
        except StoreError as error:
            if not given.bytes_:  # a cell is the problem of its row alone
                raise
            return told(error, "refused in use")
        finally:
            store.close()

    ends = hunt("stores", lambda dice: change(dice, cells), act, record_property)
    assert sum(ends.values()) < 50 or {"used", "used but for named rows"} <= ends.keys()


def told(error: StoreError, end: str) -> str:
    text = str(error)
    assert text.strip() and "\n" not in text and "Traceback" not in text and len(text) < 900, text
    return end


def use(store: Store, look: int | None) -> str:
    """What pages and terminal do with a store: look at it and one of its experiments in all ways, or change and train
    what can be. How that ended."""
    experiments, damaged = store.read_experiments()
    runs, others = store.read_runs()
    damaged += others
    for number, experiment in enumerate(experiments):
        own, others = store.read_runs(experiment.id)
        damaged += others
        if number == look:
            looked_at(store, experiment, own)
    for error in damaged:
        told(error, "")
    store.paces()
    if look is None:
        acted(store, runs)
    for error in {error.name: error for error in damaged}.values():
        if error.noun == "run":
            for attempt in (store.run, store.requeue, lambda one: store.request(one, "cancel")):
                with suppress(Damaged, UnknownId):  # the latter of a run that went with its experiment
                    attempt(error.name)
                    assert look is None, f"{error} can be used"  # what was set aside may be readable since
            store.delete(error.name)
        else:
            store.delete_experiment(error.name)
    store.sweep()
    assert not {error.name for error in store.read_runs()[1]} & {error.name for error in damaged}
    return "used but for named rows" if damaged else "used"


def acted(store: Store, runs: list[RunRecord]) -> None:
    """Requests, deletes, a worker's way through the queue."""
    for run in runs:
        store.position(run.id), store.log(run.id), store.requests(run.fleet or "")
        with suppress(StoreError):
            assert run.settings.seed == run.seed
    for run in runs[:3]:
        store.request(run.id, "pause")
        store.requeue(run.id)
        with suppress(StoreError):
            store.write_events([Event(run.id, "loss", 4, (1.0,)), Event(run.id, "task_loss", 4, (1.0, 2.0, 3.0))])
    store.sweep()
    assert not any(run.state == State.RUNNING for run in store.runs())
    while fleet := store.claim():
        assert all(run.state == State.RUNNING for run in fleet)
        for run in fleet:
            store.started(run.id, 9, {})
            store.write_events([Event(run.id, "loss", 3, (1.0,)), Log(run.id, 3, "said")])
            store.finish(run.id, Outcome("cancelled"))
    for run in runs[-1:]:
        store.delete(run.id)


def looked_at(store: Store, experiment: Any, runs: list[RunRecord]) -> None:
    """An experiment on the pages, in the terminal and as files."""
    notes: list[str] = []
    ids = [run.id for run in runs]
    curves = {kind: store.curves(ids, kind, notes) for kind in LIMITS}
    assert all("\n" not in note for note in notes)
    found = diagnose_runs(runs, curves)
    captions.experiment_line(experiment, frames.suites(experiment), 2e9), captions.caveats(experiment, "x")
    captions.experiment_card(experiment, frames.suites(experiment), 2e9), captions.provenance(experiment, "x")
    captions.nothing_to_show(experiment.states, "Scores.")
    progress.table(runs, {}), progress.headline(runs, {}), progress.failures(runs)
    frames.summarise(frames.scores(runs)), frames.few_rows(runs)
    frames.reference_rows(experiment.references, experiment.config["tasks"], experiment.tasks)
    frames.curves([(run, *curves["loss"][run.id]) for run in runs if run.id in curves["loss"]])
    for run in frames.with_result(runs, "attention"):
        weights.shares(run, *store.events(run.id, "attention"))
        weights.spread(weights.single(run))
    for run in frames.with_result(runs, "alpha"):
        frames.gates(run)
    edits, _ = store.edits.read(ids)
    compared(edits, {run.id: run for run in runs})
    console().print(accuracy_table(experiment, runs), *diagnosis_lines(runs, found))
    written = document(experiment, runs, curves)
    write_json(written, io.StringIO())
    for table in tables(written, {kind: curves[kind] for kind in CURVES}, []).values():
        write_csv(table, io.StringIO())
