"""The finished runs that the tour uses, and what it reads from them. Loads no torch.

P prompt length · H hidden size.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.show import frames
from app.ui import services, state
from compt_core.errors import DataError, StoreError, UnknownId
from compt_core.methods.table import METHODS
from compt_core.runs.record import BUNDLED, ExperimentRecord, RunRecord, State
from compt_core.runs.store import Store
from compt_core.tasks.spec import Row, Task


@dataclass(frozen=True)
class Grid:
    """The finished runs that the tour uses: scores of the primary metric, as in frames.scores, by task name."""

    experiment: ExperimentRecord
    scores: pd.DataFrame

    @property
    def tasks(self) -> list[str]:
        """The tasks, in order."""
        return list(self.experiment.config["tasks"])

    @property
    def methods(self) -> list[str]:
        """The methods with a completed run, in order."""
        return list(pd.unique(self.scores["variant"]))

    @property
    def shots(self) -> list[str]:
        """The shot counts of completed runs, rising."""
        return [str(n) for n in sorted(set(self.scores["shots"]))]

    @property
    def seeds(self) -> list[str]:
        """The seeds of completed runs, rising."""
        return [str(n) for n in sorted(set(self.scores["seed"]))]

    def at(self, shots: str) -> pd.DataFrame:
        """The scores at one shot count."""
        return self.scores[self.scores["shots"] == int(shots)]

    def run(self, method: str, shots: str, seed: str) -> RunRecord | None:
        """The completed run, or None. Raises StoreError if it was deleted in the meantime."""
        table = self.scores
        found = table[(table["variant"] == method) & (table["shots"] == int(shots)) & (table["seed"] == int(seed))]
        return services.store().run(found["run"].iloc[0]) if len(found) else None

    @property
    def references(self) -> pd.DataFrame:
        """Untrained references per task and for the mean, as in frames.reference_rows, in each task's first metric."""
        one = self.experiment
        return primary(frames.reference_rows(one.references, self.tasks, one.tasks))


def opened(store: Store) -> Grid | None:
    """The experiment under ``?exp=``, else the bundled demo, else the newest with PT and SPP, else the newest with any
    completed run; None if there is none. Raises StoreError for a link to an experiment that the store does not have.
    """
    wanted = state.read_id(state.EXPERIMENT)
    if wanted:
        try:
            return _grid(store.experiment(wanted))
        except UnknownId:
            raise StoreError(f"This link names the experiment '{wanted}', which this store does not have.") from None
    done = [one for one in store.experiments(limit=1000) if one.states.get(State.COMPLETED)]
    whole = [one for one in done if {"pt", "spp"} <= one.variants.keys()]
    order = [*(one for one in whole if one.owner == BUNDLED and one.config["backbone"] == "demo"), *whole, *done]
    return _grid(order[0]) if order else None


def _grid(experiment: ExperimentRecord) -> Grid:
    completed = tuple(run.id for run in services.store().runs(experiment.id) if run.state == State.COMPLETED)
    return Grid(experiment, _scores(os.environ.get("COMPT_HOME", ""), experiment.id, completed))


@st.cache_data(max_entries=8, show_spinner=False)
def _scores(home: str, experiment: str, completed: tuple[str, ...]) -> pd.DataFrame:
    found = primary(frames.scores(services.store().runs(experiment)))
    return found[found["variant"].isin(list(METHODS))]  # the tour explains the plain methods


def primary(scores: pd.DataFrame) -> pd.DataFrame:
    """The part of frames.scores or frames.reference_rows with each task's first metric and the mean; columns are named
    after the task only."""
    named = scores[scores["column"] != frames.NORMALISED]
    named = named.assign(column=named["column"].str.split(frames.BREAK).str[0])
    whose = "run" if "run" in named else "row"
    return named.drop_duplicates([whose, "column"]).reset_index(drop=True)


def reference(grid: Grid, row: str, column: str) -> float | None:
    """An untrained reference's score (`row` of frames.REFERENCES), 0-1; None if it is unknown."""
    table = grid.references
    found = table[(table["row"] == row) & (table["column"] == column)]["value"].dropna()
    return float(found.iloc[0]) if len(found) else None


@dataclass(frozen=True)
class Answer:
    """A dev row of a bundled task, and a run's answer: a probability per label word, or None if not kept."""

    texts: tuple[str, ...]
    gold: int
    shares: np.ndarray | None


def dev_rows(task: Task | None) -> int:
    """How many dev sentences of a task the tour can show; 0 unless the task is bundled."""
    try:
        return len(_rows(task.name)) if task is not None and task.bundled else 0
    except DataError:  # a demo task of another version
        return 0


def answer(task: str, row: int, run: RunRecord | None) -> Answer:
    """Dev row `row` of a bundled task and the answer of `run` to it, known only if the run scored all dev rows."""
    rows = _rows(task)
    kept = services.store().scores(run.id).get(task) if run else None
    shares = None
    if kept is not None and len(kept) == len(rows):
        odds = np.exp(kept[row].astype(float) - kept[row].max())
        shares = odds / odds.sum()
    return Answer(rows[row].texts, rows[row].label, shares)


def _rows(task: str) -> tuple[Row, ...]:
    from compt_core.tasks.demo import demo_rows

    return demo_rows(task, "dev")


def vectors(run: RunRecord, task: str) -> np.ndarray | None:
    """The composed prompt [P, H] of one task of a run; None if it was not kept."""
    composed = services.store().prompts(run.id).get("composed")
    return None if composed is None else np.asarray(composed[run.config["tasks"].index(task)], dtype=float)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The lines of a table, each as a mapping from its columns' names."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
