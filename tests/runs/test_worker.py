"""The worker's state machine, promise by promise; the trainer is a fake that events steer."""

import threading

import pytest

from compt_core.errors import BackboneError, ConfigError
from compt_core.runs.lease import Lease
from compt_core.runs.worker import NO_REFERENCES, Worker, app_threads, worker_mode
from compt_core.settings.config import RunConfig
from compt_core.training.events import Event, Outcome, Started

SECONDS = 30
REFERENCES = {"majority": {"demo-mood": {"accuracy": 0.5}}, "no_prompt": {}}


@pytest.fixture
def make(store):
    """Builds workers on the store and stops their threads after the test."""
    made = []

    def build(train, references=lambda config, tasks: REFERENCES):
        made.append(Worker(store, train=train, references=references))
        return made[-1]

    yield build
    for worker in made:
        assert worker.stop(SECONDS)


def states(store, experiment):
    return [str(record.state) for record in store.runs(experiment)]


def settle(store, experiment):
    """An `until` that ends run() when nothing of the experiment is queued or running."""
    return lambda: not {"queued", "running"} & store.experiment(experiment).states.keys()


def test_work_once_trains_one_fleet(store, grid, make, steered):
    first, second = store.submit(grid(seeds=[0, 1])), store.submit(grid())
    worker = make(train := steered())
    assert worker.work_once()
    assert states(store, first) == ["completed", "completed"]
    assert states(store, second) == ["queued"]
    run = store.runs(first)[0]
    assert (run.result, run.step, run.steps, run.versions) == ({"mean": 0.5}, 5, 5, {"torch": "none"})
    assert store.events(run.id, "loss")[0].tolist() == [1, 2, 3, 4, 5]
    assert store.prompts(run.id)["private"].shape == (2, 3)
    assert store.experiment(first).references == REFERENCES
    assert worker.work_once()
    assert not worker.work_once()
    assert train.fleets == [[r.id for r in store.runs(first)], [r.id for r in store.runs(second)]]


def test_the_trainer_gets_the_settings_of_each_run(store, grid, make):
    experiment = grid(methods=["spp", "pt"], seeds=[4, 2])
    identity, got = store.submit(experiment), {}

    def train(configs, on_event, control, *, on_outcome, **_):
        got.update(configs)
        return {run: Outcome("completed") for run in configs}

    make(train).work_once()
    assert list(got) == [record.id for record in store.runs(identity)]
    assert list(got.values()) == experiment.runs()


def test_a_crash_fails_what_had_no_outcome_and_the_worker_lives_on(store, grid, make, steered):
    identity, after = store.submit(grid(seeds="0-2")), store.submit(grid())

    def train(configs, on_event, control, *, on_outcome, **_):
        if len(configs) == 1:
            return steered()(configs, on_event, control, on_outcome=on_outcome)
        done, asked, _ = configs
        on_outcome(done, Outcome("completed"))
        store.request(asked, "cancel")
        raise ZeroDivisionError("the trainer broke")

    make(train).run(threading.Event(), until=settle(store, after))
    assert states(store, identity) == ["completed", "cancelled", "failed"]
    failed = store.runs(identity)[2]
    assert (failed.error_type, failed.error_message) == ("ZeroDivisionError", "the trainer broke")
    assert "in train" in failed.traceback
    assert states(store, after) == ["completed"]


@pytest.mark.parametrize("broken", [BackboneError("No such folder. Choose another."), SystemError("bug")])
def test_any_error_of_the_trainer_is_kept(store, grid, make, broken):
    identity = store.submit(grid())

    def train(configs, on_event, control, *, on_outcome, **_):
        raise broken

    make(train).work_once()
    (run,) = store.runs(identity)
    assert (run.state, run.error_type, run.error_message) == ("failed", type(broken).__name__, str(broken))


