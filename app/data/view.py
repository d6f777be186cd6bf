"""The page Data: one known task explained, a task of one's own, or rows for a public one."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.data import bring, by, chosen, keeping, names, rows, shown
from app.data.by import By
from app.show import captions
from app.ui import drafts, services, state
from app.ui.names import TASK
from app.ui.state import Name
from compt_core.errors import ComptError, nearest, quoted
from compt_core.tasks import own
from compt_core.tasks.spec import OWN, Task

_DEMO = "bundled: the made-up language of the demo"
_WHERE = {"demo": _DEMO, "demo-glue": _DEMO, "demo-more": _DEMO,
          "glue": "public: GLUE", "set2": "public: the paper's second set", "english": "public", OWN: "kept here"}


def view() -> None:
    """What of the page to see, and that."""
    services.store()  # where the home is gone, nothing can be kept in it
    reads = by.chosen()
    problems = list[str]()
    known = own.known(problems)
    mode = _choice(names.MODE, {one: f"“{text}”" for one, text in names.MODES.items()}, names.KNOWN)
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.session_state["data.mode"] = mode  # the address decides
        st.segmented_control("What to do", list(names.MODES), key="data.mode", required=True, wrap=True,
                             format_func=names.MODES.__getitem__, on_change=_go, args=(names.MODE, "data.mode"),
                             label_visibility="collapsed")
        by.picker()
    for problem in problems:
        st.warning(captions.literal(problem), icon=":material/error:")
    if mode == names.OWN:
        bring.view(reads)
    elif mode == names.ROWS:
        rows.view(reads)
    else:
        _known(known, reads)


def _known(known: Mapping[str, Task], reads: By) -> None:
    """A task, chosen by the address or the list."""
    name = _choice(TASK, {one: f"the task {quoted(one)}" for one in known},
                   next(iter(own.kept()), next(iter(known))))
    task = known[name]
    st.session_state["data.task"] = name
    st.selectbox(f"Task ({len(known)} are known here)", list(known), key="data.task", on_change=_go,
                 args=(TASK, "data.task"), format_func=lambda one: _line(known[one]) if one in known else one)
    data, why = shown.rows_here(task, [st.session_state.get(one) for one in (rows.FOLDER, drafts.key("data_dir"))])
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.header(captions.literal(task.title or task.name), anchor=False)
        st.caption(f"{captions.literal(task.family)} · {_WHERE.get(task.suite, captions.literal(task.suite))}")
        if task.description:
            st.markdown(f"**What makes an answer right.** {captions.literal(task.description)}")
        shown.facts(task, data)
        with st.container(horizontal=True):
            keeping.use(task, reads.ref)
            if keeping.is_kept(task):
                _own_buttons(task)
    with right:
        st.header("As the model reads it", anchor=False)
        if data is None:
            st.markdown(why)
            shown.schema(task, reads)
        else:
            shown.examples(data, reads)
        shown.labels(task, data, reads)
        if data is not None:
            st.markdown("**What is doubtful**")
            shown.doubtful(shown.doubts_of(data, reads))


def _own_buttons(task: Task) -> None:
    """What can be done with a kept task alone."""
    if task.files and task.files.train:
        st.button("Edit", icon=":material/edit:", key="edit", on_click=_edit, args=(task,),
                  help="Opens it with its columns and words, to be changed and kept again.")
    keeping.download(task)
    keeping.delete(task)


def _edit(task: Task) -> None:
    try:
        with st.spinner("Opening the task …"):
            chosen.edit(task, keeping.contents(task))
    except ComptError as error:
        state.complain(error)
        return
    st.query_params.from_dict({names.MODE: names.OWN})


def _line(task: Task) -> str:
    title = f"{task.title} · " if task.title else ""
    return f"{task.name} · {title}{task.suite}, {task.family}"


def _choice(name: Name, allowed: Mapping[str, str], first: str) -> str:
    """The value in the address, else what was looked at last here, else the first; a wrong one is said. `allowed` has
    the words for each value."""
    wanted = str(st.query_params.get(name, st.session_state.get(f"data_last_{name}", first)))
    if wanted not in allowed:
        if name in st.query_params:
            st.warning(captions.literal(f"This link names the {name.words} {quoted(wanted)}, which there is not. "
                                        f"You see {allowed[first]}.{nearest(wanted, list(allowed))}"),
                       icon=":material/link_off:")
        wanted = first
    st.session_state[f"data_last_{name}"] = wanted
    st.query_params[name] = wanted
    return wanted


def _go(name: Name, key: str) -> None:
    """Callback of a control whose choice belongs into the address."""
    st.query_params[name] = st.session_state[key]
