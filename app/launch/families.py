"""Whole suites and families of tasks by one click each, beside the list in which they are chosen one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import streamlit as st

from compt_core.tasks.table import SUITES, TASKS

ALL = "all"
_NOTES = {"demo": "bundled", "demo-glue": "bundled", "glue": "needs data", "set2": "needs data"}


def groups(suite: str) -> dict[str, tuple[str, ...]]:
    """The tasks of a suite by family, and all of them under ALL."""
    found: dict[str, tuple[str, ...]] = {ALL: SUITES[suite]}
    for name in SUITES[suite]:
        found[TASKS[name].family] = (*found.get(TASKS[name].family, ()), name)
    return found


def whole(suite: str, tasks: Collection[str]) -> list[str]:
    """The groups of a suite of which every task is among `tasks`."""
    return [name for name, members in groups(suite).items() if set(members) <= set(tasks)]


def changed(suite: str, tasks: Sequence[str], wanted: Collection[str]) -> list[str]:
    """`tasks` after a click that makes `wanted` the whole groups of a suite: new ones come last, in their order."""
    before, members = whole(suite, tasks), groups(suite)
    gone = {task for name in before if name not in wanted for task in members[name]}
    new = [task for name in members if name in wanted and name not in before for task in members[name]]
    return list(dict.fromkeys([*(task for task in tasks if task not in gone), *new]))


def pickers(key: str) -> None:
    """A row of buttons per suite over the chosen tasks, which the session holds under `key`."""
    for suite in SUITES:
        name, sizes = f"families.{suite}", {group: len(members) for group, members in groups(suite).items()}
        st.session_state[name] = whole(suite, st.session_state[key])  # the list decides, not what the buttons remember
        st.pills(f"{suite} ({_NOTES[suite]})", list(sizes), key=name, selection_mode="multi", wrap=True,
                 format_func=partial(_size, sizes), on_change=_click, args=(suite, key),
                 persist_state="session",  # a click that comes when the page has been left finds it still
                 help="A click adds all tasks of a family, or takes them out again.")


def _size(sizes: Mapping[str, int], group: str) -> str:
    return f"{group} {sizes[group]}"


def _click(suite: str, key: str) -> None:
    st.session_state[key] = changed(suite, st.session_state[key], st.session_state[f"families.{suite}"] or [])