def test_a_run_that_the_trainer_forgets_fails(store, grid, make):
    identity = store.submit(grid(seeds=[0, 1]))

    def train(configs, on_event, control, *, on_outcome, **_):
        return {next(iter(configs)): Outcome("completed")}

    make(train).work_once()
    assert states(store, identity) == ["completed", "failed"]
    assert "no outcome" in store.runs(identity)[1].error_message


def test_an_interrupt_of_the_process_leaves_interrupted_runs(store, grid, make):
    identity = store.submit(grid())

    def train(configs, on_event, control, *, on_outcome, **_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(train).work_once()
    assert states(store, identity) == ["interrupted"]


@pytest.mark.parametrize(("what", "after"), [("cancel", "cancelled"), ("pause", "paused")])
def test_a_request_ends_one_run_and_the_fleet_trains_on(store, grid, make, steered, monkeypatch, what, after):
    monkeypatch.setattr("compt_core.runs.reporter.ASK_SECONDS", 0)
    identity = store.submit(grid(seeds=[0, 1]))
    train = steered(free=False)
    worker = make(train)
    worker.start_thread()
    assert train.training.wait(SECONDS)
    first, _ = store.runs(identity)
    train.step(2)
    assert store.request(first.id, what).request == what
    train.step(3)
    wait_for(store, identity, {after: 1, "completed": 1})
    assert states(store, identity) == [after, "completed"]
    assert store.run(first.id).request is None


def test_a_cancelled_queued_run_never_trains(store, grid, make, steered):
    identity = store.submit(grid(seeds=[0, 1]))
    first, second = store.runs(identity)
    assert store.request(first.id, "cancel").state == "cancelled"
    make(train := steered()).work_once()
    assert train.fleets == [[second.id]]


def test_paused_and_interrupted_runs_train_when_queued_again(store, grid, make, steered):
    identity = store.submit(grid())
    (run,) = store.runs(identity)
    store.request(run.id, "pause")
    worker = make(steered())
    assert not worker.work_once()
    store.requeue(run.id)
    assert worker.work_once()
    assert states(store, identity) == ["completed"]


def test_stop_interrupts_what_nobody_asked_for(store, grid, make, steered):
    identity = store.submit(grid(seeds="0-2"))
    train = steered(free=False)
    worker = make(train)
    worker.start_thread()
    assert train.training.wait(SECONDS)
    _, paused, cancelled = store.runs(identity)
    store.request(paused.id, "pause")
    store.request(cancelled.id, "cancel")
    assert not worker.stop(timeout=0)  # it waits for the trainer's step
    train.step(5)
    assert worker.stop(SECONDS)
    assert states(store, identity) == ["interrupted", "paused", "cancelled"]
    assert store.experiment(identity).references is None
    assert not worker.lease.held


def test_start_and_stop_are_idempotent_and_begin_anew(store, grid, make, steered):
    worker = make(steered())
    assert worker.stop()
    worker.start_thread()
    thread = worker._thread
    worker.start_thread()
    assert worker._thread is thread
    assert worker.stop(SECONDS)
    assert worker.stop(SECONDS)
    identity = store.submit(grid())
    worker.start_thread()
    wait_for(store, identity, {"completed": 1})


def test_a_start_during_a_stop_waits_for_the_old_thread(store, grid, make, steered):
    identity = store.submit(grid())
    train = steered(free=False)
    worker = make(train)
    worker.start_thread()
    assert train.training.wait(SECONDS)
    worker.stop(timeout=0)
    train.free = True
    worker.start_thread()
    assert len(train.fleets) == 1
    train.step()
    other = store.submit(grid())
    worker.wake()
    wait_for(store, other, {"completed": 1})
    assert states(store, identity) == ["interrupted"]


def test_wake_and_stop_end_the_sleep(store, grid, make, steered, monkeypatch):
    monkeypatch.setattr("compt_core.runs.worker.POLL_SECONDS", 10 * SECONDS)
    idle = threading.Event()
    claim = store.claim

    def claim_and_tell():
        fleet = claim()
        if not fleet:
            idle.set()
        return fleet

    monkeypatch.setattr(store, "claim", claim_and_tell)
    worker = make(steered())
    worker.start_thread()
    assert idle.wait(SECONDS)
    idle.clear()
    identity = store.submit(grid())
    worker.wake()
    wait_for(store, identity, {"completed": 1})
    assert idle.wait(SECONDS)
    assert worker.stop(SECONDS)  # as a stop does


def test_who_gains_the_lease_sweeps(store, grid, make, steered):
    identity = store.submit(grid(seeds=[0, 1]))
    store.claim()  # by a process that was killed
    store.request(store.runs(identity)[0].id, "cancel")
    make(steered()).run(threading.Event(), until=settle(store, identity))
    assert states(store, identity) == ["cancelled", "interrupted"]


def test_without_the_lease_nothing_is_swept_or_trained(store, grid, make, steered, home):
    identity = store.submit(grid())
    running = store.submit(grid())
    store.claim()
    other, looks = Lease(home), []
    assert other.acquire()

    def until():
        looks.append(states(store, identity))
        if len(looks) == 3:
            other.release()
        return len(looks) > 2 and settle(store, running)()

    worker = make(train := steered())
    worker._wake.wait = lambda timeout: None  # looks again at once
    worker.run(threading.Event(), until=until)
    assert looks[:3] == [["running"]] * 3
    assert states(store, identity) == ["interrupted"]
    assert states(store, running) == ["completed"]
    assert len(train.fleets) == 1
    assert not worker.lease.held


def test_a_failure_of_the_store_is_survived_by_the_thread(store, grid, make, steered, monkeypatch, caplog):
    monkeypatch.setattr("compt_core.runs.worker.RETRY_SECONDS", 0)
    identity = store.submit(grid())
    finish = store.finish
    failures = iter([OSError("disk full")] * 3)  # of the result, of the failure instead, of the crash

    def fail_at_first(run, outcome):
        for error in failures:
            raise error
        finish(run, outcome)

    monkeypatch.setattr(store, "finish", fail_at_first)
    make(steered()).start_thread()
    wait_for(store, identity, {"interrupted": 1})  # not for ever "running"
    assert "tries again" in caplog.text


def test_references_are_computed_once_and_only_for_results(store, grid, make, steered):
    identity = store.submit(grid(seeds=[0, 1]))
    late = store.request(store.runs(identity)[1].id, "pause").id
    asked = []

    def references(config, tasks):
        asked.append(config)
        return REFERENCES

    worker = make(steered(), references)
    assert worker.work_once()
    store.requeue(late)
    assert worker.work_once()
    assert asked == [RunConfig.model_validate(store.runs(identity)[0].config)]

    def fail(configs, on_event, control, *, on_outcome, **_):
        raise ValueError

    failed = store.submit(grid())
    make(fail, references).work_once()
    assert store.experiment(failed).references is None
    assert len(asked) == 1


def test_a_stop_leaves_the_references_out(store, grid, make):
    identity, stop = store.submit(grid()), threading.Event()

    def train(configs, on_event, control, *, on_outcome, **_):
        stop.set()
        return {run: Outcome("completed") for run in configs}

    make(train).work_once(stop)
    assert store.experiment(identity).references is None


def test_failing_references_are_logged_and_cost_nothing_else(store, grid, make, steered, caplog):
    identity = store.submit(grid())

    def references(config, tasks):
        raise ValueError("no dev rows")

    make(steered(), references).work_once()
    assert states(store, identity) == ["completed"]
    assert store.experiment(identity).references == NO_REFERENCES
    assert f"No reference rows for experiment {identity}: ValueError: no dev rows" in caplog.text


def test_events_of_a_finished_run_do_not_crash_its_fleet(store, grid, make):
    identity = store.submit(grid(seeds=[0, 1]))

    def train(configs, on_event, control, *, on_outcome, **_):
        first, second = configs
        for run in configs:
            on_event(Started(run, 3, {}))
        on_outcome(first, Outcome("completed"))
        on_event(Event(first, "loss", 3, (1.0,)))
        return {second: Outcome("completed")}

    make(train).work_once()
    assert states(store, identity) == ["completed", "completed"]


def test_worker_mode_reads_the_environment(monkeypatch):
    monkeypatch.delenv("COMPT_WORKER", raising=False)
    assert worker_mode() == "thread"
    for mode in ("thread", "external", "off"):
        monkeypatch.setenv("COMPT_WORKER", mode)
        assert worker_mode() == mode
    monkeypatch.setenv("COMPT_WORKER", "extern")
    with pytest.raises(ConfigError, match=r"'off'. Got 'extern' instead. Did you mean 'external'"):
        worker_mode()


def wait_for(store, experiment, counts):
    """Waits until the runs of an experiment stand as `counts` says; woken by every finish or sweep."""
    changed = threading.Condition()
    finish, sweep = store.finish, store.sweep

    def told(call):
        def wrapper(*args):
            result = call(*args)
            with changed:
                changed.notify_all()
            return result
        return wrapper

    store.finish, store.sweep = told(finish), told(sweep)
    with changed:
        assert changed.wait_for(lambda: store.experiment(experiment).states == counts, SECONDS), \
            store.experiment(experiment).states
    store.finish, store.sweep = finish, sweep


def test_beside_a_dashboard_one_core_is_left_to_the_pages(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.delenv("COMPT_THREADS", raising=False)
    assert app_threads() == 7
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert app_threads() == 1
    monkeypatch.setenv("COMPT_THREADS", "3")
    assert app_threads() == 3
    for wrong in ("0", "-1", "two", "1.5", "٣", "1_0", "9" * 5000):
        monkeypatch.setenv("COMPT_THREADS", wrong)
        with pytest.raises(ConfigError, match=f"COMPT_THREADS must be an integer of 1 or more. Got '{wrong[:70]}"):
            app_threads()


def test_an_error_while_the_process_leaves_interrupts(store, grid, make):
    identity, stop = store.submit(grid()), threading.Event()

    def train(configs, on_event, control, *, on_outcome, **_):
        stop.set()
        raise RuntimeError("can't start new thread at interpreter shutdown")

    make(train).work_once(stop)
    assert [(run.state, run.error_type) for run in store.runs(identity)] == [("interrupted", None)]


def test_a_fleet_that_made_room_comes_back_after_the_other_owners(store, grid, make, steered, monkeypatch):
    monkeypatch.setattr("compt_core.runs.reporter.TURN_SECONDS", 0)
    monkeypatch.setattr("compt_core.runs.reporter.ASK_SECONDS", 0)
    first, second = store.submit(grid(seeds=[1, 2]), owner="ada"), store.submit(grid(seeds=[3]), owner="ben")
    worker = make(train := steered())
    worker.work_once()  # ben waits from the start
    monkeypatch.setattr("compt_core.runs.reporter.TURN_SECONDS", 1000)
    assert states(store, first) == ["queued", "queued"]
    worker.work_once()
    worker.work_once()
    ids = [[run.id for run in store.runs(one)] for one in (first, second)]
    assert train.fleets == [ids[0], ids[1], ids[0]]
    assert states(store, first) == ["completed"] * 2


def test_an_experiment_deleted_while_it_trains_costs_nobody_anything(store, grid, make, steered):
    gone, after = store.submit(grid()), store.submit(grid())

    def train(configs, on_event, control, *, on_outcome, **_):
        for run in configs:
            if run in {record.id for record in store.runs(after)}:
                return steered()(configs, on_event, control, on_outcome=on_outcome)
            store.delete(run)
            on_outcome(run, Outcome("cancelled"))
        return {}

    make(train).run(threading.Event(), until=settle(store, after))
    assert [record.id for record in store.experiments()] == [after]
    assert states(store, after) == ["completed"]
    assert gone not in [record.id for record in store.experiments()]
