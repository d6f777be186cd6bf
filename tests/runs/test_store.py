"""What the store gives back: records, references, tensors, logs."""

import json
import os
import time

import numpy as np
import pytest

from compt_core.errors import StoreError
from compt_core.runs.artifacts import LOG_BYTES
from compt_core.settings.config import Experiment, RunConfig
from compt_core.training.events import Checkpoint, Log, Outcome


def test_submit_queues_the_grid_in_its_order(store, grid):
    experiment = grid(methods=["spp", "pt"], shots=[16, 8], seeds=[3, 1], method_settings={"pt": {"lr_private": 0.3}})
    before = time.time()
    identity = store.submit(experiment, owner="ann")
    records = store.runs(identity)
    assert [RunConfig.model_validate(record.config) for record in records] == experiment.runs()
    assert [(r.method, r.shots, r.seed) for r in records] == [(c.method, c.shots, c.seed) for c in experiment.runs()]
    assert all(r.owner == "ann" and r.state == "queued" and r.step == 0 and r.experiment == identity for r in records)
    assert all(before <= r.created <= time.time() for r in records)
    assert {r.steps for r in records} | {r.started for r in records} | {r.finished for r in records} == {None}
    kept = store.experiment(identity)
    assert Experiment.model_validate(kept.config) == experiment
    assert (kept.owner, kept.references, kept.states) == ("ann", None, {"queued": 8})
    assert store.run(records[5].id) == records[5]
    for record in (kept, *records):  # plain JSON types throughout
        json.dumps({name: value for name, value in vars(record).items() if name != "tasks"} | record.tasks.written())


def test_lists_are_newest_first_and_limited(store, grid):
    ids = [store.submit(grid(seeds=[0, 1])) for _ in range(3)]
    assert [record.id for record in store.experiments()] == ids[::-1]
    assert [record.id for record in store.experiments(limit=2)] == ids[:0:-1]
    newest_first = [record.id for identity in ids for record in store.runs(identity)][::-1]
    assert [record.id for record in store.runs()] == newest_first
    assert [record.id for record in store.runs(limit=3)] == newest_first[:3]
    assert len(store.runs(ids[0], limit=1)) == 2  # an experiment is never cut


def test_an_empty_store_lists_nothing(store):
    assert (store.experiments(), store.runs(), store.claim(), store.sweep()) == ([], [], (), 0)


def test_states_count_the_runs(store, grid):
    identity = store.submit(grid(seeds="0-2"))
    store.request(store.runs(identity)[0].id, "cancel")
    store.claim()
    assert store.experiment(identity).states == {"cancelled": 1, "running": 2}
    assert store.experiments()[0].states == {"cancelled": 1, "running": 2}


def test_references_are_kept(store, grid):
    identity = store.submit(grid())
    rows = {"majority": {"rte": {"accuracy": 0.5, "f1": None}}, "no_prompt": {}}
    store.set_references(identity, rows)
    assert store.experiment(identity).references == rows


def test_a_completed_run_keeps_result_versions_and_tensors(store, grid):
    run = store.runs(store.submit(grid()))[0].id
    assert (store.prompts(run), store.scores(run), store.log(run)) == ({}, {}, "")
    store.claim()
    store.started(run, 70, {"torch": "2", "data": {"rte": "digest"}})
    rng = np.random.default_rng(0)
    prompts = {"source": rng.normal(size=(3, 5, 8)).astype(np.float32), "private": np.ones((2, 5, 8), np.float16)}
    scores = {"rte": rng.normal(size=(8, 2)).astype(np.float32).T}  # not contiguous
    result = {"mean": 0.5, "tasks": {task: {"f1": None} for task in store.run(run).config["tasks"]},
              "mean_normalised": 0.1, "other": [float("nan")]}
    store.finish(run, Outcome("completed", result, prompts, scores))
    record = store.run(run)
    assert repr(record.result) == repr(result)
    assert record.versions == {"torch": "2", "data": {"rte": "digest"}}
    assert (record.step, record.steps) == (70, 70)
    assert record.finished >= record.started
    for kept, given in ((store.prompts(run), prompts), (store.scores(run), scores)):
        assert kept.keys() == given.keys()
        for name in given:
            assert kept[name].dtype == given[name].dtype
            np.testing.assert_array_equal(kept[name], given[name])


