"""The store: everything known about experiments and runs, in one SQLite file and a folder of tensors.

It is the only thing that pages, command line and worker share. Any number of threads and processes may use it at once.
Every method is one short transaction. :mod:`compt_core.runs.transitions` says how states change. Loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sqlalchemy import select

from compt_core.errors import Damaged, unusable
from compt_core.home import home_folder
from compt_core.planning.estimate import Pace
from compt_core.runs import entries, forget, points, rows, rows_and_files, speeds, starts, transitions, waiting_for
from compt_core.runs.artifacts import Artifacts
from compt_core.runs.edits import Edits
from compt_core.runs.ids import check_id
from compt_core.runs.record import ExperimentRecord, Left, RunRecord, State
from compt_core.runs.schema import Database, experiments, runs
from compt_core.settings.config import Experiment
from compt_core.tasks.catalogue import Catalogue
from compt_core.tasks.table import CATALOGUE
from compt_core.trackers import table as trackers
from compt_core.training.events import Checkpoint, Event, Log, Outcome


class Store:
    """Experiments, runs and their curves in the folder `home` (default: :func:`~compt_core.home.home_folder`)."""

    def __init__(self, home: Path | None = None):
        """Opens the store, or creates it if it is missing. Raises StoreError if it cannot be used."""
        self.home = Path(home) if home is not None else home_folder()
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unusable(f"The folder '{self.home}' cannot be created", error) from error
        self._database, self._artifacts = Database(self.home / "compt.db"), Artifacts(self.home)
        self.edits, self._shapes = Edits(self._database), rows.Shapes()

    def close(self) -> None:
        """Closes the files; a later call opens them again."""
        self._database.close()

    def check(self) -> None:
        """Raises LostStore if the file is no longer the one that was opened; every other method does so as well."""
        self._database.check()

    def submit(self, experiment: Experiment, *, owner: str = "local", tasks: Catalogue = CATALOGUE) -> str:
        """Queues every run of the experiment's grid and returns the experiment's id. Its tasks keep the definitions
        that `tasks` has now; nothing is known about a task that is not in there. Raises ConfigError where a run starts
        from, or waits for, something that is not there or does not fit, and where a tracker is not installed."""
        trackers.check(experiment.track)
        grid = starts.resolved(self, experiment)
        with self._database.write() as connection:
            return entries.submit(connection, experiment, owner, tasks, grid)

    def experiments(self, limit: int = 50) -> list[ExperimentRecord]:
        """The newest experiments, newest first, except those that cannot be read."""
        return self.read_experiments(limit)[0]

    def read_experiments(self, limit: int = 50) -> tuple[list[ExperimentRecord], list[Damaged]]:
        """The newest experiments, newest first; and what cannot be read: experiments, and runs without one."""
        with self._database.read() as connection:
            newest = connection.execute(select(experiments).order_by(experiments.c.number.desc()))
            found, damaged = rows.read_experiments(connection, newest, limit)
            return found, [*damaged, *rows.orphans(connection)]

    def experiment(self, experiment: str) -> ExperimentRecord:
        """One experiment. Raises StoreError if the store does not hold it or it cannot be read."""
        with self._database.read() as connection:
            return rows.experiment_record(connection, check_id(experiment, "experiment"))

    def restore(self, experiment: ExperimentRecord, records: Sequence[RunRecord], left: Sequence[Left],
                newest: bool = False) -> bool:
        """Adds a finished experiment as the oldest one, or as the `newest`. Returns False and adds nothing if it is
        there already. Raises Damaged, and adds nothing, where a newest one could not be read back."""
        with self._artifacts.importing([record.id for record in records]):
            for record, parts in zip(records, left, strict=True):
                self._artifacts.write_results(record.id, parts.prompts, parts.scores, record.backbone)
            with self._database.write() as connection:
                added = entries.restore(connection, experiment, records, left, newest)
                if added and newest:  # what comes from elsewhere
                    rows.experiment_record(connection, experiment.id)
                    for record in records:
                        rows.run_record(transitions.find(connection, record.id))
                return added

    def keep_brought(self, experiment: str, folder: Path) -> None:
        """Moves the `folder` with the rows of an experiment's own tasks to where it is kept. Raises DiskError."""
        self._artifacts.keep_brought(experiment, folder)

    def set_references(self, experiment: str, references: dict[str, Any]) -> None:
        """Keeps the reference rows of an experiment. Raises StoreError if the store does not hold it."""
        with self._database.write() as connection:
            transitions.set_references(connection, experiment, references)

    def runs(self, experiment: str | None = None, limit: int = 200) -> list[RunRecord]:
        """All runs of an experiment in grid order, or the newest `limit`, newest first; only those that can be read."""
        return self.read_runs(experiment, limit)[0]

    def read_runs(self, experiment: str | None = None, limit: int = 200) -> tuple[list[RunRecord], list[Damaged]]:
        """As :meth:`runs`, and the ones that cannot be read."""
        wanted = rows.RUNS.order_by(runs.c.number.desc())
        if experiment is not None:
            wanted = rows.RUNS.where(runs.c.experiment == self.experiment(experiment).id).order_by(runs.c.number)
        with self._database.read() as connection:
            return rows.read_runs(connection.execute(wanted), limit if experiment is None else None)

    def run(self, run: str) -> RunRecord:
        """One run. Raises StoreError if the store does not hold it or it cannot be read."""
        with self._database.read() as connection:
            return rows.run_record(transitions.find(connection, run))

    def position(self, run: str) -> int | None:
        """How many runs of other experiments come first: 0 if its own is next, None if the run is not queued."""
        with self._database.read() as connection:
            return transitions.position(connection, run)

    def waits(self, experiment: str) -> dict[str, str]:
        """The runs that queued runs of an experiment still wait for, with their states."""
        with self._database.read() as connection:
            return waiting_for.unfinished(connection, check_id(experiment, "experiment"))

    def request(self, run: str, what: Literal["cancel", "pause"], *more: str) -> RunRecord:
        """Asks for a run to be cancelled or paused, together with `more` runs; returns the run as it is then.

        A queued run changes at once, a running one when its trainer next asks (`request` is set until then). A cancel
        overrides a pause. A run that has ended stays as it is.
        """
        with self._database.write() as connection:
            for one in (run, *more):
                transitions.request(connection, one, what)
            after = [rows.run_record(transitions.find(connection, one)) for one in (run, *more)]
        for record in after:
            if record.state == State.CANCELLED:  # a trainer may be writing a checkpoint of another run
                self._artifacts.keep_checkpoint(record.id, None)
        return after[0]

    def delete(self, run: str) -> bool:
        """Deletes a run with all its files, and an experiment with its last run; a running one when its trainer next
        asks. Returns whether it is gone now. Raises StoreError for a bundled run that can be read."""
        return rows_and_files.delete(self._database, self._artifacts, run)

    def delete_experiment(self, experiment: str) -> None:
        """Deletes an experiment with its runs and all their files; meant for one that cannot be read."""
        with self._database.write() as connection:
            gone = forget.delete_experiment(connection, experiment)
            unused = not forget.used(connection, experiment)
        for run in gone:
            self._artifacts.remove(run)
        if unused:
            self._artifacts.remove_brought(experiment)

    def requeue(self, *wanted: str) -> list[RunRecord]:
        """Puts runs that ended without being completed back into the queue, together; returns them as they are then.
        They go on from their last checkpoint; a cancelled run has none and starts from the beginning."""
        with self._database.write() as connection:
            for run in wanted:
                transitions.requeue(connection, run)
            return [rows.run_record(transitions.find(connection, run)) for run in wanted]

    def requeue_fleet(self, fleet: str) -> None:
        """Puts the interrupted runs of a fleet back into the queue, after it made room for another owner's turn."""
        with self._database.write() as connection:
            transitions.requeue_fleet(connection, fleet)

    def first(self, experiment: str) -> None:
        """Moves an experiment to the front of its owner's queue."""
        with self._database.write() as connection:
            transitions.first(connection, experiment)

    def paces(self, limit: int = 30) -> list[Pace]:
        """The paces of the newest fleets whose runs all completed, and then those of measured steps, newest first."""
        with self._database.read() as connection:
            return [*rows.paces(connection, limit), *speeds.kept(connection)]

    def keep_pace(self, pace: Pace) -> None:
        """Keeps the pace of a measured step in place of an earlier one of the same place."""
        with self._database.write() as connection:
            speeds.keep(connection, pace)

    # For the worker that holds the lease

    def claim(self) -> tuple[RunRecord, ...]:
        """Marks the next fleet as running: queued runs of one experiment, owner and backbone; () if there are none."""
        with self._database.read() as connection:  # an idle worker asks often and must not lock others out
            if not transitions.waiting(connection):
                return ()
        with self._database.write() as connection:
            return transitions.claim(connection)

    def requests(self, fleet: str) -> dict[str, str]:
        """Run id -> "cancel" or "pause", for the fleet's running runs that were asked for it."""
        with self._database.read() as connection:
            return transitions.requests(connection, fleet)

    def version(self) -> int:
        """A number that changes whenever the store is written to."""
        return self._database.version()

    def others_wait(self, fleet: str) -> bool:
        """Whether another owner than the fleet's is waiting."""
        with self._database.read() as connection:
            return transitions.others_wait(connection, fleet)

    def checkpoint(self, run: RunRecord) -> Checkpoint | None:
        """The checkpoint that a run goes on from, if any. Raises StoreError if the file is lost or not whole."""
        if run.checkpoint is None:
            return None
        return self._artifacts.read_checkpoint(run.id, run.checkpoint, run.versions or {})

    def keep_checkpoints(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Keeps checkpoints of running runs in place of their earlier ones: all of them, or none. Raises StoreError if
        there is no room."""
        rows_and_files.keep_checkpoints(self._database, self._artifacts, checkpoints)

    def started(self, run: str, steps: int, versions: dict[str, Any], *, step: int = 0) -> None:
        """A running run starts at `step` of `steps`; curves and a checkpoint beyond `step` are deleted."""
        with self._database.write() as connection:
            transitions.started(connection, run, steps, versions, step)
        self._artifacts.keep_checkpoint(run, step or None)

    def write_events(self, batch: Sequence[Event | Log]) -> None:
        """Keeps measured points (thinned, see `points`) and log lines of started, running runs. If a point belongs to a
        run that has not started or has ended, it raises StoreError and keeps nothing."""
        measured, said = dict[str, list[Event]](), dict[str, list[Log]]()
        for item in batch:
            (measured if isinstance(item, Event) else said).setdefault(item.run, []).append(item)  # type: ignore[arg-type]
        with self._database.write() as connection:
            for run in measured.keys() | said.keys():
                transitions.measured(connection, run, measured.get(run, ()))
        for run, lines in said.items():
            self._artifacts.append_log(run, lines)

    def finish(self, run: str, outcome: Outcome) -> None:
        """Ends a running run; the only way from running to completed, failed, cancelled, paused or interrupted.

        A completed run stays so, whatever was asked for. Otherwise a pending cancel wins, even over failed (the error
        is then in the log). A run that was paused only because the worker stops is interrupted. Files are written
        before the row. Raises StoreError if the run is not running.
        """
        rows_and_files.finish(self._database, self._artifacts, run, outcome)

    def heartbeat(self, fleet: str) -> None:
        """Notes that the fleet's running runs are still alive."""
        with self._database.write() as connection:
            transitions.heartbeat(connection, fleet)

    def sweep(self, gain: Callable[[], bool] = lambda: True) -> int | None:
        """Ends every running run as interrupted (or as was asked for), tidies up, and returns how many runs those were.
        `gain` takes the lease, inside the transaction: a process that later finds the lease taken, in a transaction,
        knows that its holder has swept. Returns None and changes nothing if the lease cannot be had."""
        return rows_and_files.sweep(self._database, self._artifacts, gain)

    def running(self) -> bool:
        """Whether any run has the state running."""
        with self._database.read() as connection:
            return transitions.running(connection)

    def events(self, run: str, kind: str, after_step: int = -1, notes: list[str] | None = None) -> points.Curve:
        """(steps int64 [n], values float32 [n, d]) of the points of one kind beyond `after_step`; `notes` gets a
        sentence on points that cannot be read."""
        with self._database.read() as connection:
            transitions.find(connection, run)
        steps, values = self.curves([run], kind, notes).get(run, points.NOTHING)
        return steps[steps > after_step], values[steps > after_step]

    def curves(self, wanted: Sequence[str], kind: str, notes: list[str] | None = None) -> dict[str, points.Curve]:
        """As :meth:`events`, for several runs in one read; runs without points are left out."""
        with self._database.read() as connection:
            return points.curves(connection, self._shapes.of(connection, wanted), kind, notes)

    def log(self, run: str) -> str:
        """The run's log, ``""`` before its first line; of a long log the end, and its first line says so."""
        return self._artifacts.read_log(self.run(run).id)

    def prompts(self, run: str) -> dict[str, np.ndarray]:
        """A completed run's prompts by name; empty for any other run. Raises StoreError if the file is lost."""
        return self._tensors(run, "prompts")

    def scores(self, run: str) -> dict[str, np.ndarray]:
        """A completed run's dev scores by name; empty for any other run. Raises StoreError if the file is lost."""
        return self._tensors(run, "scores")

    def _tensors(self, run: str, name: str) -> dict[str, np.ndarray]:
        return self._artifacts.read_tensors(run, name) if self.run(run).state == State.COMPLETED else {}
