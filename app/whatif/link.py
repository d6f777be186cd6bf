"""The edit in the address: read and checked, written by every control, and left out where it does not fit a run."""

from __future__ import annotations

import streamlit as st

from app import captions, state
from compt_core.errors import ConfigError
from compt_core.whatif.edit import Edit, read, write
from compt_core.whatif.trained import Trained

_WRITTEN = "written_edit"  # the edit that this session itself put into the address


def opened(trained: Trained) -> Edit:
    """The edit of the link. One that the dashboard itself wrote for another run, and that this one cannot have, is
    left out with a sentence; raises ConfigError for any other that is wrong."""
    text = st.query_params.get(state.EDIT, "")
    try:
        return read(text, trained)
    except ConfigError as error:
        if text != st.session_state.get(_WRITTEN):
            raise
        put(Edit())
        st.info(captions.literal(f"The changes made for the run before do not fit this one and were left out. {error}"),
                icon=":material/info:")
        return Edit()


def put(edit: Edit) -> None:
    """Callback of every control: `edit` becomes the address's."""
    put_text(write(edit))


def put_text(text: str) -> None:
    """An edit as text, of the store say, becomes the address's."""
    st.session_state[_WRITTEN] = text
    if text:
        st.query_params[state.EDIT] = text
    else:
        st.query_params.pop(state.EDIT, None)