def test_files_are_there_before_the_row_says_completed(store, grid, monkeypatch):
    run = store.runs(store.submit(grid()))[0].id
    store.claim()
    seen = []
    replace = os.replace

    def spy(source, target):
        seen.append((os.path.basename(target), store.run(run).state))
        assert os.path.dirname(source) == os.path.dirname(target)  # a rename within one folder is atomic
        assert not os.path.exists(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", spy)
    store.finish(run, Outcome("completed"))
    assert seen == [("prompts.safetensors", "running"), ("scores.safetensors", "running")]
    assert store.run(run).state == "completed"


def test_a_write_that_fails_half_way_leaves_nothing(store, grid, monkeypatch, home):
    run = store.runs(store.submit(grid()))[0].id
    store.claim()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space left.*Free some space"):
        store.finish(run, Outcome("completed", prompts={"private": np.ones(3)}))
    assert store.run(run).state == "running"
    assert list((home / "artifacts" / run).iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_lost_tensors_are_a_sentence(store, grid, home, damage):
    run = store.runs(store.submit(grid()))[0].id
    store.claim()
    store.finish(run, Outcome("completed", prompts={"private": np.ones(30)}))
    path = home / "artifacts" / run / "prompts.safetensors"
    path.write_bytes(path.read_bytes()[:40])
    if damage == "missing":
        path.unlink()
    with pytest.raises(StoreError, match=rf"prompts.safetensors' of run '{run}' cannot be read: .* Train the run"):
        store.prompts(run)


def test_a_long_log_is_cut_to_its_end_and_says_so(store, grid):
    run = store.runs(store.submit(grid()))[0].id
    store.write_events([Log(run, step, "é" * 500) for step in range(300)])
    text = store.log(run)
    assert len(text.encode()) < LOG_BYTES + 200
    first, *rest = text.splitlines()
    assert "bytes above are left out" in first
    assert rest[-1].endswith("step 299: " + "é" * 500)
    assert all(line.endswith("é" * 500) for line in rest)


def test_heartbeat_is_for_the_running_of_one_fleet(store, grid):
    store.submit(grid(seeds=[0, 1]))
    done, alive = store.claim()
    store.submit(grid())
    (other,) = store.claim()
    store.finish(done.id, Outcome("cancelled"))
    store.heartbeat(alive.fleet)
    assert store.run(alive.id).heartbeat > alive.heartbeat
    assert store.run(done.id).heartbeat == done.heartbeat
    assert store.run(other.id).heartbeat == other.heartbeat


OLD = {"data": {"rte": "old"}}


def checkpoints(store, run):
    return sorted(path.name for path in (store.home / "artifacts" / run).glob("checkpoint*"))


def test_a_checkpoint_counts_until_the_next_or_until_a_run_begins_again(store, grid):
    run, mate = (record.id for record in store.runs(store.submit(grid(seeds=[0, 1]))))
    store.claim()
    for one in (run, mate):
        store.started(one, 90, OLD)
    store.keep_checkpoints({one: Checkpoint(10, {"a": np.ones(2)}, 3.5) for one in (run, mate)})
    store.keep_checkpoints({one: Checkpoint(20, {"a": np.full(2, 7.0)}, 9.5) for one in (run, mate)})
    assert checkpoints(store, run) == checkpoints(store, mate) == ["checkpoint-20.safetensors"]
    kept = store.checkpoint(store.run(run))
    assert (kept.step, kept.seconds, kept.tensors["a"].tolist(), kept.versions) == (20, 9.5, [7, 7], OLD)
    store.started(run, 90, {"data": {"rte": "new"}})  # it begins again on other data: what is old must not fit later
    assert store.checkpoint(store.run(run)) is None and checkpoints(store, run) == []
    store.started(mate, 90, OLD, step=20)
    assert store.checkpoint(store.run(mate)).step == 20


def test_a_request_leaves_the_checkpoint_that_is_being_written(store, grid):
    run = store.runs(store.submit(grid()))[0].id
    store.claim()
    store.started(run, 90, {})
    store._artifacts.write_checkpoint(run, Checkpoint(20, {}))  # the row follows
    store.request(run, "pause")
    store.request(run, "cancel")
    assert checkpoints(store, run) == ["checkpoint-20.safetensors"]


def test_checkpoints_that_cannot_all_be_written_are_none(store, grid, monkeypatch):
    run, mate = (record.id for record in store.runs(store.submit(grid(seeds=[0, 1]))))
    store.claim()
    store.keep_checkpoints({one: Checkpoint(10, {}) for one in (run, mate)})
    inner = type(store._artifacts).write_tensors

    def full(self, owner, name, tensors):
        if owner == mate:
            raise StoreError("The disk is full.")
        inner(self, owner, name, tensors)

    monkeypatch.setattr(type(store._artifacts), "write_tensors", full)
    for step in (20, 30):
        with pytest.raises(StoreError, match="disk is full"):
            store.keep_checkpoints({one: Checkpoint(step, {}) for one in (run, mate)})
    assert checkpoints(store, run) == checkpoints(store, mate) == ["checkpoint-10.safetensors"]
    assert {store.run(one).checkpoint for one in (run, mate)} == {10}


def test_a_log_that_cannot_be_written_fails_no_run(store, grid, monkeypatch, caplog):
    run = store.runs(store.submit(grid()))[0].id
    store.claim()
    (store.home / "artifacts" / run).mkdir(parents=True)
    (store.home / "artifacts" / run / "log.txt").mkdir()  # as good as a full disk
    store.write_events([Log(run, 1, "here")])
    store.finish(run, Outcome("failed", error=ValueError("no room")))
    assert store.run(run).state == "failed" and "cannot be written" in caplog.text
