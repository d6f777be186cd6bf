"""drain(): what the command line's `run` waits on, with and without the lease."""

import signal
import threading

import pytest

from compt_core.errors import StoreError
from compt_core.runs.drain import drain
from compt_core.runs.lease import Lease
from compt_core.runs.worker import Worker
from compt_core.signals import Stopped
from compt_core.training.events import Outcome

SECONDS = 30
REFERENCES = {"majority": {}, "no_prompt": {"demo-mood": {"accuracy": 0.5}}}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("compt_core.runs.worker.POLL_SECONDS", 0.01)
    monkeypatch.setattr("compt_core.runs.reporter.ASK_SECONDS", 0)


def worker_of(store, train, references=lambda config, tasks: REFERENCES):
    return Worker(store, train=train, references=references)


def states(records):
    return [str(record.state) for record in records]


def test_with_the_lease_it_trains_earlier_work_first_and_leaves_later_work(store, grid, home, steered):
    earlier, own, later = (store.submit(grid(seeds=[0, 1])) for _ in range(3))
    ticks = []
    records = drain(store, own, ticks.append, worker=worker_of(store, train := steered()))
    assert states(records) == ["completed", "completed"]
    assert ticks[-1] == records
    assert [[r.id for r in store.runs(name)] for name in (earlier, own)] == train.fleets
    assert store.experiment(later).states == {"queued": 2}
    assert store.experiment(own).references == REFERENCES
    lease = Lease(home)
    assert lease.acquire()  # given back
    lease.release()


def test_it_tells_of_progress_while_training(store, grid, steered):
    own = store.submit(grid())
    train = steered(free=False)
    seen = []

    def on_tick(records):
        seen.append((records[0].state, records[0].id))
        if records[0].state == "running":
            train.step()

    drain(store, own, on_tick, worker=worker_of(store, train))
    assert [state for state, _ in seen].count("running") >= 1
    assert seen[-1][0] == "completed"


def test_without_the_lease_it_waits_for_the_other_worker(store, grid, steered):
    own = store.submit(grid())
    train, looked_on = steered(free=False), threading.Event()

    def references(config, tasks):
        assert looked_on.wait(SECONDS)
        return REFERENCES

    asked_here = []

    other = worker_of(store, train, references)
    other.start_thread()
    assert train.training.wait(SECONDS)

    def sleep(timeout):
        looks.append(store.runs(own)[0].state)
        if looks.count("completed") == 2:  # once between, it has asked whether all is done
            looked_on.set()

    looks = []
    waiting = worker_of(store, mine := steered(), asked_here.append)
    waiting._wake.wait = sleep
    records = drain(store, own, lambda records: train.step(), worker=waiting)
    assert states(records) == ["completed"]
    assert store.experiment(own).references == REFERENCES  # it waited for these as well
    assert (mine.fleets, asked_here) == ([], [])
    assert other.stop(SECONDS)


def test_it_takes_the_lease_over_and_queues_interrupted_runs_again(store, grid, steered):
    own = store.submit(grid())
    train = steered(free=False)
    other = worker_of(store, train)
    other.start_thread()
    assert train.training.wait(SECONDS)

    def on_tick(records):
        if not other._stop.is_set():
            assert not other.stop(timeout=0)
            train.step()

    records = drain(store, own, on_tick, worker=worker_of(store, mine := steered()))
    assert states(records) == ["completed"]
    assert mine.fleets == [[records[0].id]]
    assert other.stop(SECONDS)


def test_runs_of_a_killed_worker_are_trained(store, grid, steered):
    own = store.submit(grid())
    store.claim()
    assert states(drain(store, own, lambda records: None, worker=worker_of(store, steered()))) == ["completed"]


def test_it_does_not_wait_for_paused_runs(store, grid, steered):
    own = store.submit(grid(seeds=[0, 1]))
    store.request(store.runs(own)[0].id, "pause")
    records = drain(store, own, lambda records: None, worker=worker_of(store, steered()))
    assert states(records) == ["paused", "completed"]


def test_failed_runs_end_it(store, grid):
    own = store.submit(grid())

    def train(configs, on_event, control, *, on_outcome, **_):
        return {run: Outcome("failed", error=ValueError("bad")) for run in configs}

    (record,) = drain(store, own, lambda records: None, worker=worker_of(store, train))
    assert (record.state, record.error_message) == ("failed", "bad")


