"""Uploading your own data for a task: its columns, two files, and a sentence on what is wrong with them."""

from __future__ import annotations

import streamlit as st

from app.show import captions
from app.ui import services, uploads
from compt_core.errors import DataError, StoreError
from compt_core.tasks.spec import Task, TaskData
from compt_core.tasks.table import TASKS

_TASK, _SAID = "upload.task", "upload_said"
MOST_LABELS = 6  # named in a sentence
HELP = ("You bring the rows for a task of GLUE or SET2, which keeps its columns, labels and metrics. A task with other "
        "columns or labels must first be added to ComPT Lab's own table (README). The files are kept in this "
        "dashboard's home folder, for everybody who has a link to them.")


def box(tasks_key: str, data_key: str) -> None:
    """The uploader; the session holds the chosen tasks and the data folder under the two keys."""
    opened = st.expander("Your own data", icon=":material/upload_file:", key="own_data", on_change="rerun")
    if not opened.open:
        return
    with opened:
        own = [name for name in st.session_state[tasks_key] if name in uploads.upload_tasks()]
        task = TASKS[st.selectbox("Rows for the task", list(dict.fromkeys([*own, *uploads.upload_tasks()])), key=_TASK,
                                  help=HELP)]
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
        st.button("Use these files", icon=":material/check:", key="upload", disabled=not both, on_click=_take,
                  args=(task.name, tasks_key, data_key),
                  help="Reads and keeps both files, and sets the data folder to them." if both else
                  "Choose both files first.")
        if said := st.session_state.get(_SAID, {}).get(task.name):
            st.markdown(said)


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


def _take(name: str, tasks_key: str, data_key: str) -> None:
    """Callback: keeps the files and sets the data folder, or says what is wrong with them."""
    try:
        services.store()  # if it is gone, its folder must not come back with only these files
        sent = {split: st.session_state[_file(name, split)] for split in uploads.SPLITS}
        files = {split: uploads.checked(file.name, file.getvalue()) for split, file in sent.items() if file}
        folder, rows = uploads.keep(TASKS[name], files, st.session_state[data_key])
    except (DataError, StoreError) as error:
        st.session_state[_SAID] = {name: f":red[:material/error: {captions.literal(error)}]"}
        return
    st.session_state[data_key] = str(folder)
    st.session_state[tasks_key] = list(dict.fromkeys([*st.session_state[tasks_key], name]))
    st.session_state[_SAID] = {name: f":material/check: {captions.literal(kept(rows))}"}


def kept(rows: TaskData) -> str:
    """What was read from the files, what was left out, and what is odd in them."""
    skipped = sum(rows.skipped.values())
    left = [captions.plural(skipped, "row") + " without a label"] if skipped else []
    left += [captions.plural(rows.overlap, "training row") + " that are also dev rows"] if rows.overlap else []
    return " ".join([
        f"{captions.plural(len(rows.train), 'training row')} and {captions.plural(len(rows.dev), 'dev row')} of "
        f"{rows.task.name} are kept. The data folder above is set to them.",
        *([f"Left out: {captions.listed(left)}."] if left else []), *rows.notes])
