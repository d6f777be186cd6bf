"""Buttons that choose a whole suite or family of tasks in one click, next to the list of single tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import streamlit as st

from compt_core.tasks import own
from compt_core.tasks.spec import OWN
from compt_core.tasks.table import SUITES

ALL = "all"


def groups(suite: str) -> dict[str, tuple[str, ...]]:
    """The tasks of a suite by family, and all of them under ALL."""
    known, members = own.known(), suites()[suite]
    found: dict[str, tuple[str, ...]] = {ALL: members}
    for name in members:
        if known[name].family != ALL:  # a kept task's family may have any name
            found[known[name].family] = (*found.get(known[name].family, ()), name)
    return found


def suites() -> dict[str, tuple[str, ...]]:
    """The bundled suites and, where there are any, the tasks that are kept here."""
    kept = tuple(own.kept())
    return {**SUITES, OWN: kept} if kept else SUITES


def whole(suite: str, tasks: Collection[str]) -> list[str]:
    """The groups of a suite whose tasks are all among `tasks`."""
    return [name for name, members in groups(suite).items() if set(members) <= set(tasks)]


def changed(suite: str, tasks: Sequence[str], wanted: Collection[str]) -> list[str]:
    """`tasks` after a click that leaves `wanted` as the chosen groups of a suite. New tasks come last, in its order."""
    before, members = whole(suite, tasks), groups(suite)
    gone = {task for name in before if name not in wanted for task in members[name]}
    new = [task for name in members if name in wanted and name not in before for task in members[name]]
    return list(dict.fromkeys([*(task for task in tasks if task not in gone), *new]))


def pickers(key: str) -> None:
    """A row of buttons per suite. The session holds the chosen tasks under `key`."""
    for suite in suites():
        name, sizes = f"families.{suite}", {group: len(members) for group, members in groups(suite).items()}
        st.session_state[name] = whole(suite, st.session_state[key])  # the list decides, not what the buttons remember
        note = "kept here" if suite == OWN else "bundled" if suite.startswith("demo") else "needs data"
        st.pills(f"{suite} ({note})", list(sizes), key=name, selection_mode="multi", wrap=True,
                 format_func=partial(_size, sizes), on_change=_click, args=(suite, key),
                 persist_state="session",  # a click that arrives after the page was left still finds it
                 help="A click adds all tasks of a family, or removes them again.")


def _size(sizes: Mapping[str, int], group: str) -> str:
    return f"{group} {sizes[group]}"


def _click(suite: str, key: str) -> None:
    if suite in suites():  # the last kept task may have gone meanwhile
        st.session_state[key] = changed(suite, st.session_state[key], st.session_state[f"families.{suite}"] or [])
