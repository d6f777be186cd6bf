"""What a link to Launch brings: ``?preset=…&shots=…``, ``?from=ID``. Applied once; then the draft is the visitor's.

The address stays until the visitor changes something, so that a reload shows the same; then it goes, for it no
longer says what the form shows.
"""

from __future__ import annotations

from typing import Any

import streamlit as st
from pydantic import ValidationError

from app.launch import forms, links
from app.show import captions
from app.ui import actions, components, drafts, services
from compt_core.errors import Issue, StoreError, UnknownId, quoted
from compt_core.settings.config import Experiment
from compt_core.settings.presets import PRESETS

_OPENED = "opened_link"  # query, draft, title and notes of the link that was applied last


def receive() -> list[Issue]:
    """Applies the link by which this page was opened, if it has not been; what the link asked for in vain."""
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    opened = st.session_state.get(_OPENED)
    if not query:
        st.session_state.pop(_OPENED, None)
        return []
    if opened is None or opened["query"] != query:
        opened = _open(query)
        st.session_state[_OPENED] = {**opened, "query": query, "draft": forms.draft()}
    elif opened["draft"] != forms.draft():
        st.query_params.clear()
        return []
    if opened["title"]:
        st.caption(opened["title"])
    notes: list[Issue] = opened["notes"]
    for note in notes:
        if note.field not in Experiment.model_fields:
            st.warning(captions.literal(note.message), icon=":material/link_off:")
    if any(note.field == links.FROM for note in notes):
        st.page_link(components.page("runs"), label="Look at the runs", icon=":material/arrow_forward:")
    return notes


def offer(label: str, identity: str) -> None:
    """A link to Launch with the settings of a run or an experiment."""
    st.session_state.pop(_OPENED, None)  # followed a second time, it is to be applied a second time
    st.page_link(components.page("launch"), label=label, icon=":material/add:", query_params={links.FROM: identity},
                 help="Opens Launch with these settings; nothing is queued before you say so.")


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
    """The draft over which a link's settings go, its preset, what it is, and why it is not the one asked for."""
    preset, notes = query.get(links.PRESET, forms.FIRST_PRESET), []
    if preset not in PRESETS:
        notes.append(Issue(links.PRESET, f"This link names the preset {quoted(preset)}, which there is not; the form "
                                         f"starts from '{forms.FIRST_PRESET}'. There are: {', '.join(PRESETS)}."))
        preset = forms.FIRST_PRESET
    if links.FROM in query:
        try:
            settings, name = stored(query[links.FROM])
            return drafts.from_experiment(settings), None, f"Settings of {captions.literal(name)}.", notes
        except StoreError as error:
            notes.append(Issue(links.FROM, f"{error} The form shows the preset '{preset}'."))
    return drafts.from_preset(preset), preset, "", notes


def stored(identity: str) -> tuple[Experiment, str]:
    """The settings of a run or an experiment, and a name for it. Raises StoreError."""
    try:
        config, name = _of_run(identity)
    except UnknownId:
        try:
            config, name = services.store().experiment(identity).config, f"experiment {identity}"
        except UnknownId:
            raise StoreError(f"This link starts from {quoted(identity)}, which is no run and no experiment of this "
                             "store; it may have been deleted.") from None
    try:
        return Experiment.model_validate(config), name
    except ValidationError:
        raise StoreError(f"The settings of {name} were stored by another version of ComPT Lab and cannot be read any "
                         "more.") from None


def _of_run(identity: str) -> tuple[dict[str, Any], str]:
    run = services.store().run(identity)
    one = {f"{name}s": [run.config[name]] for name in ("method", "seed")} | {"shots": [run.shots]}
    kept = {name: value for name, value in run.config.items() if name not in ("method", "seed", "shots")}
    return kept | one, f"run {identity} ({actions.line(run)})"