def test_missing_references_are_made_up_for(store, grid, steered):
    own = store.submit(grid())
    (run,) = store.claim()
    store.finish(run.id, Outcome("completed"))  # and then its worker had to leave
    drain(store, own, lambda records: None, worker=worker_of(store, steered()))
    assert store.experiment(own).references == REFERENCES


def test_ctrl_c_cancels_its_own_runs_and_no_others(store, grid, steered, home):
    own, later = store.submit(grid(seeds="0-2")), store.submit(grid())
    paused = store.runs(own)[0]
    store.request(paused.id, "pause")
    train = steered(free=False)

    def on_tick(records):
        if train.training.is_set():
            train.step(5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drain(store, own, on_tick, worker=worker_of(store, train))
    assert states(store.runs(own))[0] == "paused"
    assert set(states(store.runs(own))[1:]) <= {"cancelled", "completed"}
    assert store.experiment(later).states == {"queued": 1}
    lease = Lease(home)
    assert lease.acquire()
    lease.release()


def until_asked(training, asked, last_step=lambda: True):
    """A trainer whose one run takes steps until something is asked of it, which `asked` gets."""
    def train(configs, on_event, control, *, on_outcome, **_):
        (run,) = configs
        training.set()
        while (answer := control(run)) == "keep":
            pass
        asked.append(answer)
        assert last_step()
        return {run: Outcome("cancelled" if answer == "cancel" else "paused")}

    return train


def test_ctrl_c_while_training_ends_cancelled_within_a_step(store, grid):
    own = store.submit(grid())
    training, asked = threading.Event(), []

    def on_tick(records):
        assert training.wait(SECONDS)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drain(store, own, on_tick, worker=worker_of(store, until_asked(training, asked)))
    assert asked == ["cancel"]
    assert states(store.runs(own)) == ["cancelled"]


def test_ctrl_c_during_earlier_work_interrupts_that(store, grid):
    earlier, own = store.submit(grid()), store.submit(grid())
    training = threading.Event()

    def on_tick(records):
        assert training.wait(SECONDS)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drain(store, own, on_tick, worker=worker_of(store, until_asked(training, [])))
    assert states(store.runs(earlier)) == ["interrupted"]
    assert states(store.runs(own)) == ["cancelled"]


@pytest.mark.parametrize("slow", [False, True])
def test_a_signal_interrupts_and_cancels_nothing(store, grid, monkeypatch, slow):
    own, later = store.submit(grid()), store.submit(grid())
    training, asked = threading.Event(), []
    monkeypatch.setattr("compt_core.runs.drain.EXIT_SECONDS", 0.01 if slow else SECONDS)

    def on_tick(records):
        assert training.wait(SECONDS)
        raise Stopped(signal.SIGTERM)

    go = threading.Event()
    train = until_asked(training, asked, lambda: not slow or go.wait(SECONDS))
    with pytest.raises(Stopped):
        drain(store, own, on_tick, worker=worker_of(store, train))
    assert slow or asked == ["pause"]
    assert states(store.runs(own)) == (["running"] if slow else ["interrupted"])
    assert store.experiment(later).states == {"queued": 1}
    go.set()
    for thread in threading.enumerate():
        if thread.name == "compt-drain":
            thread.join(SECONDS)
    assert states(store.runs(own)) == ["interrupted"]


def test_a_failing_store_or_callback_is_raised_and_leaves_no_thread(store, grid, steered, monkeypatch):
    own = store.submit(grid())
    before = threading.active_count()

    def refuse():
        raise StoreError("The store is full.")

    monkeypatch.setattr(store, "claim", refuse)
    with pytest.raises(StoreError, match="full"):
        drain(store, own, lambda records: None, worker=worker_of(store, steered()))
    monkeypatch.undo()

    def broken(records):
        raise BrokenPipeError

    train = steered()
    with pytest.raises(BrokenPipeError):
        drain(store, own, broken, worker=worker_of(store, train))
    assert threading.active_count() == before


def test_an_unknown_experiment_is_a_sentence(store):
    with pytest.raises(StoreError, match="There is no experiment 'nowhere'"):
        drain(store, "nowhere", lambda records: None)
