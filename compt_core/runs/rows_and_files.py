"""Changes of a run's row together with its files, in the order in which a crash in between does no harm.

Files come first, and rows say which of them count; files that no row counts are removed last. Loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import select

from compt_core.runs import transitions
from compt_core.runs.artifacts import Artifacts
from compt_core.runs.forget import used
from compt_core.runs.record import State
from compt_core.runs.rows import run_record
from compt_core.runs.schema import Database, runs
from compt_core.training.events import Checkpoint, Log, Outcome


def keep_checkpoints(database: Database, artifacts: Artifacts, checkpoints: Mapping[str, Checkpoint]) -> None:
    """Keeps checkpoints of running runs (run -> checkpoint) in place of their earlier ones: all of them, or none.

    The rows, written in one transaction, say which files count. So after a crash all runs of a fleet go on from the
    same moment. Raises StoreError if there is no room.
    """
    with database.read() as connection:
        kept = {run: run_record(transitions.find(connection, run)).checkpoint for run in checkpoints}
    try:
        for run, one in checkpoints.items():
            artifacts.write_checkpoint(run, one)
        with database.write() as connection:
            transitions.keep_checkpoints(connection, {run: one.step for run, one in checkpoints.items()})
        kept = {run: one.step for run, one in checkpoints.items()}
    finally:
        for run, step in kept.items():
            artifacts.keep_checkpoint(run, step)


def finish(database: Database, artifacts: Artifacts, run: str, outcome: Outcome) -> None:
    """Ends a running run with its files. Raises StoreError if the run is not running."""
    with database.read() as connection:
        before = transitions.find(connection, run)
    if outcome.state == "completed" and before.state == State.RUNNING:
        artifacts.write_results(run, outcome.prompts, outcome.scores, (outcome.result or {}).get("backbone"))
    with database.write() as connection:
        transitions.close(connection, run, outcome)
        if (after := transitions.known(connection, run)) is None:
            artifacts.to_be_removed(run)
    if after is None:
        return artifacts.remove(run)
    artifacts.keep_checkpoint(run, after.checkpoint)
    if (error := outcome.error) is not None:
        artifacts.append_log(run, [Log(run, before.step, f"{type(error).__name__}: {error}")])


def delete(database: Database, artifacts: Artifacts, run: str) -> bool:
    """Deletes a run with all its files; a running one when its trainer next asks. Returns whether it is gone now."""
    with database.write() as connection:
        if (before := transitions.known(connection, run)) is None:
            return True
        transitions.request(connection, run, "delete")
        if gone := not transitions.known(connection, run):
            artifacts.to_be_removed(run)
        unused = gone and not used(connection, before.experiment)
    if gone:
        artifacts.remove(run)
    if unused:
        artifacts.remove_brought(before.experiment)
    return gone


def sweep(database: Database, artifacts: Artifacts, gain: Callable[[], bool]) -> int | None:
    """Ends every running run, tidies up, and returns how many runs those were; None and no change if `gain` refuses."""
    with database.write() as connection:
        if not gain():
            return None
        left = transitions.sweep(connection)
        known = {row.id: row.checkpoint for row in connection.execute(select(runs.c.id, runs.c.checkpoint))}
        for run in set(left) - known.keys():
            artifacts.to_be_removed(run)
    artifacts.tidy(known)
    return len(left)
