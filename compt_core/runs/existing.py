"""The store of the home folder, for processes that do not train; looking for it does not create it. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from compt_core.errors import Damaged, StoreError, UnknownId, quoted
from compt_core.home import home_folder
from compt_core.runs.lease import settle
from compt_core.runs.record import ExperimentRecord, RunRecord
from compt_core.runs.store import Store


def has_store() -> bool:
    """Whether the home folder has a store."""
    return (home_folder() / "compt.db").is_file()


def existing_store(tell: Callable[[str], None] | None = None) -> Store:
    """The store of the home folder, settled: what says running is running. Raises StoreError if there is none yet.

    If it cannot be settled, for example on a full disk, `tell` gets a sentence; without `tell`, raises StoreError.
    """
    if not has_store():
        raise StoreError(f"There are no runs in '{home_folder()}' yet. Start some with 'python -m compt_core run', "
                         "or set COMPT_HOME to the folder that has them.")
    store = Store()
    try:
        settle(store)
    except StoreError as error:
        if tell is None:
            raise
        tell(f"Some runs are shown as running but may have ended. {error}")
    return store


def looked_up(store: Store, identity: str, notes: list[str] | None = None
              ) -> tuple[ExperimentRecord, list[RunRecord]]:
    """The experiment with that id and its runs, or the single run with that id and its experiment.

    Runs of the experiment that cannot be read are left out, with a sentence on each in `notes`. Raises StoreError.
    """
    try:
        r = store.run(identity)
        return store.experiment(r.experiment), [r]
    except UnknownId:
        with suppress(UnknownId):
            runs, damaged = store.read_runs(identity)
            if notes is not None:
                notes += map(str, damaged)
            return store.experiment(identity), runs
        raise StoreError(f"There is neither a run nor an experiment {quoted(identity)} in this store. "
                         "'python -m compt_core runs' lists what there is.") from None


def run_id_of(store: Store, identity: str) -> str:
    """`identity`, if it is the id of a run, which need not be readable. Raises StoreError, which says so where it is
    the id of an experiment."""
    try:
        return store.run(identity).id
    except Damaged:
        return identity
    except UnknownId:
        looked_up(store, identity)
        raise StoreError(f"{quoted(identity)} is an experiment, and this takes a single run. "
                         "'python -m compt_core runs' lists the runs of each experiment.") from None
