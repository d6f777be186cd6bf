"""The edit in the address: read and checked, written by every control, and dropped if it does not fit a run."""

from __future__ import annotations

import streamlit as st

from app.show import captions
from app.ui import state
from app.whatif import editing
from app.whatif.names import EDIT
from compt_core.errors import ConfigError, Issue
from compt_core.whatif.edit import Edit, read, write
from compt_core.whatif.trained import Trained

_WRITTEN = "written_edit"  # (run, text) of the edit that this session last looked at


def opened(trained: Trained) -> Edit:
    """The edit of the link. An edit made for another run is kept if it means the same in this one; otherwise it is
    dropped, and a sentence says so. Raises ConfigError for any other wrong edit."""
    text = st.query_params.get(EDIT, "")
    run, last = st.session_state.get(_WRITTEN, (None, ""))
    comes_along = bool(text) and text == last and run != trained.run
    try:
        edit = read(text, trained)
        if comes_along and not editing.carries_over(edit):
            raise ConfigError([Issue("edit", "It names sources, weights or another run, and s0 of one run is not s0 "
                                             "of another.")])
    except ConfigError as error:
        if not comes_along:
            raise
        st.info(captions.literal(f"The changes made to the previous run do not fit this one and were dropped. {error}"),
                icon=":material/info:")
        edit, text = Edit(), ""
        st.query_params.pop(EDIT, None)
    st.session_state[_WRITTEN] = (trained.run, text)
    return edit


def put(edit: Edit) -> None:
    """Callback of every control: writes `edit` to the address."""
    put_text(write(edit), str(st.query_params.get(state.RUN, "")))


def put_text(text: str, run: str) -> None:
    """Writes an edit of `run`, as text (from the store, say), to the address."""
    st.session_state[_WRITTEN] = (run, text)
    if text:
        st.query_params[EDIT] = text
    else:
        st.query_params.pop(EDIT, None)
