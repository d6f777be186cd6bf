"""What the page Home shows: the method in one drawing, and the latest experiments."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from app.show import captions, frames
from app.ui import actions, services, state
from app.ui.components import ROOT, page
from compt_core.methods.table import METHODS
from compt_core.runs.record import BUNDLED, ExperimentRecord, State


def picture(alt: str) -> None:
    """The method in one drawing, in the theme's own colours and type (an <img> would not follow them)."""
    svg = (ROOT / "assets" / "compt.svg").read_text(encoding="utf-8")
    named = svg.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1)
    st.components.v2.component("compt_picture", html=named)(key="picture")


def latest_experiments(limit: int) -> None:
    """The newest experiments trained here, each with its states and links, and those that came with the project."""
    records, damaged = services.store().read_experiments(limit=limit)
    actions.damaged(damaged)
    own = [record for record in records if record.owner != BUNDLED]
    st.header("Latest experiments", anchor=False)
    if not own:
        st.caption("There are none yet. Run the demo, or launch your own. What you train stays here.")
    _cards(own)
    if bundled := [record for record in records if record.owner == BUNDLED]:
        st.header("Finished experiments to look at", anchor=False)
        st.caption("These were trained with this program and come with it, so every page has real results to show "
                   "before anything has trained here: a real T5 on real English, and the small bundled model on its "
                   "made-up language.")
        _cards(bundled)


def _cards(records: Sequence[ExperimentRecord]) -> None:
    now = time.time()
    for record in records:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(captions.experiment_card(record, frames.suites(record), now), width="stretch")
            query = {state.EXPERIMENT: record.id}
            actions.resume(record)
            st.page_link(page("runs"), label="Progress", icon=":material/monitoring:", query_params=query)
            if record.states.get(State.COMPLETED):
                st.page_link(page("accuracy"), label="Accuracy", icon=":material/grid_on:", query_params=query)
                if any(METHODS[method].composed for method in record.variants.values()):
                    st.page_link(page("attention"), label="Attention", icon=":material/hub:", query_params=query)
