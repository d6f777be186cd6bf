"""A task of one's own: the files, what each column is, the words of its labels, and how the model will read it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from app.data import chosen, columns, details, drafting, keeping, names, shown, unfinished
from app.data.by import By, suit
from app.data.reading import Upload
from app.show import captions
from app.show.progress import ago
from app.ui import services, state, uploads
from app.ui.names import TASK
from compt_core.errors import ComptError, DataError
from compt_core.tasks import own
from compt_core.tasks.definition import NAME_SAID
from compt_core.tasks.spec import Task, TaskData

_SPLITS = {"train": "Your table", "dev": "Dev rows, if they are a file of their own"}
_WRONG, _ROUND = "own_wrong", "own_round"  # in the session; they outlive what was chosen
HELP = ("One row per example, with a header: a column or more of text, and one with the label. .csv, .tsv, .jsonl, "
        ".parquet or .xlsx, at most 8 MB. The file is kept in this dashboard's home folder, for everybody who uses it.")


def view(by: By) -> None:
    """The whole form, or only the place for a file while there is none."""
    if chosen.upload() is None and (link := st.query_params.get(names.DRAFT)):
        _reopen(link)
    given = chosen.upload()
    if wrong := st.session_state.get(_WRONG):
        st.markdown(f":red[:material/error: {captions.literal(wrong)}]")
    if given is None:
        _uploaders()
        st.markdown("Then you say which column is what, and see your rows as the model reads them. A table may look "
                    "like this:")
        st.table([{"text": "I waited an hour for the food.", "kind": "bad"},
                  {"text": "The staff could not have been nicer.", "kind": "good"}], border="horizontal")
        _drafts()
        return
    try:
        labels = chosen.counts(given)
    except DataError as error:  # somebody has deleted the files
        st.markdown(f":red[:material/error: {captions.literal(given.said(str(error)))}]")
        _again()
        return
    left, right = st.columns([3, 2], gap="large")
    draft = chosen.draft(given, labels)
    taken = [name for name in own.known() if name != chosen.edits()]
    problems = drafting.problems(draft, taken)
    with left:
        columns.view(given, problems)
        if chosen.label_column():
            columns.answers(given, labels, by, problems)
        details.view(given, draft, problems)
        with st.expander("Other files", icon=":material/upload_file:", key="own_files"):
            _again()
    with right, st.container(border=True):
        _outcome(given, draft, problems, by)
    _remember()


def _reopen(identity: str) -> None:
    """Goes on with a draft, or says why not."""
    try:
        with st.spinner("Reading the draft …"):
            chosen.reopen(identity)
        st.session_state[_WRONG] = ""
    except DataError as error:
        st.session_state[_WRONG] = str(error)
        st.query_params.pop(names.DRAFT, None)


def _remember() -> None:
    """Keeps what is chosen, so that a reload of this address goes on with it."""
    try:
        st.query_params[names.DRAFT] = chosen.remember()
    except DataError as error:
        st.warning(captions.literal(error), icon=":material/error:")


def _drafts() -> None:
    """The drafts that were changed last, each to go on with."""
    if not (found := unfinished.newest()):
        return
    st.markdown("Or go on with a draft that is not kept as a task yet:")
    for identity, draft, when in found:
        edits, name = draft.values.get(chosen.EDITS), draft.values.get(chosen.key("name"))
        said = f"changes of {edits}" if edits else f"{name or 'no name yet'} · {draft.upload.names['train']}"
        st.button(f"{captions.literal(said)} · {ago(when, time.time())}", icon=":material/edit_note:",
                  key=f"draft_{identity}", on_click=_reopen, args=(identity,))


def _again() -> None:
    """Other files for the same task, or another task."""
    _uploaders()
    st.button("Start again", icon=":material/delete_sweep:", on_click=_start_again, key="own_again",
              help="Drops these files, all that was chosen for them and their draft. Kept tasks stay.")


def _uploaders() -> None:
    number = st.session_state.setdefault(_ROUND, 0)
    slots = st.columns(2)
    for (split, label), slot in zip(_SPLITS.items(), slots, strict=True):
        slot.file_uploader(label, list(uploads.OF_TABLES), key=f"own_file_{split}_{number}", on_change=_take,
                           args=(number,), max_upload_size=uploads.MOST_BYTES // 10**6, help=HELP)


def _take(number: int) -> None:
    """Callback: takes the files that are there, or says what is wrong with them; what was there before stays."""
    sent: dict[str, Any] = {split: st.session_state.get(f"own_file_{split}_{number}") for split in _SPLITS}
    sent = {split: one for split, one in sent.items() if one is not None}
    st.session_state[_WRONG] = ""
    try:
        services.store()  # if it is gone, its folder must not come back with only these files
        with st.spinner("Reading the table, and finding out what each column is …"):
            chosen.take(sent)
            suit(chosen.some_texts())
    except ComptError as error:
        st.session_state[_WRONG] = str(error)


def _start_again() -> None:
    chosen.drop()
    st.query_params.pop(names.DRAFT, None)
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1  # empties the uploaders
    st.session_state[_WRONG] = ""


def _outcome(given: Upload, draft: drafting.Draft, problems: Mapping[str, str], by: By) -> None:
    """The name, the button that keeps the task, and what the model makes of it."""
    st.header("Your task", anchor=False)
    if chosen.edits():
        st.caption(f"You are changing the kept task {captions.literal(chosen.edits())}.")
    st.text_input("Name", key=chosen.key("name"), max_chars=40, persist_state="session", placeholder="questions",
                  disabled=bool(chosen.edits()), help=f"In tables and on the command line: {NAME_SAID}.")
    columns.problem(problems, "name")
    others = [name for name in problems if name != "name"]
    task, data, wrong = None, None, ""
    if not others:
        try:
            task = drafting.made(replace(draft, name=draft.name if "name" not in problems else "task"), given.folder)
            with st.spinner("Reading the rows …"):
                data = given.rows(task)
        except ComptError as error:
            wrong = str(error)
    ready = task is not None and data is not None and not problems
    st.button("Keep this task", icon=":material/save:", type="primary", key="keep", disabled=not ready,
              on_click=_keep, args=(given, task),
              help="Stores it in this dashboard's home folder. Then it can be trained on, here and from the command "
                   "line." if ready else "Correct what is marked in red first.")
    runs = keeping.used_by(chosen.edits()) if chosen.edits() else 0
    if runs:
        st.caption(f"{captions.plural(runs, 'stored run')} used the task as it was: scores stay, but sentences that "
                   "pages read again may differ.")
    if others:
        st.caption("Examples appear here once the columns are chosen.")
    if wrong:
        st.markdown(f":red[:material/error: {captions.literal(wrong)}]")
    if data is not None:
        _read(given, data, by)


def _read(given: Upload, data: TaskData, by: By) -> None:
    """How many rows there are, what the model makes of them, and what is doubtful."""
    left = f", {captions.plural(sum(data.skipped.values()), 'row')} left out" if sum(data.skipped.values()) else ""
    st.markdown(f"**{len(data.train):,}** training rows, **{len(data.dev):,}** dev rows{left}.")
    st.markdown("**As the model will read it**")
    shown.examples(data, by)
    st.markdown("**What is doubtful**")
    shown.doubtful(list(map(given.said, shown.doubts_of(data, by))))


def _keep(given: Upload, task: Task | None) -> None:
    """Callback: stores the task and opens it, or says why not; then everything is still there."""
    if task is None:
        return
    try:
        services.store()
        kept = keeping.keep(task, given.contents(), replaces=chosen.edits() == task.name)
    except ComptError as error:
        state.complain(error)
        return
    _start_again()
    st.query_params.from_dict({TASK: kept.name, names.MODE: names.KNOWN})
    state.tell(f"The task '{kept.name}' is kept. “Use it” opens Launch with it.")
