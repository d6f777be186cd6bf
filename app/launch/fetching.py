"""The English backbone and its rows on Launch: where they come from, and buttons to fetch them."""

from __future__ import annotations

import streamlit as st

from app.show import captions
from app.ui.fetching import BACKBONE, ROWS, offer
from compt_core.backbone import english
from compt_core.backbone.english import ENGLISH

_WANTED = "launch.english"  # in the session of the visitor who pressed the button: select it when it is there


def select(key: str) -> None:
    """Chooses the English backbone in the widget `key`, not yet drawn, of a visitor whose download has ended well."""
    if st.session_state.get(_WANTED) and english.present():
        del st.session_state[_WANTED]
        st.session_state[key] = ENGLISH


def below(backbone: str | None, data_dir: str | None) -> None:
    """What stands below the fields in which these are chosen."""
    if backbone == ENGLISH:
        st.caption(captions.literal(english.ORIGIN))
    with st.container(horizontal=True):
        offer(BACKBONE, _wait)
        if (data_dir or "").strip() == ENGLISH:
            offer(ROWS)


def _wait() -> None:
    """Notes that this visitor waits for the backbone."""
    st.session_state[_WANTED] = True
