"""Which text lies on the bench: a dev row by its number, or a text that a visitor typed. Both are part of the link.

A typed text takes precedence over the row in the address. A text too long for an address stays in the session only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.show.captions import plural
from app.ui import state
from app.whatif.names import ROW, TEXTS
from compt_core.errors import StoreError, quoted
from compt_core.tasks.spec import Row, Task
from compt_core.whatif.texts import LONGEST, Texts, certified, clean

LINK_CHARACTERS = 300  # most characters of a text in a link; a longer one stays in the session
_TYPED = "bench_typed"  # in the session: task, texts, notes and the ?row= at the time they were typed


@dataclass(frozen=True)
class Sentence:
    """The texts of one example, its number among the dev rows (None: typed), the right answer if it is known (a label's
    index or a number), and plain sentences on how a typed text was changed."""

    texts: Texts
    row: int | None
    gold: float | None
    notes: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        return "typed" if self.row is None else f"dev row {self.row}"


def chosen(task: Task, rows: Sequence[Row]) -> Sentence | None:
    """The text that the link names, or the one last typed in this session; None if there are neither rows nor a text.

    Raises StoreError if the link has a row or text that the task cannot have.
    """
    row = int(state.open_choice(ROW, [str(number) for number in range(len(rows))])) if rows else None
    typed = _typed(task)
    if typed is not None:
        return Sentence(typed["texts"], None, certified(task, typed["texts"]), typed["notes"])
    return None if row is None else Sentence(rows[row].texts, row, rows[row].value)


def put(task: Task, texts: Texts, row: int | None = None, notes: tuple[str, ...] = ()) -> None:
    """Callback: lays dev row `row`, or typed texts, on the bench."""
    for name in TEXTS:
        st.query_params.pop(name, None)
    st.session_state.pop(_TYPED, None)
    if row is not None:
        state.choose({ROW: str(row)})
        return
    if fits_link(texts):
        for name, text in zip(TEXTS, texts, strict=False):
            st.query_params[name] = text
    else:
        notes = (*notes, f"It is longer than the {LINK_CHARACTERS} characters or {len(TEXTS)} texts that fit in a "
                         "link, so the address of this page does not include it.")
    st.session_state[_TYPED] = {"task": task.name, "texts": texts, "notes": notes,
                                "row": st.query_params.get(ROW)}


def fits_link(texts: Texts) -> bool:
    """Whether the address can hold them."""
    return len(texts) <= len(TEXTS) and all(len(text) <= LINK_CHARACTERS for text in texts)


def cleaned(task: Task, given: Sequence[str]) -> tuple[Texts, tuple[str, ...]]:
    """(typed texts as they are read, plain sentences on what was cut off). Raises StoreError for an empty text."""
    texts, notes = [], []
    for name, text in zip(task.columns, given, strict=True):
        kept, lost = clean(text)
        if not kept:
            raise StoreError(f"The field '{name}' of task '{task.name}' must contain some text. Got {quoted(text)} "
                             "instead; type a word, or pick a dev row.")
        if lost:
            notes.append(f"{name} was cut to its first {LONGEST:,} characters; the last "
                         f"{plural(lost, 'character')} did not fit.")
        texts.append(kept)
    return tuple(texts), tuple(notes)


def _typed(task: Task) -> dict[str, Any] | None:
    """The typed text of this task: from the link, else from the session if it is too long for a link."""
    own = st.session_state.get(_TYPED)
    linked: dict[str, str] = {name: str(st.query_params[name]) for name in TEXTS if name in st.query_params}
    if own and own["task"] != task.name:  # another task was chosen since
        if linked == own.get("linked") or list(linked.values()) == list(own["texts"]):
            for name in linked:
                st.query_params.pop(name)
            linked = {}
        own = None
    if linked and (not own or (linked != own.get("linked") and list(linked.values()) != list(own["texts"]))):
        own = {"task": task.name, "texts": _from_link(task, linked), "notes": (), "linked": linked,
               "row": st.query_params.get(ROW)}
    elif not linked and own and own["row"] != st.query_params.get(ROW):
        own = None  # the link names another row
    st.session_state[_TYPED] = own
    return own


def _from_link(task: Task, linked: dict[str, str]) -> Texts:
    wanted = TEXTS[:len(task.columns)]
    named = " and ".join(f"?{name}=" for name in wanted)
    fits = all(clean(text)[0] and len(text) <= LINK_CHARACTERS for text in linked.values())
    if tuple(linked) != wanted or len(wanted) < len(task.columns) or not fits:
        got = ", ".join(f"{name} of {plural(len(text), 'character')}" for name, text in linked.items())
        raise StoreError(f"A link to a text for task '{task.name}' must give 1 to {LINK_CHARACTERS} characters for "
                         f"each of its fields ({', '.join(task.columns)}), under {named}. Got {got} instead; type the "
                         "text on the page.")
    return tuple(clean(text)[0] for text in linked.values())
