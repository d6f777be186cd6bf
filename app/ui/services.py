"""What all visitors of one process share: the store, read-only looks into it, and the worker thread.

The only caches of the dashboard beside `shared`, each bounded. The worker is no cached resource: clearing the caches
must not make a second one. Its lease would keep that one waiting, but one thread is enough.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import streamlit as st

from app.show.captions import literal
from app.show.progress import Observation
from app.show.styles import ink
from app.ui.shared import Memo, Viewers
from compt_core.analysis.diagnosis import KINDS, diagnose_runs
from compt_core.analysis.signatures import Diagnosis
from compt_core.errors import ConfigError, Issue, LostStore, StoreError
from compt_core.exchange.bundle import import_bundles
from compt_core.planning import estimate as estimates
from compt_core.planning.check import LaunchCheck
from compt_core.planning.check import check as check_launch
from compt_core.planning.estimate import Estimate
from compt_core.runs.ids import new_id
from compt_core.runs.lease import settle
from compt_core.runs.measuring import Measurement
from compt_core.runs.record import ACTIVE, IMPORTED, RunRecord
from compt_core.runs.store import Store
from compt_core.runs.worker import Worker, app_threads, worker_mode
from compt_core.settings.config import Experiment, build_experiment, to_yaml
from compt_core.studies.launch import advance
from compt_core.tasks import own

T = TypeVar("T")
_MOST_NOTES = 3  # about damaged curves, of a page
_MOST_MEASURED = 32  # measurements that are remembered
Curve = tuple[RunRecord, np.ndarray, np.ndarray]

_memo, _viewers = Memo(), Viewers()
_starting, _opening = threading.Lock(), threading.Lock()
_worker: Worker | None = None
_trains: Store | None = None  # the store of that worker
_measured = dict[tuple[str, str], Measurement]()


def owner() -> str:
    """Whose runs a visitor submits; one name until there are logins."""
    return "local"


def owns(name: str | None) -> bool:
    """Whether a visitor may change the runs of that owner: their own, and those that were imported."""
    return name in (owner(), IMPORTED)


def store() -> Store:
    """The store of COMPT_HOME with the bundled runs in it, opened once per process, and once more where another file
    took its place.

    Raises StoreError when it cannot be used: LostStore while its file is gone, as none is made in its place.
    """
    home = os.environ.get("COMPT_HOME", "")
    opened = _open_store(home)
    if not _replaced(opened):
        return opened
    with _opening:
        if _replaced(_open_store(home)):  # no other visitor was first
            _open_store.clear(home)
            opened.close()
        return _open_store(home)


def _replaced(opened: Store) -> bool:
    """Whether another file lies where the store's was. Raises LostStore where none does."""
    try:
        opened.check()
    except LostStore as error:
        if error.replaced:
            return True
        raise
    return False


@st.cache_resource(max_entries=4, show_spinner=False)
def _open_store(home: str) -> Store:
    opened = Store()
    try:
        import_bundles(opened)
    except StoreError:  # the dashboard is as useful without them
        logging.getLogger(__name__).exception("The bundled runs are left out.")
    return opened


def ensure_worker() -> None:
    """Starts this process's worker thread, once for a store, unless COMPT_WORKER says that another process trains:
    where that one is dead, no run is shown as running.

    Raises StoreError when the store cannot be used, whoever trains: no page is to take what could not be kept.
    """
    global _worker, _trains
    current = store()
    if not trains_here():
        _settle()
        return
    with _starting:
        if _worker is not None and _trains is not None and _replaced(_trains):
            _worker.stop(0)  # it waits for a store that is gone
            _worker = None
        if _worker is None:
            worker = Worker(current, more=lambda: advance(current))
            worker.start_thread()
            _worker, _trains = worker, current


def _settle() -> None:
    try:
        settle(store())
    except StoreError as error:  # what reads the store says so, if it cannot be read either
        logging.getLogger(__name__).warning("Some runs listed as running may already have ended. %s", error)


def trains_here() -> bool:
    """Whether this process trains what is queued."""
    return worker_mode() == "thread"


def live_runs(experiment: str) -> list[RunRecord]:
    """An experiment's runs in grid order, as they stood a moment ago; read once for all viewers."""
    def make() -> list[RunRecord]:
        if not trains_here():
            _settle()
        return store().runs(experiment)

    return _memo.get(_runs_key(experiment), make)


def changed(experiment: str) -> None:
    """Says that a visitor has just changed runs of an experiment: every page is to show it at once."""
    _memo.forget(_runs_key(experiment))
    if _worker is not None:
        _worker.wake()


def _runs_key(experiment: str) -> tuple[str, ...]:
    return os.environ.get("COMPT_HOME", ""), "runs", experiment


