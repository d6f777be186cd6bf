"""``run --measure``: how long an experiment would take, by one step that is measured here and thrown away."""

from __future__ import annotations

from compt_core.cli.terminal import say
from compt_core.errors import plural
from compt_core.planning.check import LaunchCheck
from compt_core.planning.estimate import duration, estimate, memory
from compt_core.planning.fleets import fleets
from compt_core.runs.lease import Lease
from compt_core.runs.store import Store
from compt_core.runs.trainer import measurer


def measured(checked: LaunchCheck) -> bool:
    """Measures one step of the largest fleet and prints what the whole experiment would take; queues nothing.

    Returns False, after a sentence, while another process trains. Raises ComptError as `trial.measure` does.
    """
    store = Store()
    lease = Lease(store.home)
    try:
        if store.sweep(lease.acquire) is None:
            say("Another process trains, or a dashboard is open that could, so a measurement would tell too much time. "
                "Nothing was measured; close it first, or use the button 'Measure one step' on its page Launch.")
            return False
        pace = measurer(None)(checked.largest_fleet, checked.tasks, lambda: False, lambda doing: say(f"{doing} …"))
        assert pace is not None  # nobody stops it
        store.keep_pace(pace)
    finally:
        lease.release()
    paces = [one for one in store.paces() if one.place == pace.place]
    time, size = estimate(checked.work, paces), memory(checked.most_trained, paces)
    assert time is not None  # by that step at least
    idle = "" if not time.measured else ". Where other work runs here now, this is too long"
    basis = "the step measured just now" if time.measured else f"{plural(time.fleets, 'fleet')} that trained here"
    room = "" if size is None else f", and {size / 1e9:.1f} GB of memory"
    print(f"{plural(len(checked.runs), 'run')} in {plural(len(fleets(checked.runs)), 'fleet')} would take "
          f"{duration(time.low)} to {duration(time.high)} on an idle machine{room}, judging by {basis} "
          f"({pace.place.rpartition(', ')[0]}){idle}. Nothing was queued.")
    return True
