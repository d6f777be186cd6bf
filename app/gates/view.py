"""The Gates page's view: shares per task, gates over training, for one run or the mean over its seeds."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.gates import balance
from app.show import captions, charts, courses, exports, readings, weights
from app.show.styles import PRIVATE
from app.ui import components, ordering, services, state
from app.ui.names import TASK
from compt_core.runs.record import RunRecord

_COLOURS = {"alpha": PRIVATE, "beta": courses.BRIGHT}
_MEANING = {"alpha": "alpha (private prompt)", "beta": "beta (shared part)"}


def view(runs: Sequence[RunRecord]) -> None:
    """Everything on the page for the runs (not empty) that have gates."""
    run = components.run_picker(runs)
    mates = weights.seeds_of(run, runs)
    with st.container(horizontal=True):
        several = ordering.whose_control(mates, "Gates belong to tasks, so they can be averaged over seeds.")
        order = ordering.order_control()
    components.change_it(run)
    shown = mates if several else [run]
    drawn = weights.mean(mates) if several else weights.single(run)
    table = balance.numbers(shown, ordering.ordered(drawn, order))
    lines = [*readings.gates(table, run.method, run.config), *balance.spread(shown)]
    if not several:
        lines.append("This is one run, so there is no interval.")
    st.altair_chart(charts.gate_shares(table), width="stretch", key="gate_shares", alt=captions.plain(lines))
    components.findings(lines, [readings.gates_note(run.method, run.config)])
    _over_training(shown, list(table["task"]))
    st.header("The numbers", anchor=False)
    _table(table)
    name = f"gates-{run.id}{'-mean' if several else ''}.csv"
    st.download_button("CSV", exports.csv(balance.cells(table), "task"), name, "text/csv", icon=":material/download:",
                       key="csv", on_click="ignore", help="Every gate and share with all its digits.")


def _table(gates: pd.DataFrame) -> None:
    """Every number behind the gates' figure (balance.numbers)."""
    column = st.column_config
    shown = [name for name in gates.columns if name not in ("task", "n")]
    names = {"alpha": ("alpha (private)", None), "beta": ("beta (shared)", None),
             "private_share": ("Private share of gates", "alpha / (alpha + beta)"),
             "private_norm_share": ("Private share of norm", "The private part's share of the composed prompt's norm")}
    order = [name for one in names for name in (one, f"{one}_half") if name in shown]
    st.dataframe(gates, hide_index=True, height="content", alt="Gates and shares per task",
                 column_order=["task", *order, *(["n"] if "n" in gates else [])], column_config={
                     "task": column.TextColumn("Task", pinned=True), "n": column.NumberColumn("Runs"),
                     **{name: column.NumberColumn(title, format="%.3f", help=about)
                        for name, (title, about) in names.items()},
                     **{f"{name}_half": column.NumberColumn("±", format="%.3f",
                                                            help="Half the width of the 95% t-interval over seeds")
                        for name in names}})


def _over_training(runs: Sequence[RunRecord], order: Sequence[str]) -> None:
    st.header("The gates over training", anchor=False)
    notes = list[str]()
    found = services.store().curves([run.id for run in runs], "gates", notes)
    services.left_out(notes)
    tasks = runs[0].config["tasks"]
    points = balance.over_training([found[run.id] for run in runs if run.id in found], tasks)
    if points["alpha"].empty:
        st.markdown("No gates were recorded while these runs trained.")
        return
    chosen = state.open_choice(TASK, [ordering.NONE, *tasks])
    moving = {name: one for name, one in points.items() if not balance.is_still(one)}
    if moving:
        st.session_state[TASK] = chosen
        st.selectbox("Task to highlight", [ordering.NONE, *order], key=TASK, on_change=state.go_to_choice,
                     args=(TASK, ordering.NONE), help="Its lines are bright; all others are faint.",
                     format_func=lambda name: "the one that ends highest" if name == ordering.NONE else name)
        halves = st.grid(len(moving), min_column_width=460, gap="medium")
    for name, one in points.items():
        if name not in moving:
            st.markdown(f"{name} never moved in training: {_levels(one)}.")
            continue
        end = one[one["step"] == one["step"].max()]
        task = str(end.loc[end["value"].idxmax(), "name"]) if chosen == ordering.NONE else chosen
        said = balance.moved(one, name, task)
        with halves.cell():
            st.altair_chart(courses.lines(one, task, _MEANING[name], colour=_COLOURS[name]), width="stretch",
                            key=f"course-{name}", alt=said)
            st.markdown(f"{captions.literal(said)}.")


def _levels(points: pd.DataFrame) -> str:
    low, high = points["value"].min(), points["value"].max()
    return f"it is {low:.2f} for every task" if high - low < 1e-6 else f"it lies between {low:.2f} and {high:.2f}"
