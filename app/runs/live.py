"""One experiment as it trains: states, queue, progress, loss. One fragment, which stops when nothing changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.runs import curves
from app.show import captions, progress
from app.ui import actions, components, diagnoses, services, state
from compt_core.errors import UnknownId
from compt_core.methods.table import METHODS
from compt_core.runs.record import ExperimentRecord, RunRecord, State

_SHOWN_FAILURES = 3


def view(experiment: ExperimentRecord) -> None:
    """The live part; it refreshes itself until every run has ended."""
    runs, damaged = services.store().read_runs(experiment.id)
    actions.damaged(damaged)
    moving = not progress.settled(runs)
    every = services.refresh_seconds() if moving else None
    st.fragment(_tick, run_every=every)(experiment.id, every)


def _tick(identity: str, every: float | None) -> None:
    was_moving = every is not None
    with components.guarded():
        try:
            runs = services.live_runs(identity) if was_moving else services.store().runs(identity)
        except UnknownId:
            if not was_moving:
                raise
            state.forget()  # deleted while it trained
            state.tell(f"The experiment {identity} was deleted. The page shows the newest one that is left, if any.")
            st.rerun()
        if every is not None and (progress.settled(runs) or not every / 2 < services.refresh_seconds() < 2 * every):
            st.rerun()  # the whole page: its buttons change, and the refreshing stops or changes its pace
        left = {run.id: progress.seconds_left(run, services.first_seen(run)) for run in runs}
        if was_moving:
            st.progress(progress.overall(runs), text=progress.headline(runs, left))
        else:
            st.markdown(progress.headline(runs, left))
        _queue(runs)
        _failures(runs)
        if any(run.state == State.COMPLETED for run in runs):
            _links(identity, runs)
        found = services.diagnosed(identity, runs)
        diagnoses.view(runs, found)
        _table(runs, left, curves.sparks(identity, runs), {run: diagnoses.brief(one) for run, one in found.items()})
        curves.view(identity, runs)
        if was_moving:
            curves.forming(identity, runs)


def _queue(runs: Sequence[RunRecord]) -> None:
    queued = [run for run in runs if run.state == State.QUEUED]
    if queued:
        before, store = None, services.store()
        if ready := [run for run in queued if not run.waits_for]:
            before = store.position(ready[0].id)
        st.caption(captions.queue(len(queued), before, any(run.state == State.RUNNING for run in runs)))
        if waited := store.waits(queued[0].experiment):
            st.caption(captions.waits(len([run for run in queued if run.waits_for]), waited))


def _failures(runs: Sequence[RunRecord]) -> None:
    failures = progress.failures(runs)
    for (_, message), failed in failures[:_SHOWN_FAILURES]:
        st.error(captions.literal(message), icon=":material/error:",
                 title=captions.failed([captions.run_title(run) for run in failed], len(runs)))
    if len(failures) > _SHOWN_FAILURES:
        st.caption(f"{captions.plural(len(failures) - _SHOWN_FAILURES, 'more kind')} of failure: see the logs below.")
    if failures:
        trace = failures[0][1][0].traceback
        if trace:
            with st.expander("The program's error trace, to copy into a bug report", icon=":material/bug_report:"):
                st.code(trace, language=None, height=220)
        st.page_link(components.page("launch"), label="Change the settings and launch again",
                     icon=":material/rocket_launch:")


def _links(identity: str, runs: Sequence[RunRecord]) -> None:
    composed = any(METHODS[run.method].composed for run in runs if run.state == State.COMPLETED)  # else: no attention
    with st.container(horizontal=True):
        for name, label, icon in (("accuracy", "Accuracy", "grid_on"), ("attention", "Attention", "hub"),
                                  ("gates", "Gates", "tune"), ("whatif", "What-if", "experiment")):
            if name in ("attention", "gates") and not composed:
                continue
            st.page_link(components.page(name), label=label, icon=f":material/{icon}:",
                         query_params={state.EXPERIMENT: identity})


def _table(runs: Sequence[RunRecord], left: dict[str, float | None], sparks: Mapping[str, list[float]],
           found: Mapping[str, str]) -> None:
    column = st.column_config
    st.dataframe(
        progress.table(runs, left, sparks, found), hide_index=True, key="runs_table", placeholder="",
        alt="Runs of this experiment with their progress",
        column_config={
            "run": None, "row": column.TextColumn("Method or variant", pinned=True),
            "shots": "Shots", "seed": "Seed", "state": "State",
            "progress": column.ProgressColumn("Progress", min_value=0, max_value=100, format="%.0f%%",
                                              help="Reaches 100% only when the run is completed"),
            "step": column.TextColumn("Step", help="Optimizer steps: done / in total"),
            "left": column.TextColumn("Training left", help="At the pace measured so far"),
            "loss": column.LineChartColumn("Loss", width="small", help="Training loss so far"),
            "mean": column.NumberColumn("Mean score", format="%.1f", help="Mean over tasks × 100"),
            "diagnosis": column.TextColumn("Diagnosis", width="medium", help="⚠ marks a problem. Above the table it "
                                           "says what to try.")
            if any(found.values()) else None,
        })


def log(experiment: ExperimentRecord) -> None:
    """The log of one run, read when opened."""
    runs = services.store().runs(experiment.id)
    box = st.expander("Log of a run", icon=":material/article:", key="log", on_change="rerun")
    if box.open:
        with box:
            lines = {run.id: captions.run_title(run) for run in runs}
            chosen = st.selectbox("Run", list(lines), format_func=lambda name: lines.get(name, name),
                                  key=f"log_run-{experiment.id}",
                                  help="The messages of the trainer, and the reason if the run failed.")
            text = services.store().log(chosen)
            st.code(text, language=None, height=260) if text else st.caption("This run has written nothing yet.")
