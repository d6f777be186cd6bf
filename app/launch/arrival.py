"""What a link to Launch sets: ``?preset=…&shots=…``, ``?from=ID``. It is applied once; then the draft is the visitor's.

The address stays until the visitor changes something, so a reload shows the same form. Then it is cleared, because
it no longer says what the form shows.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.launch import forms, links
from app.show import captions
from app.ui import components, drafts, stored
from app.ui.stored import FROM, OPENED
from compt_core.errors import Issue, StoreError, quoted
from compt_core.settings.presets import PRESETS


def receive() -> list[Issue]:
    """Applies the link that opened this page, unless that is done. Returns a note on each thing that cannot be had."""
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    opened = st.session_state.get(OPENED)
    if not query:
        st.session_state.pop(OPENED, None)
        return []
    if opened is None or opened["query"] != query:
        opened = _open(query)
        st.session_state[OPENED] = {**opened, "query": query, "draft": forms.draft()}
    elif opened["draft"] != forms.draft():
        st.query_params.clear()
        return []
    if opened["title"]:
        st.caption(opened["title"])
    notes: list[Issue] = opened["notes"]
    for note in notes:
        if note.field not in drafts.FIELDS:
            st.warning(captions.literal(note.message), icon=":material/link_off:")
    if any(note.field == FROM for note in notes):
        st.page_link(components.page("runs"), label="Look at the runs", icon=":material/arrow_forward:")
    return notes


def permalink(draft: dict[str, Any]) -> str:
    """The address that opens Launch with this draft in any browser that reaches this dashboard."""
    return links.address(st.context.url or "/launch", links.parameters(draft))


def _open(given: dict[str, list[str]]) -> dict[str, Any]:
    query, twice = links.gathered(given)
    start, preset, title, notes = _start(query)
    draft, problems = links.read(query, start)
    for name, value in draft.items():
        st.session_state[forms.key(name)] = value
    st.session_state[forms.key("preset")] = preset
    return {"title": title, "notes": [*twice, *notes, *problems]}


def _start(query: dict[str, str]) -> tuple[dict[str, Any], str | None, str, list[Issue]]:
    """The draft that a link's settings change, its preset, its title, and why it is not the draft asked for."""
    preset, notes = query.get(links.PRESET, forms.FIRST_PRESET), []
    if preset not in PRESETS:
        notes.append(Issue(links.PRESET, f"This link names the preset {quoted(preset)}, which does not exist. The form "
                                         f"starts from '{forms.FIRST_PRESET}' instead. The presets are: "
                                         f"{', '.join(PRESETS)}."))
        preset = forms.FIRST_PRESET
    if FROM in query:
        try:
            settings, name = stored.settings(query[FROM])
            return drafts.from_experiment(settings), None, f"These are the settings of {captions.literal(name)}.", notes
        except StoreError as error:
            notes.append(Issue(FROM, f"{error} The form shows the preset '{preset}' instead."))
    return drafts.from_preset(preset), preset, "", notes
