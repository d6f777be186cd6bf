"""States and the queue: every transition, idempotence, order, who is claimed together."""

import itertools
import re
import sqlite3
from pathlib import Path

import pytest

from compt_core.errors import StoreError
from compt_core.runs import transitions
from compt_core.runs.ids import new_id
from compt_core.runs.record import ACTIVE, TERMINAL, TRANSITIONS, State
from compt_core.runs.schema import runs as table
from compt_core.training.events import Checkpoint, Event, Log, Outcome

HOSTILE = ["", "x", "../../../etc/passwd", "a" * 5000, "aaaaaaaaaa", "AAAAAAAAAA", "' OR 1=1 --", "aaaaaaaaa\n",
           "\x00" * 10, "\ud800" * 10, "\u202eaaaaaaaaa", "\uff41" * 10, "\u0661" * 10, None, 3, b"aaaaaaaaaa", ["x"]]
SENTENCE = r"There is no (run|experiment) .* in this store\. Take the id from the list of runs\."


def put(store, run, state):
    """Sets a state past the rules, to start a test from it."""
    with store._database.write() as connection:
        connection.execute(table.update().where(table.c.id == run).values(state=state.value))


@pytest.fixture
def run(store, grid):
    return store.runs(store.submit(grid()))[0].id


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_move_allows_exactly_the_transitions(store, run, before, after):
    put(store, run, before)
    if after in TRANSITIONS[before]:
        with store._database.write() as connection:
            transitions.move(connection, [run], after)
        assert store.run(run).state is after
        assert (store.run(run).finished is not None) == (after in TERMINAL)
    else:
        with store._database.write() as connection, \
                pytest.raises(StoreError, match=f"is {before} and cannot become {after}"):
            transitions.move(connection, [run], after)
        assert store.run(run).state is before


def test_a_forbidden_move_of_one_moves_none(store, grid):
    experiment = store.submit(grid(seeds=[0, 1, 2]))
    ids = [record.id for record in store.runs(experiment)]
    put(store, ids[1], State.COMPLETED)
    with pytest.raises(StoreError, match=f"Run '{ids[1]}' is completed"), store._database.write() as connection:
        transitions.move(connection, ids, State.CANCELLED)
    assert [record.state for record in store.runs(experiment)] == ["queued", "completed", "queued"]
    with pytest.raises(StoreError, match="2 runs should have become cancelled, but only 1 could"), \
            store._database.write() as connection:
        transitions.move(connection, [ids[0], "no-such-run"], State.CANCELLED)
    assert store.run(ids[0]).state == "queued"


def test_the_states_are_those_of_the_design():
    assert {"completed", "failed", "cancelled"} == TERMINAL
    assert {"queued", "running"} == ACTIVE
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize("what", ["cancel", "pause"])
@pytest.mark.parametrize("before", list(State))
def test_a_request_is_idempotent_from_any_state(store, run, before, what):
    put(store, run, before)
    once = store.request(run, what)
    assert store.request(run, what) == once
    after = {"cancel": State.CANCELLED, "pause": State.PAUSED}[what]
    if before is State.RUNNING:
        assert (once.state, once.request) == (State.RUNNING, what)
    elif after in TRANSITIONS[before]:
        assert (once.state, once.request) == (after, None)
    else:
        assert (once.state, once.request) == (before, None)


def test_a_cancel_overrides_a_pause_and_not_the_other_way(store, run):
    store.claim()
    assert store.request(run, "pause").request == "pause"
    assert store.request(run, "cancel").request == "cancel"
    assert store.request(run, "pause").request == "cancel"
    assert store.requests(store.run(run).fleet) == {run: "cancel"}
    assert store.requests("another") == {}


@pytest.mark.parametrize("before", list(State))
def test_requeue_takes_up_whatever_ended_without_being_completed(store, run, before):
    put(store, run, before)
    again = before in (State.PAUSED, State.INTERRUPTED, State.FAILED, State.CANCELLED)
    assert store.requeue(run)[0].state is (State.QUEUED if again else before)
    assert store.requeue(run)[0].state is (State.QUEUED if again else before)


