"""Ablation tables, each computed once per process for all visitors, and as DataFrames. Loads torch only to compute."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import streamlit as st

from app.ui import services
from app.whatif.ablation.words import WORTH
from compt_core.runs.record import RunRecord
from compt_core.whatif.effects import PROBABILITY, SCORE, Ablation, Effects, side_by_side
from compt_core.whatif.trained import taken_apart

PRIVATE_OFF, SHARED_OFF = "private off", "shared off"
_DIGITS = {SCORE: 3, PROBABILITY: 2}  # of a drawn change: a tenth of a point, a hundredth of a nat


@dataclass(frozen=True)
class Options:
    """How a table is made: whether a task's other weights are scaled up, and whether random moves are scored too."""

    renormalise: bool = False
    control: bool = False


@dataclass
class Kept:
    """The place of one table; `lock` is held while it is made, so that others wait instead of making it as well."""

    table: Ablation | None = None
    seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


def kept(run: RunRecord, options: Options) -> Kept:
    """What this process has of a run's table."""
    return _kept(os.environ.get("COMPT_HOME", ""), run.id, options.renormalise, options.control)


@st.cache_resource(max_entries=256, show_spinner=False)  # some tens of kilobytes each
def _kept(home: str, run: str, renormalise: bool, control: bool) -> Kept:
    return Kept()


def made(run: RunRecord, options: Options, progress: Callable[[int, int], None]) -> Ablation:
    """The table of a run, computed if it is not there yet. `progress` may stop it by raising, as Streamlit does when
    the visitor moves on. Raises ComptError if the run can no longer be scored."""
    place = kept(run, options)
    with place.lock:
        if place.table is None:
            from compt_core.whatif.ablation import ablate

            begun, store = time.monotonic(), services.store()
            place.table = ablate(run, taken_apart(run, store.prompts(run.id)), store.scores(run.id),
                                 renormalise=options.renormalise, control=options.control, progress=progress)
            place.seconds = time.monotonic() - begun
        assert place.table is not None  # nobody asks it to stop but by raising
        return place.table


def cells(table: Ablation, measure: str, order: Sequence[str]) -> pd.DataFrame:
    """Muting's effects for charts.heatmap: row (task), column (source), value, half, low, high, p, corrected, weight.
    """
    return _frame(table, order, table.muted[measure], [f"s{s}" for s in range(table.weights.shape[1])], table.weights)


def parts(table: Ablation, measure: str, order: Sequence[str]) -> pd.DataFrame:
    """The two control columns in the same form; fewer or none for a run that has only one part."""
    found = {name: part[measure] for name, part in ((PRIVATE_OFF, table.private_off), (SHARED_OFF, table.shared_off))
             if part is not None}
    if not found:
        return pd.DataFrame()
    both = side_by_side(*found.values())
    return _frame(table, order, both, list(found), np.full(both.change.shape, np.nan))


def _frame(table: Ablation, order: Sequence[str], effects: Effects, columns: Sequence[str], weights: np.ndarray
           ) -> pd.DataFrame:
    at, corrected = {task: k for k, task in enumerate(table.tasks)}, effects.corrected
    return pd.DataFrame([
        {"row": task, "column": column, "value": float(effects.change[at[task], c]),
         "half": float(effects.high[at[task], c] - effects.low[at[task], c]) / 2,
         "low": float(effects.low[at[task], c]), "high": float(effects.high[at[task], c]),
         "p": float(effects.p[at[task], c]), "corrected": float(corrected[at[task], c]),
         "weight": float(weights[at[task], c]), "n": 1, "undefined": 0, "constant": 0}
        for task in order for c, column in enumerate(columns)])


def drawn(frame: pd.DataFrame, measure: str) -> pd.DataFrame:
    """`frame` with changes rounded as printed, so that no cell says minus zero. Negligible changes lose their p, and
    so their mark."""
    return frame.assign(value=frame["value"].round(_DIGITS[measure]) + 0.0,
                        corrected=frame["corrected"].where(frame["value"].abs() >= WORTH[measure]))


def download(table: Ablation, order: Sequence[str]) -> pd.DataFrame:
    """Every number by every measure, a line per task and source (or part): row, column, weight, and for each measure
    change, low, high, p, p_holm, and the change by a random move if there is one."""
    found = pd.DataFrame()
    for measure in table.muted:
        name = "score" if measure == SCORE else "log_probability"
        frame = pd.concat([cells(table, measure, order), parts(table, measure, order)], ignore_index=True)
        if found.empty:
            found = frame[["row", "column", "weight"]].copy()
        for source, title in (("value", "change"), ("low", "low"), ("high", "high"), ("p", "p"),
                              ("corrected", "p_holm")):
            found[f"{name}_{title}"] = frame[source]
        if table.shifted is not None:
            random = _frame(table, order, table.shifted[measure],
                            [f"s{s}" for s in range(table.weights.shape[1])], table.weights)["value"]
            found[f"{name}_random_move"] = random.reindex(found.index)
    return found
