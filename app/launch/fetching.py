"""The English backbone, below the field of the backbone: where it comes from, and a button to fetch it.

A thread of its own fetches, once for all visitors, and never touches a widget. A fragment of the page asks it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app.show import captions
from compt_core.backbone import english
from compt_core.backbone.english import ENGLISH
from compt_core.errors import ComptError

LABEL = f"Fetch real English, {english.SIZE}"
SECONDS = 1.0  # between two looks at the thread
_WANTED = "launch.english"  # in the session of the visitor who pressed the button: select it when it is there


class Fetch:
    """A download by a thread: `words` say how far it is, and `problem` is a sentence once it has failed."""

    def __init__(self, work: Callable[[Callable[[str], None]], Path]):
        self.words, self.problem = "Starting …", ""
        self._work = work
        self._thread = threading.Thread(target=self._run, name="compt-fetch", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work(self._say)
        except ComptError as error:
            self.problem = str(error)
        except Exception as error:  # a bug keeps its traceback in the log of the server, and the visitor is told
            self.problem = f"The download failed: {type(error).__name__}. The terminal of the dashboard says more."
            raise

    def _say(self, words: str) -> None:
        self.words = words


_guard = threading.Lock()
_latest: Fetch | None = None


def begin() -> None:
    """Callback of the button: fetches, unless that is under way, and notes that this visitor waits for it."""
    global _latest
    st.session_state[_WANTED] = True
    with _guard:
        if _latest is None or not _latest.running:
            _latest = Fetch(english.fetch)
            _latest.start()


def select(key: str) -> None:
    """Chooses the English backbone in the widget `key`, not yet drawn, of a visitor whose download has ended well."""
    if st.session_state.get(_WANTED) and english.present():
        del st.session_state[_WANTED]
        st.session_state[key] = ENGLISH


def below(chosen: str | None) -> None:
    """What stands below the field in which `chosen` is the backbone."""
    if chosen == ENGLISH:
        st.caption(captions.literal(english.ORIGIN))
    if english.present():
        return
    if _latest and _latest.running:
        st.fragment(_progress, run_every=SECONDS)()
    else:
        _offer()


def _progress() -> None:
    """How far the download is; draws the whole page anew once it has ended."""
    if _latest is None or not _latest.running:
        st.rerun()
    st.caption(f":material/downloading: {captions.literal(_latest.words)}")


def _offer() -> None:
    """The button, and why the last download failed."""
    st.button(LABEL, icon=":material/download:", key="fetch_english", on_click=begin, help=english.ORIGIN)
    if _latest and _latest.problem:
        st.markdown(f":red[:material/error: {captions.literal(_latest.problem)}]")
