"""The commands that change queued or training runs: cancel, pause, resume and delete."""

from __future__ import annotations

from typing import Annotated

import typer

from compt_core.errors import plural
from compt_core.runs.existing import existing_store, looked_up, run_id_of
from compt_core.runs.record import State

Run = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run.")]


def cancel(run_id: Run) -> None:
    """Cancel a queued or running run; a finished run stays as it is."""
    store = existing_store()
    r = store.request(run_id_of(store, run_id), "cancel")
    print(f"Run {r.id} is {r.state.value}" + (" and stops at its next step." if r.request else "."))


def pause(run_id: Run) -> None:
    """Pause a queued or running run; a finished run stays as it is."""
    store = existing_store()
    r = store.request(run_id_of(store, run_id), "pause")
    print(f"Run {r.id} is {r.state.value}" + (" and pauses at its next step." if r.request else "."))


def resume(run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run or an experiment.")]) -> None:
    """Queue a run again that was paused, interrupted or cancelled, or that failed; it goes on from its checkpoint.

    With the id of an experiment, queue its paused and interrupted runs again.
    """
    store = existing_store()
    experiment, runs = looked_up(store, run_id)
    hint = "; start 'python -m compt_core worker' or the dashboard to train"
    if experiment.id == run_id:
        left = [r.id for r in runs if r.state in (State.PAUSED, State.INTERRUPTED)]
        store.requeue(*left)
        print(f"{len(left)} of {plural(len(runs), 'run')} of experiment {run_id} are queued again"
              f"{f'{hint} them' if left else ''}.")
        return
    r = store.requeue(run_id)[0]
    origin = f" and goes on from step {r.checkpoint}" if r.checkpoint else ""
    print(f"Run {r.id} is {r.state.value}{f'{origin}{hint} it' if r.state == State.QUEUED else ''}.")


def delete(run_id: Run) -> None:
    """Delete a run and all its files; a running one stops at its next step first."""
    store = existing_store()
    gone = store.delete(run_id_of(store, run_id))
    print(f"Run {run_id} is deleted" + ("." if gone else " as soon as its training has stopped, at its next step."))