@pytest.mark.parametrize(("outcome", "asked", "after"), [
    ("completed", None, "completed"), ("completed", "cancel", "completed"), ("completed", "pause", "completed"),
    ("failed", None, "failed"), ("failed", "cancel", "cancelled"), ("failed", "pause", "failed"),
    ("cancelled", None, "cancelled"), ("cancelled", "cancel", "cancelled"), ("cancelled", "pause", "cancelled"),
    ("paused", None, "interrupted"), ("paused", "cancel", "cancelled"), ("paused", "pause", "paused"),
])
def test_finish_weighs_the_outcome_against_what_was_asked(store, run, outcome, asked, after):
    store.claim()
    if asked:
        store.request(run, asked)
    error = ValueError("no more") if outcome == "failed" else None
    store.finish(run, Outcome(outcome, result={"mean": 1.0}, error=error))
    record = store.run(run)
    assert (record.state, record.request) == (after, None)
    assert record.result == ({"mean": 1.0} if after == "completed" else None)
    assert (record.error_type is not None) == (after == "failed")
    if error:
        assert "ValueError: no more" in store.log(run)  # kept even where a cancel won


def test_failed_keeps_type_message_and_traceback(store, run):
    store.claim()
    try:
        raise KeyError("lost key")
    except KeyError as error:
        store.finish(run, Outcome("failed", error=error))
    record = store.run(run)
    assert (record.error_type, record.error_message) == ("KeyError", "'lost key'")
    assert "Traceback (most recent call last)" in record.traceback
    assert "test_failed_keeps_type" in record.traceback


@pytest.mark.parametrize("state", [state for state in State if state is not State.RUNNING])
def test_only_a_running_run_can_finish(store, run, state):
    put(store, run, state)
    if state is State.QUEUED:  # a queued run can be cancelled, but not by a trainer that never had it: completed
        with pytest.raises(StoreError, match="is queued and cannot become completed"):
            store.finish(run, Outcome("completed"))
    elif state in TERMINAL:
        for outcome in ("completed", "failed", "cancelled", "paused"):
            with pytest.raises(StoreError, match=f"is {state} and cannot become"):
                store.finish(run, Outcome(outcome))
    assert store.run(run).state is state
    assert not (store.home / "artifacts" / run / "prompts.safetensors").exists()


def test_sweep_ends_what_was_left_running_and_nothing_else(store, grid):
    experiment = store.submit(grid(seeds="0-5"))
    ids = [record.id for record in store.claim()]
    store.request(ids[0], "cancel")
    store.request(ids[1], "pause")
    store.finish(ids[2], Outcome("completed"))
    waiting = store.submit(grid())
    assert store.sweep() == 5
    assert [record.state for record in store.runs(experiment)] == [
        "cancelled", "paused", "completed", "interrupted", "interrupted", "interrupted"]
    assert store.experiment(waiting).states == {"queued": 1}
    assert store.sweep() == 0


def test_claim_takes_the_oldest_experiment_as_one_fleet(store, grid):
    first = store.submit(grid(methods=["spp", "pt"], seeds="0-1", shots=[8, 16]))
    second = store.submit(grid())
    fleet = store.claim()
    assert [record.id for record in fleet] == [record.id for record in store.runs(first)]
    assert {record.state for record in fleet} == {State.RUNNING}
    assert len({record.fleet for record in fleet}) == 1
    assert fleet[0].fleet
    assert all(record.started and record.heartbeat for record in fleet)
    (other,) = store.claim()
    assert other.experiment == second
    assert other.fleet != fleet[0].fleet
    assert store.claim() == ()


def test_a_requeued_run_keeps_its_experiments_place(store, grid):
    first = store.submit(grid())
    (run,) = [record.id for record in store.claim()]
    store.submit(grid())
    store.request(run, "pause")
    store.finish(run, Outcome("paused"))
    store.requeue(run)
    assert store.position(run) == 0
    assert store.claim()[0].experiment == first


def test_claim_never_mixes_owners_or_backbones(store, grid):
    store.submit(grid(), owner="ann")
    store.submit(grid(), owner="bob")
    mixed = store.submit(grid(methods=["pt", "mst", "spp"]))
    with store._database.write() as connection:  # settings allow one backbone per experiment; the queue would not care
        connection.exec_driver_sql("UPDATE runs SET backbone = 'elsewhere', config = json_set(config, '$.backbone', "
                                   "'elsewhere') WHERE method = 'mst'")
    fleets = [store.claim() for _ in range(5)]
    assert [[(r.owner, r.method) for r in fleet] for fleet in fleets] == [
        [("ann", "pt")], [("bob", "pt")], [("local", "pt"), ("local", "spp")], [("local", "mst")], []]
    assert {record.experiment for record in fleets[2] + fleets[3]} == {mixed}


