"""What a person can do with the runs of an experiment: pause, resume, cancel, run again, delete, move forward.

Not in the live fragment: a tick must not eat a click. Every click is safe from any state, for the store
decides what it means by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.show import captions
from app.ui import services, state
from compt_core.errors import Damaged, StoreError, UnknownId
from compt_core.runs.record import ACTIVE, ExperimentRecord, RunRecord, State

_DELETIONS = "deletions"
_SHOWN = 5  # rows that cannot be read
WAITING = frozenset({State.PAUSED, State.INTERRUPTED})


@dataclass(frozen=True)
class Action:
    """A button: what it says (of how many runs), the states from which it does something, and what that is."""

    label: str
    icon: str
    states: frozenset[State]
    help: str


ACTIONS = {
    "pause": Action("Pause {}", "pause", ACTIVE, "Stops at the next step; Resume goes on from there."),
    "resume": Action("Resume {}", "play_arrow", WAITING, "Goes on where it was, as if it had never stopped."),
    "cancel": Action("Cancel {}", "cancel", ACTIVE | WAITING, "Stops for good; curves and log are kept."),
    "retry": Action("Run {} again", "replay", frozenset({State.FAILED, State.CANCELLED}),
                    "The same settings once more: a failed run from its last checkpoint, a cancelled one "
                    "from the start."),
    "delete": Action("Delete {} for ever", "delete", frozenset(State), "Removes settings, curves, log and prompts."),
}


def bar(experiment: ExperimentRecord) -> None:
    """The buttons for all runs at once, and a menu for the rest."""
    if not services.owns(experiment.owner):
        st.caption(captions.not_yours(experiment))
        return
    runs = services.store().runs(experiment.id)
    with st.container(horizontal=True):
        for name in ("resume", "pause"):
            _button(name, runs, f"{name}_all", count=True)
        with st.popover("Change runs …", icon=":material/tune:", key=f"change-{_round(experiment.id)}"):
            _menu(experiment, runs)
        waiting = [run.id for run in runs if run.state == State.QUEUED]  # not of `experiment`, which is older
        if waiting and _others_before(waiting[0]):
            st.button("To the front", icon=":material/vertical_align_top:", key="first", on_click=_first,
                      args=(experiment.id,), help="Trains this experiment before your others that wait.")


def together(owner: str, runs: Sequence[RunRecord]) -> None:
    """Pause, resume and run again, for the runs of several experiments of one owner."""
    if services.owns(owner):
        for name in ("resume", "pause", "retry"):
            _button(name, runs, f"{name}_together", count=True)


def resume(experiment: ExperimentRecord) -> None:
    """One click for an experiment whose runs were interrupted, by a crash say; nothing for any other."""
    if experiment.states.get(State.INTERRUPTED) and experiment.owner == services.owner():
        left = [run for run in services.store().runs(experiment.id) if run.state == State.INTERRUPTED]
        _button("resume", left, f"resume-{experiment.id}", count=True)


def damaged(found: Sequence[Damaged]) -> None:
    """What cannot be read, each with the way to delete it: nothing else can be done with it."""
    for one in found[:_SHOWN]:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f":red[:material/error:] {captions.literal(one)}", width="stretch")
            with st.popover("Delete …", icon=":material/delete:"):
                st.button("Delete it for ever", key=f"damaged-{one.noun}-{one.name}", on_click=_delete_damaged,
                          args=(one.noun, one.name), help=ACTIONS["delete"].help)
    if len(found) > _SHOWN:
        st.caption(f"And {len(found) - _SHOWN} more that cannot be read.")


def _delete_damaged(noun: str, name: str) -> None:
    try:
        store = services.store()
        (store.delete_experiment if noun == "experiment" else store.delete)(name)
    except StoreError as error:
        state.complain(error)
        return
    if noun == "experiment":
        state.forget()
    state.tell(f"The {noun} {name}, which could not be read, is deleted.")


def _menu(experiment: ExperimentRecord, runs: Sequence[RunRecord]) -> None:
    lines = {"all": captions.every(len(runs), "run"), **{run.id: captions.run_title(run) for run in runs}}
    which = st.selectbox("Which runs", list(lines), format_func=lambda name: lines.get(name, name),
                         key=f"which-{_round(experiment.id)}")
    chosen = [run for run in runs if which in ("all", run.id)]
    for name in ACTIONS:
        if name != "delete":
            _button(name, chosen, name, count=which == "all")
    sure = st.checkbox("I want to delete", key=f"sure-{_round(experiment.id)}",
                       help="What is deleted cannot be brought back.")
    if sure:
        _button("delete", chosen, "delete", count=which == "all")


def _round(experiment: str) -> str:
    """Part of the keys of the menu, another one after each deletion: it is closed then, and nothing in it chosen."""
    return f"{experiment}-{st.session_state.get(_DELETIONS, 0)}"


def _button(name: str, runs: Sequence[RunRecord], key: str, count: bool) -> None:
    """One action's button, where it would do something."""
    action = ACTIONS[name]
    those = [run.id for run in runs if run.state in action.states and not (name == "pause" and run.request)]
    if those:
        label = action.label.format(captions.plural(len(those), "run") if count else "it")
        st.button(label, icon=f":material/{action.icon}:", key=key, on_click=_act, args=(name, those),
                  type="primary" if name == "resume" else "secondary", help=action.help)


def _others_before(run: str) -> bool:
    try:
        return bool(services.store().position(run))
    except UnknownId:  # deleted in another window
        return False


def _act(name: str, runs: Sequence[str]) -> None:
    try:
        _change(name, runs)
    except StoreError as error:
        state.complain(error)


def _change(name: str, runs: Sequence[str]) -> None:
    store = services.store()
    own = [run for run in runs if services.owns(_owner(run))]  # it may be gone, or never have been a visitor's
    if not own:
        return
    changed = list(dict.fromkeys(store.run(run).experiment for run in own))
    if name in ("resume", "retry"):
        store.requeue(*own)
    elif name == "delete":
        for run in own:
            store.delete(run)
        experiment = changed[0]
        gone = _nothing_left(experiment)
        if gone:
            state.forget()  # the page shows the newest one instead of a dead link
        st.session_state[_DELETIONS] = st.session_state.get(_DELETIONS, 0) + 1
        training = sum(_owner(run) is not None for run in own)
        state.tell(captions.deleted(len(own), training, experiment if gone else None))
    elif name == "pause":
        store.request(own[0], "pause", *own[1:])
    else:
        store.request(own[0], "cancel", *own[1:])
    for experiment in changed:
        services.changed(experiment)


def _nothing_left(experiment: str) -> bool:
    """Whether an experiment is gone, or will be once its training has stopped."""
    try:
        runs, unread = services.store().read_runs(experiment)
    except UnknownId:
        return True
    return not unread and all(run.request == "delete" for run in runs)


def _owner(run: str) -> str | None:
    try:
        return services.store().run(run).owner
    except (UnknownId, Damaged):  # deleted in another window, or damaged meanwhile
        return None


def _first(experiment: str) -> None:
    try:
        services.store().first(experiment)
    except StoreError as error:
        state.complain(error)
