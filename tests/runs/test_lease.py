"""The lease, between objects of one process and between real processes."""

import subprocess
import sys
import threading

import pytest

from compt_core.errors import StoreError
from compt_core.runs.lease import Lease
from compt_core.runs.worker import Worker

HOLD = """
import sys
from pathlib import Path
from compt_core.runs.lease import Lease
lease = Lease(Path(sys.argv[1]))
print(lease.acquire(), flush=True)
sys.stdin.read()
"""

# Claims a fleet, takes one step, says so, and then waits for the end that a test prepares.
TRAIN = """
import sys, threading
from pathlib import Path
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker
from compt_core.training.events import Event, Outcome, Started

def train(configs, on_event, control, *, on_outcome, **_):
    for run in configs:
        on_event(Started(run, 100, {}))
    print("training", *configs, flush=True)
    sys.stdin.readline()
    return {run: Outcome("completed") for run in configs}

store, stop = Store(Path(sys.argv[1])), threading.Event()
Worker(store, train=train, references=lambda config, tasks: {}).run(stop, until=lambda: not any(
    record.state in ("queued", "running") for record in store.runs()))
print("done", flush=True)
"""


@pytest.fixture
def child(home):
    """Starts Python code in a process of its own, with pipes to talk to it; killed after the test."""
    children = []

    def start(code):
        children.append(subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(home)], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return children[-1]

    yield start
    for process in children:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_two_leases_of_one_process_exclude_each_other(store, home):
    first, second = Lease(home), Lease(home)
    assert first.acquire()
    assert first.acquire()  # held already: still one release gives it back
    assert not second.acquire()
    assert (first.held, second.held) == (True, False)
    first.release()
    assert second.acquire()
    second.release()
    second.release()
    assert not second.held


def test_any_thread_may_release(store, home):
    lease = Lease(home)
    thread = threading.Thread(target=lease.acquire)
    thread.start()
    thread.join()
    assert lease.held
    lease.release()
    other = Lease(home)
    assert other.acquire()
    other.release()


def test_an_unusable_lock_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"worker.lock' cannot be used: .*COMPT_HOME"):
        Lease(tmp_path / "file").acquire()


@pytest.mark.slow
def test_a_killed_process_frees_its_lease(store, home, child):
    holder = child(HOLD)
    assert holder.stdout.readline() == "True\n"
    mine = Lease(home)
    assert not mine.acquire()
    holder.kill()
    holder.wait()
    assert mine.acquire()
    mine.release()


@pytest.mark.slow
def test_of_two_processes_one_trains_and_the_other_takes_over(store, grid, home, child):
    identity = store.submit(grid())
    trainers = [child(TRAIN), child(TRAIN)]
    (run,) = store.runs(identity)
    heard = []
    told = threading.Condition()

    def listen(process):
        for line in process.stdout:
            with told:
                heard.append((process, line.split()))
                told.notify_all()

    listeners = [threading.Thread(target=listen, args=(process,)) for process in trainers]
    for listener in listeners:
        listener.start()
    with told:
        assert told.wait_for(lambda: heard, 30)
    (first, words) = heard[0]
    assert words == ["training", run.id]
    first.kill()
    first.wait()
    second = next(process for process in trainers if process is not first)
    with told:  # it gained the lease and swept: nothing is left to do, so it leaves
        assert told.wait_for(lambda: (second, ["done"]) in heard, 30)
    assert store.run(run.id).state == "interrupted"
    assert [words[0] for _, words in heard] == ["training", "done"]
    for process, listener in zip(trainers, listeners, strict=True):
        process.stdin.close()
        listener.join(30)


@pytest.mark.slow
def test_a_worker_here_waits_for_the_worker_there(store, grid, child, steered):
    identity = store.submit(grid())
    there = child(TRAIN)
    assert there.stdout.readline().startswith("training")
    worker = Worker(store, train=(train := steered()), references=lambda config, tasks: {})
    waited = threading.Event()
    worker._wake.wait = lambda timeout: waited.set()
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    assert waited.wait(30)
    assert store.runs(identity)[0].state == "running"  # it has looked, and neither swept nor trained
    there.stdin.write("\n")
    there.stdin.flush()
    assert there.stdout.readline() == "done\n"
    assert store.runs(identity)[0].state == "completed"
    stop.set()
    thread.join(30)
    assert train.fleets == []
