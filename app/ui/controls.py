"""Figures and tables of the results pages, with the controls that choose what they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd
import streamlit as st

from app.show import charts, exports, frames, styles
from app.ui import components, services, state
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


def score_controls(scores: pd.DataFrame) -> View:
    """The view chosen in the URL or by hand; only what the scores (frames.scores) hold is offered.

    Raises StoreError when the URL names something else.
    """
    methods, shot_counts = set(scores["method"]), [str(n) for n in sorted(set(scores["shots"]))]
    metrics = [name for name in pd.unique(scores["metric"]) if name]
    baselines = [name for name in frames.BASELINES if name in methods and len(methods) > 1]
    with st.container(horizontal=True):
        view = choice(state.VIEW, "Show", [SCORES, *baselines],
                       "Differences are paired by seed: blue is better than the baseline, brown is worse.")
        shots = choice(state.SHOTS, "Shots", shot_counts, "Training rows per task (or per label).",
                        shown=len(shot_counts) > 1)
        metric = choice(state.METRIC, "Metric", [ALL_METRICS, *metrics],
                         "Accuracy alone says little where one label is frequent (CoLA, MRPC): "
                         "Matthews and F1 stand beside it.", shown=len(metrics) > 1)
    return View(None if view == SCORES else view, int(shots), None if metric == ALL_METRICS else metric)


def choice(name: str, label: str, options: Sequence[str], help_text: str, shown: bool = True,
           names: Mapping[str, str] | None = None) -> str:
    """One control of a view: `options` are the ids that its link carries, `name` its key and the link's."""
    chosen = state.open_choice(name, options)
    if shown:
        st.session_state[name] = chosen  # the URL decides, not what the widget remembers
        shown_as = (lambda option: names.get(option, option)) if names else _view_label
        st.segmented_control(label, options, required=True, key=name, format_func=shown_as, help=help_text,
                             on_change=state.go_to_choice, args=(name, options[0]))
    return chosen


def pick(name: str, label: str, options: Sequence[str], help_text: str, names: Mapping[str, str] = MappingProxyType({})
         ) -> str:
    """As :func:`choice`, as a list to open: for many options."""
    chosen = state.open_choice(name, options)
    st.session_state[name] = chosen
    st.selectbox(label, options, key=name, format_func=lambda option: names.get(option, option), help=help_text,
                 on_change=state.go_to_choice, args=(name, options[0]))
    return chosen


def several(name: str, label: str, options: Sequence[str], help_text: str) -> list[str]:
    """Any of `options`, at least one; all of them at first."""
    chosen = state.open_several(name, options)
    if len(options) > 1:
        st.session_state[name] = chosen
        st.pills(label, options, key=name, selection_mode="multi", help=help_text, on_change=state.go_to_several,
                 args=(name, options))
    return chosen


def slider(name: str, label: str, options: Sequence[str], help_text: str) -> str:
    """A control over ordered options, the last of which is what a link without it shows."""
    chosen = state.open_choice(name, options[::-1])
    if len(options) > 1:
        st.session_state[name] = chosen
        st.select_slider(label, options, key=name, help=help_text, on_change=state.go_to_choice,
                         args=(name, options[-1]))
    return chosen


def _view_label(name: str) -> str:
    if name in METHODS:
        return f"Difference to {styles.label(name)}"
    return "Scores" if name == SCORES else name


def heatmap(cells: pd.DataFrame, scale: charts.Scale, alt: str, key: str, title: str = "") -> None:
    """A heatmap, in panels that leave room for its numbers; `alt` says the take-away."""
    if cells.empty:
        st.info("There is nothing to compare here: no seed with which both methods have completed.")
        return
    ends = charts.limits(cells, scale)
    for number, panel in enumerate(charts.panels(cells)):
        st.plotly_chart(charts.heatmap(panel, scale, title, ends), width="stretch", key=f"{key}-{number}",
                        config=charts.PLOTLY_CONFIG, alt=alt or title)


def numbers(cells: pd.DataFrame, name: str, about: str, signed: bool) -> None:
    """The heatmap as a table (the keyboard's and the screen reader's way to every number) and as files NAME."""
    with st.expander("The numbers as a table, CSV or LaTeX", icon=":material/table:", key="numbers"):
        with st.container(horizontal=True):
            st.download_button("CSV", exports.csv(cells), f"{name}.csv", "text/csv", icon=":material/download:",
                               key="csv", on_click="ignore", help="Every number with all its digits, as stored.")
            st.download_button("LaTeX", exports.latex(cells, about, signed), f"{name}.tex", "text/x-tex",
                               icon=":material/download:", key="latex", on_click="ignore",
                               help="A table of points with intervals, for the package booktabs.")
        st.dataframe(frames.readable(cells), hide_index=True, placeholder="", alt="Every number of the heatmap",
                     column_config={name: st.column_config.NumberColumn(format="%.2f")
                                    for name in ("points", "half of the 95% interval", "lowest", "highest")})


def gate_table(gates: pd.DataFrame) -> None:
    """Every number behind the gates' figure (balance.numbers)."""
    column = st.column_config
    shown = [name for name in gates.columns if name not in ("task", "n")]
    names = {"alpha": ("alpha (private)", None), "beta": ("beta (shared)", None),
             "private_share": ("Private share of gates", "alpha / (alpha + beta)"),
             "private_norm_share": ("Private share of norm", "Share of the composed prompt's norm")}
    order = [name for one in names for name in (one, f"{one}_half") if name in shown]
    st.dataframe(gates, hide_index=True, height="content", alt="Gates and shares per task",
                 column_order=["task", *order, *(["n"] if "n" in gates else [])], column_config={
                     "task": column.TextColumn("Task", pinned=True), "n": column.NumberColumn("Runs"),
                     **{name: column.NumberColumn(title, format="%.3f", help=about)
                        for name, (title, about) in names.items()},
                     **{f"{name}_half": column.NumberColumn("±", format="%.3f", help="Half of the 95% t-interval")
                        for name in names}})


def reference_note(experiment: ExperimentRecord) -> None:
    """Says why the reference rows are missing; once they are there, the page shows them by itself."""
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
                   + ("follow when all runs have ended." if waits else "are being scored; they appear here shortly."))
