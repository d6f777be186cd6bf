"""By which backbone, and how, the page reads examples: at first as Launch is set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.data.pieces import Reader
from app.show import captions
from app.ui import drafts
from compt_core.backbone import english
from compt_core.backbone.files import BackboneFiles, unknown_words
from compt_core.backbone.load import find_backbone
from compt_core.errors import BackboneError, ConfigError
from compt_core.tasks.spec import Task

_KEEP: Any = "session"
_WORDS = 500  # that are looked up
_FIRST: dict[str, Any] = {"backbone": "demo", "prefix": "neutral", "max_tokens": 128, "shots": 16}


@dataclass(frozen=True)
class By:
    """What reads, and why it cannot: `files` is None and `problem` a sentence where it is not on this machine."""

    files: BackboneFiles | None
    ref: str
    prefix: str
    max_tokens: int
    shots: int
    problem: str = ""

    def reader(self, task: Task) -> tuple[Reader | None, str]:
        """What reads the rows of a task; None, and a sentence, where nothing can."""
        if self.files is None:
            return None, self.problem
        try:
            return Reader(self.files, task, self.prefix, self.max_tokens), ""
        except ConfigError as error:
            return None, str(error)


def key(name: str) -> str:
    """Session key of a setting here."""
    return f"data.{name}"


def chosen() -> By:
    """The settings as they stand, and whether the backbone is here. Nothing is downloaded."""
    for name, first in _FIRST.items():
        st.session_state.setdefault(key(name), _of_launch(name, first))
    ref = str(st.session_state[key("backbone")] or "demo").strip()
    numbers = {name: int(st.session_state[key(name)] or _FIRST[name]) for name in ("max_tokens", "shots")}
    try:
        files, problem = find_backbone(ref, fetch=False), ""
    except BackboneError as error:
        files, problem = None, str(error)
    return By(files, ref, st.session_state[key("prefix")] or "neutral", problem=problem, **numbers)


def suit(texts: Sequence[str]) -> None:
    """Chooses the English backbone, if it is here, where the bundled one knows less than half of the words."""
    words = list(dict.fromkeys(word for text in texts for word in text.split()))[:_WORDS]
    if st.session_state.get(key("backbone")) == "demo" and english.present() and words and \
            len(unknown_words(find_backbone("demo"), words)) > len(words) / 2:
        st.session_state[key("backbone")] = english.ENGLISH


def picker() -> None:
    """The settings in a popover."""
    with st.popover(f"Read by {captions.literal(st.session_state[key('backbone')])}", icon=":material/visibility:"):
        here = ["demo", *([english.ENGLISH] if english.present() else [])]
        st.selectbox("Backbone", list(dict.fromkeys([*here, st.session_state[key("backbone")]])), key=key("backbone"),
                     accept_new_options=True, persist_state=_KEEP,
                     help="Whose pieces the examples are cut into. You can type a folder or a hub id that was "
                          "downloaded before.")
        st.selectbox("Prefix", ["neutral", "native", "question"], key=key("prefix"), persist_state=_KEEP,
                     help="What stands in front of the texts: the task's name, the word that T5 was trained with, or a "
                          "question, for tasks that have one.")
        st.number_input("Longest input (tokens)", 2, 4096, key=key("max_tokens"), persist_state=_KEEP,
                        help="What is longer is cut at its end, the longer text first.")
        st.number_input("Shots", 1, 10_000, key=key("shots"), persist_state=_KEEP,
                        help="How many rows a run trains on; some doubts depend on it.")


def _of_launch(name: str, first: Any) -> Any:
    """The value on Launch, if the visitor was there."""
    found = st.session_state.get(drafts.key(name), first)
    if name == "shots":
        digits = re.search(r"[1-9][0-9]{0,3}", str(found))
        return int(digits[0]) if digits else first
    if name == "max_tokens":
        return found if isinstance(found, int) and 2 <= found <= 4096 else first
    return found or first
