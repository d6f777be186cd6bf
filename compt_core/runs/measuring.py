"""Measuring the speed of a launch between two fleets, in the thread that trains. Loads torch only to measure."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from compt_core.errors import ComptError, StoreError
from compt_core.runs.store import Store
from compt_core.runs.trainer import Measure, measurer
from compt_core.settings.config import RunConfig
from compt_core.tasks.catalogue import Catalogue

logger = logging.getLogger(__name__)


@dataclass
class Measurement:
    """A measurement that somebody asked for. Written by the thread that measures, read by any other.

    state    waiting -> measuring -> done (the store has its pace), or failed
    doing    what is done at the moment, in words
    problem  why it failed
    """

    configs: tuple[RunConfig, ...]
    tasks: Catalogue
    state: Literal["waiting", "measuring", "done", "failed"] = "waiting"
    doing: str = ""
    problem: str = ""

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed")


@dataclass
class Measurements:
    """What a worker is to measure, in turn; `measure` is loaded when it is first needed, by default."""

    store: Store
    measure: Measure | None = None
    _waiting: deque[Measurement] = field(default_factory=deque)

    def ask(self, measurement: Measurement) -> None:
        """Puts a measurement in line; any thread may do so."""
        self._waiting.append(measurement)

    def work_once(self, stop: threading.Event, threads: int | None) -> bool:
        """Does the next measurement with this many torch threads (None: its own choice); False if there is none. The
        caller holds the lease, so that nothing else trains meanwhile."""
        if not self._waiting:
            return False
        measurement = self._waiting.popleft()
        measurement.state = "measuring"
        try:
            pace = (self.measure or measurer(threads))(
                measurement.configs, measurement.tasks, stop.is_set, lambda doing: _tell(measurement, doing))
            if pace is not None:
                self.store.keep_pace(pace)
            measurement.problem = "" if pace else "It was stopped before it had ended."
        except StoreError:
            measurement.problem, measurement.state = "The store could not keep it.", "failed"
            raise
        except Exception as error:  # one that no launch would survive either, or memory that is too small
            logger.warning("A measurement failed: %s: %s", type(error).__name__, error)
            measurement.problem = str(error) if isinstance(error, ComptError) else f"{type(error).__name__}: {error}"
        measurement.state = "failed" if measurement.problem else "done"
        return True


def _tell(measurement: Measurement, doing: str) -> None:
    measurement.doing = doing
