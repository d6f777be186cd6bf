"""Pieces that several pages share. Everything shown here from a visitor's hand is escaped (captions.literal)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import streamlit as st

from app.show import captions, frames, glossary
from app.ui import fetching, services, state
from compt_core.errors import ComptError, LostStore
from compt_core.runs.record import ACTIVE, ExperimentRecord, RunRecord, State

ROOT = Path(__file__).resolve().parents[2]


def page(name: str) -> Path:
    """The file of a page, as st.Page, st.page_link and st.switch_page take it."""
    return ROOT / "pages" / f"{name}.py"


@contextmanager
def guarded() -> Iterator[None]:
    """Shows a domain error as its sentence with a way out, the one place where the dashboard shows one; and, before
    the page, what the last click came to."""
    if said := state.complaint():
        st.error(captions.literal(said), icon=":material/error:")
    if done := state.told():
        st.success(captions.literal(done), icon=":material/check:")
    try:
        yield
    except ComptError as error:
        if str(error) != said:  # the click came to the same
            st.error(captions.literal(error), icon=":material/error:")
        if isinstance(error, LostStore):
            st.button("Look again", icon=":material/refresh:")
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Show the newest experiment", on_click=state.forget, icon=":material/history:",
                      help="Leaves this link and opens what was trained last.")
            st.page_link(page("launch"), label="Launch an experiment", icon=":material/rocket_launch:")


_WAYS = {"launch": "Launch an experiment", "home": "Run the demo on Home", "runs": "Look at the runs"}


def empty_state(title: str, text: str, *targets: str) -> None:
    """An empty page: why it is empty, and links to the pages where to go on (keys of _WAYS; Launch by default)."""
    with st.container(border=True, horizontal_alignment="center"):
        st.header(title, text_alignment="center", anchor=False)
        st.markdown(text, text_alignment="center")
        for target in targets or ("launch",):
            st.page_link(page(target), label=_WAYS[target], icon=":material/arrow_forward:")


def header(title: str, *terms: str, own: Mapping[str, str] = MappingProxyType({})) -> None:
    """The page's title, and a button that opens the meaning of its terms, the page's `own` or shared ones."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(title, anchor=False, width="stretch")
        with st.popover("What do these words mean?", icon=":material/menu_book:", type="tertiary"):
            st.markdown(glossary.explain(*terms, own=own))


def experiment_picker(chosen: ExperimentRecord) -> None:
    """The experiments as a list, newest first; choosing one changes the URL."""
    latest = services.store().experiments(limit=50)
    if chosen.id not in [record.id for record in latest]:
        latest.append(chosen)
    now = time.time()
    lines = {record.id: captions.experiment_line(record, frames.suites(record), now) for record in latest}
    st.session_state["pick_experiment"] = chosen.id  # the URL decides, not what the widget remembers
    st.selectbox("Experiment", list(lines), format_func=lambda identity: lines[identity], key="pick_experiment",
                 on_change=state.go_to_experiment, args=("pick_experiment",),
                 help="The 50 newest experiments. The address of this page is a link to the chosen one.")


def provenance(experiment: ExperimentRecord) -> None:
    """What the numbers stand on, and what to know before believing them."""
    suites = frames.suites(experiment)
    st.markdown(captions.provenance(experiment, suites))
    if caveats := captions.caveats(experiment, suites):
        st.markdown(f":material/info: {' '.join(caveats)}")  # not a faint caption: it decides what to believe
    fetching.needed(experiment.config)
    if any(not task.bundled for task in experiment.tasks.values()):
        for said in fetching.rows_lost(experiment, services.store().runs(experiment.id)):
            st.warning(said, icon=":material/folder_off:")


def open_results() -> tuple[ExperimentRecord, list[RunRecord]] | None:
    """The head of a results page: picker and provenance. None (and an empty state) in an empty store."""
    experiment = state.open_experiment(services.store())
    if experiment is None:
        empty_state("Nothing trained yet", "Results appear here once an experiment has finished. "
                    "The demo on the Home page needs no choices.", "launch", "home")
        return None
    experiment_picker(experiment)
    provenance(experiment)
    runs, damaged = services.store().read_runs(experiment.id)
    if damaged:
        st.warning(f"{captions.plural(len(damaged), 'run')} of this experiment cannot be read and "
                   f"{'is' if len(damaged) == 1 else 'are'} left out here; the page Runs says why.",
                   icon=":material/error:")
    return experiment, runs


def not_ready(experiment: ExperimentRecord, what: str) -> None:
    """Why an experiment has nothing to show here yet, by the states of its runs."""
    moving = any(experiment.states.get(state) for state in ACTIVE)
    completed = experiment.states.get(State.COMPLETED)
    empty_state(*captions.nothing_to_show(experiment.states, what),
                *(["runs"] if moving or completed else ["runs", "launch"]))


def run_picker(runs: Sequence[RunRecord]) -> RunRecord:
    """One of `runs` (not empty), chosen by the URL or the list."""
    chosen = state.open_run(runs)
    lines = {run.id: captions.run_line(run) for run in runs}
    st.session_state["pick_run"] = chosen.id
    st.selectbox("Run", list(lines), format_func=lambda identity: lines[identity], key="pick_run",
                 on_change=state.go_to_run, args=("pick_run",),
                 help="Completed runs that this page can show. The address of this page is a link to the chosen one.")
    return chosen


def change_it(run: RunRecord) -> None:
    """The way from what a run learned to changing it."""
    st.page_link(page("whatif"), label="Change it and see what happens", icon=":material/experiment:",
                 query_params={state.EXPERIMENT: run.experiment, state.RUN: run.id})


def no_worker_note() -> None:
    """Says who trains, where this process does not."""
    if not services.trains_here():
        st.caption(":material/info: This process does not train. "
                   "Start `python -m compt_core worker` to work off the queue.")


def findings(lines: Sequence[str], notes: Sequence[str] = ()) -> None:
    """What a figure shows, a sentence per line, and how to read it; both in normal type."""
    if lines:
        st.markdown("\n".join(f"- {line}" for line in lines))
    if notes:
        st.markdown("  \n".join(notes))
