"""What few people need to set of their own task: the split, its metrics, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.data import chosen, drafting
from app.data.columns import problem
from app.data.reading import Upload
from app.show import captions

_KEEP: Any = "session"
_HELP = {
    "title": "A few words, for lists.", "description": "What makes an answer right, in a sentence.",
    "family": "Tasks of one kind share a family; without one, the task is a family by itself.",
    "prefix": "The word in front of the texts; without one, the task's name.",
    "source": "Where the rows are from.", "licence": "Under which terms they may be used.",
}


def view(given: Upload, draft: drafting.Draft, problems: Mapping[str, str]) -> None:
    """The split of a single file, and an expander with the rest."""
    if "dev" not in given.files:
        share, seed, said = st.columns([2, 2, 5], vertical_alignment="bottom")
        share.number_input("Share of dev rows", value=None, key=chosen.key("share"), step=0.05, format="%.2f",
                           persist_state=_KEEP)
        seed.number_input("Seed of the split", 0, 2**31, key=chosen.key("seed"), persist_state=_KEEP)
        said.caption(f"There is one file, so {draft.share or 0:.0%} of its rows are set aside as dev rows, drawn by "
                     f"label with seed {draft.seed or 0}. Rows with the same texts stay together.")
        problem(problems, "split")
    with st.expander("Title, metrics, source and more", icon=":material/edit_note:", key="own_details"):
        for name in drafting.DETAILS:
            most = 200 if name in ("title", "family", "prefix") else 1000
            st.text_input(name.capitalize(), key=chosen.key(name), max_chars=most, persist_state=_KEEP,
                          help=_HELP[name])
        allowed = drafting.OF_CLASSES if draft.numbers is None else drafting.OF_NUMBERS
        widget = chosen.key("metrics")
        st.session_state[widget] = [one for one in st.session_state.get(widget) or () if one in allowed]
        st.multiselect("Metrics", allowed, key=widget, persist_state=_KEEP, placeholder="The usual ones",
                       help="How answers are scored; the first one is shown first.")
        if "f1" in st.session_state[widget] and draft.words:
            labels = [label for label, word in draft.words.items() if word]
            if st.session_state.get(chosen.key("positive")) not in labels:
                st.session_state[chosen.key("positive")] = labels[-1] if labels else ""
            st.selectbox("F1 is about the label", labels, key=chosen.key("positive"), persist_state=_KEEP)
        if given.files.keys() == {"train", "dev"}:
            st.caption(f"Dev rows come from {captions.literal(given.names['dev'])}.")