def drawn(experiment: str, runs: Sequence[RunRecord], kind: str, draw: Callable[[Sequence[Curve]], T], *,
          quiet: bool = False) -> T:
    """What `draw` makes of the runs' curves of a kind (run, steps [n], values [n, d]); drawn once for all in one theme.

    While runs are moving it may be a little old, where drawing takes long; once all have ended it is not. Says which
    points cannot be read, unless `quiet`.
    """
    key = (os.environ.get("COMPT_HOME", ""), "curves", experiment, kind, draw, ink(), _standing(runs))

    def make() -> tuple[T, list[str]]:
        notes = list[str]()
        curves = store().curves([run.id for run in runs], kind, notes)
        return draw([(run, *curves[run.id]) for run in runs if run.id in curves]), notes

    drawn, notes = _memo.get(key, make)
    if not quiet:
        left_out(notes)
    return drawn


def left_out(notes: Sequence[str]) -> None:
    """Says which points of curves cannot be read."""
    for note in notes[:_MOST_NOTES]:
        st.warning(literal(note), icon=":material/error:")
    if len(notes) > _MOST_NOTES:
        st.caption(f"And {len(notes) - _MOST_NOTES} more curves with points that cannot be read.")


def diagnosed(experiment: str, runs: Sequence[RunRecord]) -> Mapping[str, Diagnosis]:
    """Run -> its diagnosis as far as it is known; made once for all who look, of moving runs a little late."""
    key = (os.environ.get("COMPT_HOME", ""), "diagnosed", experiment, _standing(runs))

    def make() -> Mapping[str, Diagnosis]:
        begun = [run.id for run in runs if run.step or run.error_message]
        curves = {kind: store().curves(begun, kind) for kind in KINDS}
        return diagnose_runs([run for run in runs if run.id in set(begun)], curves)

    return _memo.get(key, make)


def _standing(runs: Sequence[RunRecord]) -> tuple[tuple[str, int, str], ...] | None:
    """What tells ended runs from what they were before; None while any moves."""
    ended = all(run.state not in ACTIVE for run in runs)
    return tuple((run.id, run.step, run.state.value) for run in runs) if ended else None


def refresh_seconds() -> float:
    """How often this visitor's live page is to refresh itself; more seldom the more are looking."""
    return _viewers.refresh_seconds(st.session_state.setdefault("viewer", new_id()))


def first_seen(run: RunRecord) -> Observation | None:
    """The first (heartbeat, step) that this process saw of a run since it started: where its pace is measured from.

    Not its `started`: loading the backbone and the data lies between that and the first step.
    """
    if run.started is None or run.heartbeat is None or run.step < 1 or run.heartbeat <= run.started:
        return None  # the last: a resumed run keeps its earlier steps while its backbone loads
    return _first_seen(run.id, run.started, (run.heartbeat, run.step))


@st.cache_data(max_entries=4096, show_spinner=False)
def _first_seen(run: str, started: float, _now: Observation) -> Observation:
    return _now  # the leading underscore keeps it out of the cache's key: later calls get the first one back


def check(experiment: Experiment) -> tuple[LaunchCheck | None, tuple[Issue, ...]]:
    """What a launch would do and no issues, or None and every problem of tasks, data and backbone. Tasks are bundled,
    kept, or found in the data folder; what was guessed of those is among the notes."""
    notes = list[str]()
    try:
        folder = os.path.expanduser(experiment.data_dir) if experiment.data_dir else None
        tasks = own.catalogue(experiment.tasks, folder, say=notes.append)
        checked = check_launch(experiment, tasks)
    except ConfigError as error:
        return None, error.issues
    return replace(checked, notes=(*notes, *checked.notes)), ()


def estimate(checked: LaunchCheck) -> tuple[Estimate | None, float | None]:
    """How long an experiment would train and be scored here, and the bytes that its largest fleet would take.

    None before anything has been measured on this device with this backbone. Which device trains is known from the
    newest pace: a page loads no torch. On a CPU the number of torch threads counts, where this process trains itself.
    """
    paces = estimates.of_backbone(store().paces(), checked.backbone.digest(), app_threads() if trains_here() else None)
    return estimates.estimate(checked.work, paces), estimates.memory(checked.most_trained, paces)


def measure(checked: LaunchCheck) -> None:
    """Has the worker of this process measure one step of a launch's largest fleet, unless it is about to."""
    with _starting:
        found = _measured.get(_measure_key(checked))
        if _worker is None or (found is not None and not found.ended):
            return
        while len(_measured) >= _MOST_MEASURED:
            _measured.pop(next(iter(_measured)))
        asked = _measured[_measure_key(checked)] = Measurement(checked.largest_fleet, checked.tasks)
        _worker.measurements.ask(asked)
        _worker.wake()


def measurement(checked: LaunchCheck) -> Measurement | None:
    """What was asked for last of these settings in this process."""
    return _measured.get(_measure_key(checked))


def _measure_key(checked: LaunchCheck) -> tuple[str, str]:
    return os.environ.get("COMPT_HOME", ""), to_yaml(checked.experiment)


def submit(checked: LaunchCheck) -> str:
    """Queues an experiment that passed the check; its id. Raises StoreError when the store cannot be used."""
    identity = store().submit(checked.experiment, owner=owner(), tasks=checked.tasks)
    changed(identity)
    return identity


def run_demo() -> str:
    """Queues the demo preset; its id. Raises ConfigError when the bundled files are not whole, and StoreError."""
    return submit(check_launch(build_experiment({}, preset="demo")))
