"""Which scores the page Accuracy shows, also as a table and as files, and a note on missing reference rows."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app.accuracy.names import METRIC, VIEW
from app.show import exports, frames, styles
from app.ui import components, controls, services
from app.ui.names import SHOTS
from compt_core.methods.table import METHODS
from compt_core.runs.record import ACTIVE, ExperimentRecord

SCORES, ALL_METRICS = "scores", "all"
REFRESH_SECONDS = 1.0


@dataclass(frozen=True)
class View:
    """What the accuracy page shows: scores (baseline None) or differences, at one shot count, of one metric or all."""

    baseline: str | None
    shots: int
    metric: str | None


def chosen_view(scores: pd.DataFrame) -> View:
    """The view chosen in the URL or by hand; only what the scores (frames.scores) hold is offered.

    Raises StoreError when the URL names something else.
    """
    shot_counts = [str(n) for n in sorted(set(scores["shots"]))]
    metrics = [name for name in pd.unique(scores["metric"]) if name]
    rows = dict(zip(scores["variant"], scores["method"], strict=True))
    plain = [name for name, method in rows.items() if not METHODS[method].composed]
    baselines = (plain or list(rows)) if len(rows) > 1 else []
    names = {SCORES: "Scores", **{name: f"Difference from {styles.label(name)}" for name in baselines}}
    with st.container(horizontal=True):
        view = controls.choice(VIEW, "Show", [SCORES, *baselines],
                               "Differences compare runs of the same seed. Blue is better than the baseline, brown is "
                               "worse.",
                               names=names)
        shots = controls.choice(SHOTS, "Shots", shot_counts, "Training rows per task (or per label).",
                                shown=len(shot_counts) > 1)
        metric = controls.choice(METRIC, "Metric", [ALL_METRICS, *metrics],
                                 "Accuracy alone says little where one label is frequent (CoLA, MRPC). Matthews and F1 "
                                 "say more there.", shown=len(metrics) > 1)
    return View(None if view == SCORES else view, int(shots), None if metric == ALL_METRICS else metric)


def numbers(cells: pd.DataFrame, name: str, about: str, signed: bool) -> None:
    """The heatmap as a table, where keyboard and screen reader find every number, and as files called `name`."""
    with st.expander("The numbers as a table, CSV or LaTeX", icon=":material/table:", key="numbers"):
        with st.container(horizontal=True):
            st.download_button("CSV", exports.csv(cells), f"{name}.csv", "text/csv", icon=":material/download:",
                               key="csv", on_click="ignore", help="Every number with all its digits, as stored.")
            st.download_button("LaTeX", exports.latex(cells, about, signed), f"{name}.tex", "text/x-tex",
                               icon=":material/download:", key="latex", on_click="ignore",
                               help="A table in points, with intervals. It needs the LaTeX package booktabs.")
        st.dataframe(frames.readable(cells), hide_index=True, placeholder="", alt="Every number of the heatmap",
                     column_config={name: st.column_config.NumberColumn(format="%.2f")
                                    for name in ("points", "half of the 95% interval", "lowest", "highest")})


def reference_note(experiment: ExperimentRecord) -> None:
    """Says why the reference rows are missing. Once they are there, the page shows them by itself."""
    if experiment.references is None:
        st.fragment(_await_references, run_every=REFRESH_SECONDS)(experiment)
    elif not any(experiment.references.values()):
        st.caption("The reference rows (majority, no prompt) could not be computed for this experiment.")


def _await_references(shown: ExperimentRecord) -> None:
    with components.guarded():
        now = services.store().experiment(shown.id)
        if now.references is not None:
            st.rerun()  # the whole page: figure and findings gain the rows
        waits = any(now.states.get(state) for state in ACTIVE)
        st.caption("The reference rows (majority, no prompt) "
                   + ("appear when all runs have ended." if waits else "are being scored, and appear here soon."))
