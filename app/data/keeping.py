"""Kept tasks: used on Launch, taken along as a zip, deleted where no run needs them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import streamlit as st

from app.show import captions
from app.ui import components, drafts, services, state, uploads
from compt_core.errors import ComptError, DataError
from compt_core.tasks import own
from compt_core.tasks.definition import FILE, written
from compt_core.tasks.spec import KEPT, Task

MOST_EXPERIMENTS = 10_000  # that are looked through for a task


def is_kept(task: Task) -> bool:
    """Whether a task is one of those in the home."""
    return task.name in own.kept()


def keep(task: Task, files: Mapping[str, bytes], replaces: bool) -> Task:
    """Keeps a task with its files, where there is room for all tasks. Raises DataError."""
    folder = own.tasks_folder()
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
    if there + sum(map(len, files.values())) > uploads.MOST_IN_ALL:
        raise DataError(f"The kept tasks fill their {uploads.MOST_IN_ALL // 10**6} MB. Delete one that is not needed.")
    return own.keep(task, files, replaces=replaces)


def contents(task: Task) -> dict[str, bytes]:
    """The data files of a kept task by name. Raises DataError."""
    if task.files is None or task.files.folder != KEPT:
        return {}
    try:
        return {name: (own.folder_of(task) / name).read_bytes() for name in task.files.names}
    except OSError as error:
        raise DataError(f"The files of task '{task.name}' cannot be read: {error.strerror}.") from None


def packed(task: Task) -> bytes:
    """A kept task as a zip: its definition and its data files, which the command line takes with --task."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {FILE: written(task).encode(), **contents(task)}.items():
            archive.writestr(f"{task.name}/{name}", data)
    return made.getvalue()


def used_by(name: str) -> int:
    """How many stored runs are on a task."""
    return sum(sum(one.states.values()) for one in services.store().experiments(limit=MOST_EXPERIMENTS)
               if name in one.config["tasks"])


def use(task: Task, backbone: str, data_dir: str | None = None) -> None:
    """A button that opens Launch with the task, and one that adds it to the tasks there."""
    there = st.session_state.get(drafts.key("tasks"))
    if st.button("Use it", icon=":material/rocket_launch:", type="primary", key="use",
                 help="Opens Launch with this task chosen. Nothing is queued yet."):
        _open([task.name], backbone, data_dir)
    if there and task.name not in there and st.button(
            f"Add to {captions.plural(len(there), 'task')} on Launch", icon=":material/add:", key="add",
            help="Opens Launch with this task beside those that are chosen there."):
        _open([*there, task.name], backbone, data_dir)


def _open(tasks: list[str], backbone: str, data_dir: str | None) -> None:
    """Launch with these tasks. A draft that is there keeps its other settings; without one, a link makes it."""
    given = {"tasks": tasks, "backbone": backbone, **({"data_dir": data_dir} if data_dir else {})}
    if drafts.key("tasks") in st.session_state:
        for name, value in given.items():
            st.session_state[drafts.key(name)] = value
        st.switch_page(components.page("launch"))
    st.switch_page(components.page("launch"), query_params={**given, "tasks": ",".join(tasks)})


def download(task: Task) -> None:
    """The task as a file to take along."""
    try:
        data = packed(task)
    except DataError as error:
        st.caption(captions.literal(error))
        return
    st.download_button("Download", data, f"{task.name}.zip", "application/zip", icon=":material/download:",
                       key="task_zip", on_click="ignore",
                       help="The definition (task.yaml) and the data files. Unpacked, they go with run --task.")


def delete(task: Task) -> None:
    """A popover that deletes a kept task, after a second click where runs need it."""
    with st.popover("Delete …", icon=":material/delete:"):
        runs = used_by(task.name)
        if runs:
            st.markdown(f"{captions.plural(runs, 'stored run')} {'is' if runs == 1 else 'are'} on this task. Without "
                        "it they keep their scores and curves, but their sentences and What-if are gone, and those "
                        "that wait will fail.")
        sure = st.checkbox("Delete it nevertheless" if runs else "I want to delete it", key=f"sure-{task.name}",
                           help="What is deleted cannot be brought back.")
        st.button("Delete it for ever", key="delete_task", disabled=not sure, on_click=_delete, args=(task.name,))


def _delete(name: str) -> None:
    try:
        own.forget(name)
    except (ComptError, OSError) as error:
        state.complain(error)
        return
    st.query_params.clear()
    state.tell(f"The task '{name}' is deleted.")