def test_position_counts_waiting_runs_of_older_experiments(store, grid):
    first, second, third = (store.submit(grid(seeds=seeds)) for seeds in ("0-1", "0-2", "0"))
    where = {name: [store.position(r.id) for r in store.runs(name)] for name in (first, second, third)}
    assert where == {first: [0, 0], second: [2, 2, 2], third: [5]}
    store.request(store.runs(first)[1].id, "cancel")
    assert store.position(store.runs(third)[0].id) == 4
    store.claim()
    assert store.position(store.runs(first)[0].id) is None
    assert store.position(store.runs(third)[0].id) == 3


@pytest.mark.parametrize("value", HOSTILE, ids=[repr(value)[:20] for value in HOSTILE])
def test_a_hostile_id_gives_one_short_sentence(store, run, value):
    calls = [
        store.run, store.experiment, store.runs, store.position, store.requeue, store.log, store.prompts, store.scores,
        lambda v: store.request(v, "cancel"), lambda v: store.events(v, "loss"),
        lambda v: store.set_references(v, {}), lambda v: store.finish(v, Outcome("cancelled")),
    ]
    for call in calls:
        if value is None and call == store.runs:
            continue  # None is the whole list there
        with pytest.raises(StoreError) as caught:
            call(value)
        sentence = str(caught.value)
        assert re.fullmatch(SENTENCE, sentence)
        assert len(sentence) < 140
        assert sentence.isprintable()


def test_ids_fit_into_a_url_and_differ():
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch("[a-z0-9]{10}", identity) for identity in ids)


def served(store, count):
    """(owner, seed) of the next `count` fleets' first runs, each completed before the next is claimed."""
    order = []
    for _ in range(count):
        fleet = store.claim()
        order.append((fleet[0].owner, fleet[0].seed))
        for record in fleet:
            store.finish(record.id, Outcome("cancelled"))
    return order


def test_owners_take_turns_and_each_ones_experiments_keep_their_order(store, grid):
    for seed in (1, 2, 3):
        store.submit(grid(seeds=[seed]), owner="ada")
    for seed in (4, 5):
        store.submit(grid(seeds=[seed]), owner="ben")
    last = store.runs(store.submit(grid(seeds=[6, 7]), owner="ada"))[1].id
    assert store.position(last) == 5
    assert served(store, 3) == [("ada", 1), ("ben", 4), ("ada", 2)]
    assert store.position(last) == 2
    late = store.runs(store.submit(grid(seeds=[8]), owner="cleo"))[0].id  # was never served
    assert store.position(late) == 0
    assert served(store, 4) == [("cleo", 8), ("ben", 5), ("ada", 3), ("ada", 6)]
    assert store.claim() == ()


def test_positions_are_the_order_of_claims(store, grid):
    rows = [(owner, store.submit(grid(seeds=[seed]), owner=owner))
            for seed, owner in enumerate(["ada", "ada", "ben", "ada", "cleo", "ben"])]
    runs = [store.runs(identity)[0].id for _, identity in rows]
    told = sorted(runs, key=store.position)
    assert [store.position(run) for run in told] == list(range(6))
    assert [store.claim()[0].id for _ in runs] == told


def test_an_experiment_moves_to_the_front_of_its_owners_queue_only(store, grid):
    first, second, third = (store.submit(grid(seeds=[seed]), owner="ada") for seed in (1, 2, 3))
    store.submit(grid(seeds=[9]), owner="ben")
    store.first(third)
    store.first(third)
    assert served(store, 2) == [("ada", 3), ("ben", 9)]
    store.first(second)
    assert served(store, 2) == [("ada", 2), ("ada", 1)]
    store.first(first)  # nothing waits: nothing happens
    with pytest.raises(StoreError, match="There is no experiment"):
        store.first("../../etc")


def test_a_fleet_has_an_upper_size(store, grid, monkeypatch):
    monkeypatch.setattr("compt_core.planning.fleets.LARGEST_FLEET", 3)
    store.submit(grid(seeds="0-6"))
    assert [[record.seed for record in store.claim()] for _ in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]


def test_what_was_a_fleet_before_is_taken_up_as_that_fleet(store, grid, monkeypatch):
    monkeypatch.setattr("compt_core.planning.fleets.LARGEST_FLEET", 3)
    identity = store.submit(grid(seeds="0-5"))
    first = store.claim()
    store.finish(first[0].id, Outcome("cancelled"))
    store.sweep()
    store.requeue(*(record.id for record in first[1:]))
    assert [record.seed for record in store.claim()] == [1, 2]  # not filled up with the seeds that wait
    assert [record.seed for record in store.claim()] == [3, 4, 5]
    assert store.experiment(identity).states == {"cancelled": 1, "running": 5}


