"""Rows for a task of GLUE, SET2 or english: its columns, two files, and a sentence on what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app.data import keeping
from app.data.by import By
from app.show import captions
from app.ui import drafts, services, uploads
from compt_core.errors import DataError, StoreError
from compt_core.tasks.spec import Task, TaskData
from compt_core.tasks.table import TASKS

TASK, FOLDER, _SAID = "upload.task", "upload.folder", "upload_said"
MOST_LABELS = 6  # named in a sentence
HELP = ("You bring the rows; the task keeps its columns, labels and metrics. The files are kept in this dashboard's "
        "home folder, for everybody who has a link to them.")


@dataclass(frozen=True)
class Said:
    """What came of an upload: a sentence, and the data folder ("" where it was refused)."""

    text: str
    folder: str = ""


def view(by: By) -> None:
    """The uploader, and the way on to Launch once the files are kept."""
    task = TASKS[st.selectbox("Rows for the task", uploads.upload_tasks(), key=TASK, persist_state="session",
                              help=HELP)]
    if task.description:
        st.markdown(captions.literal(task.description))
    st.markdown(columns(task))
    st.download_button("Template", uploads.template(task), f"{task.name}.csv", "text/csv",
                       icon=":material/download:", key="upload_template", on_click="ignore",
                       help="A CSV file with these columns and an example of each label, to fill in.")
    names = {"train": "Training rows", "dev": "Dev rows (to score on)"}
    for split, slot in zip(uploads.SPLITS, st.columns(2), strict=True):
        slot.file_uploader(names[split], list(uploads.ENDINGS), key=_file(task.name, split),
                           max_upload_size=uploads.MOST_BYTES // 10**6,
                           help="UTF-8 text: .tsv (tabs, no quotes), .csv or .jsonl (one object per line).")
    both = all(st.session_state.get(_file(task.name, split)) for split in uploads.SPLITS)
    st.button("Keep these files", icon=":material/check:", key="upload", disabled=not both, on_click=_take,
              args=(task.name,), help="Reads and keeps both files as a data folder." if both else
              "Choose both files first.")
    said: Said | None = st.session_state.get(_SAID, {}).get(task.name)
    if said and not said.folder:
        st.markdown(f":red[:material/error: {captions.literal(said.text)}]")
    elif said:
        st.markdown(f":material/check: {captions.literal(said.text)}")
        with st.container(horizontal=True):
            keeping.use(task, by.ref, said.folder)


def columns(task: Task) -> str:
    """Which columns and labels the files of a task must have; Markdown."""
    names = captions.listed([f"`{name}`" for name in (*task.columns, task.label_column)])
    if task.numeric:
        labels = f"a number from {task.labels[0]} to {task.labels[-1]}"
    else:
        words = " or ".join(f"`{word}`" for word in task.labels[:MOST_LABELS])
        labels = f"{words}, or its number, 0 to {len(task.labels) - 1}"
    return (f"The columns are {names}. `{task.label_column}` is {labels}. A row with −1 has no label and is "
            "skipped.")


def _file(task: str, split: str) -> str:
    return f"upload.{task}.{split}"


def _take(name: str) -> None:
    """Callback: keeps the files, or says what is wrong with them."""
    earlier = st.session_state.get(FOLDER) or st.session_state.get(drafts.key("data_dir"))
    try:
        services.store()  # if it is gone, its folder must not come back with only these files
        sent = {split: st.session_state[_file(name, split)] for split in uploads.SPLITS}
        files = {split: uploads.checked(file.name, file.getvalue()) for split, file in sent.items() if file}
        with st.spinner("Reading both files …"):
            folder, rows = uploads.keep(TASKS[name], files, earlier)
    except (DataError, StoreError) as error:
        st.session_state[_SAID] = {name: Said(str(error))}
        return
    st.session_state[FOLDER] = str(folder)
    st.session_state[_SAID] = {name: Said(kept(rows), str(folder))}


def kept(rows: TaskData) -> str:
    """What was read from the files, what was left out, and what is odd in them."""
    skipped = sum(rows.skipped.values())
    left = [captions.plural(skipped, "row") + " without a label"] if skipped else []
    left += [captions.plural(rows.overlap, "training row") + " that are also dev rows"] if rows.overlap else []
    return " ".join([
        f"{captions.plural(len(rows.train), 'training row')} and {captions.plural(len(rows.dev), 'dev row')} of "
        f"{rows.task.name} are kept. “Use it” sets the data folder on Launch to them.",
        *([f"Left out: {captions.listed(left)}."] if left else []), *rows.notes])