def test_a_retried_run_forgets_its_error_and_a_cancelled_one_its_checkpoint(store, run):
    store.claim()
    store.started(run, 9, {})
    store.keep_checkpoints({run: Checkpoint(4, {"a": [1.0]})})
    store.finish(run, Outcome("failed", error=ValueError("no room")))
    assert store.run(run).checkpoint == 4
    again = store.requeue(run)[0]
    assert (again.state, again.error_type, again.error_message, again.traceback) == ("queued", None, None, None)
    assert store.checkpoint(again).step == 4
    assert store.request(run, "cancel").checkpoint is None
    assert store.checkpoint(store.requeue(run)[0]) is None


@pytest.mark.parametrize("before", list(State))
def test_a_run_can_be_deleted_from_any_state_and_twice(store, home, grid, before):
    identity = store.submit(grid(seeds=[0, 1]))
    run, mate = (record.id for record in store.runs(identity))
    store.claim()
    store.started(run, 9, {})
    store.write_events([Event(run, "loss", 1, (0.5,)), Log(run, 1, "here")])
    put(store, run, before)
    store.delete(run)
    store.delete(run)
    if before is State.RUNNING:
        assert store.run(run).request == "delete"
        assert store.requests(store.run(run).fleet) == {run: "delete"}
        assert store.request(run, "cancel").request == "delete"
        store.finish(run, Outcome("cancelled"))
    with pytest.raises(StoreError, match="There is no run"):
        store.run(run)
    assert [record.id for record in store.runs(identity)] == [mate]
    assert not (home / "artifacts" / run).exists()
    store.delete(run)


def test_with_its_last_run_an_experiment_is_gone(store, grid):
    identity, other = store.submit(grid()), store.submit(grid())
    store.delete(store.runs(identity)[0].id)
    assert [record.id for record in store.experiments()] == [other]


def test_a_run_to_be_deleted_is_gone_whatever_its_trainer_says(store, home, grid):
    runs = [record.id for record in store.runs(store.submit(grid(seeds="0-3")))]
    store.claim()
    for run in runs:
        store.delete(run)
    store.finish(runs[0], Outcome("completed", result={"mean": 0.5}))
    store.finish(runs[1], Outcome("failed", error=ValueError()))
    store.finish(runs[2], Outcome("paused"))
    assert store.sweep() == 1
    assert store.runs() == [] and store.experiments() == []
    assert not [path for path in (home / "artifacts").glob("*") if path.name in runs]


def test_a_sweep_tidies_what_a_kill_left_and_nothing_else(store, home, run, grid):
    store.claim()
    other = store.runs(store.submit(grid()))[0].id
    for name in (run, other, "deleted", "foreign"):
        (home / "artifacts" / name).mkdir(parents=True)
        (home / "artifacts" / name / "prompts.x.tmp").touch()
        (home / "artifacts" / name / "log.txt").touch()
    (home / "artifacts" / "deleted" / "deleted").touch()
    (home / "artifacts" / other / "checkpoint-7.safetensors").touch()  # of a run that counts none
    store.sweep()
    left = sorted(str(path.relative_to(home / "artifacts")) for path in (home / "artifacts").rglob("*.*"))
    assert left == sorted([f"{run}/log.txt", f"{other}/log.txt", "foreign/log.txt"])


def test_a_kill_in_the_middle_of_a_delete_leaves_the_mark_to_the_end(store, home, run, monkeypatch):
    folder = home / "artifacts" / run
    folder.mkdir(parents=True)
    for name in ("checkpoint-7.safetensors", "log.txt", "prompts.safetensors"):
        (folder / name).touch()
    gone, really = [], Path.unlink

    def killed(path, **_):
        gone.append(path.name)
        if len(gone) == 3:
            raise KeyboardInterrupt
        really(path)

    with monkeypatch.context() as kill:
        kill.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            store.delete(run)
    assert (folder / "deleted").exists() and "deleted" not in gone and not store.runs()
    store.sweep()
    assert not folder.exists()


def test_the_lease_changes_hands_inside_the_transaction_that_sweeps(store, home, run):
    store.claim()
    other = sqlite3.connect(home / "compt.db", timeout=0, isolation_level=None)

    def gain():
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        return True

    assert store.sweep(lambda: False) is None and store.run(run).state == "running"
    assert store.sweep(gain) == 1 and store.run(run).state == "interrupted"
    other.close()
