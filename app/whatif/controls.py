"""The controls of an edit: each shows what the edit in the address says, and moving it writes a new address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from app.show import captions
from app.ui import controls
from app.ui.names import TASK
from app.whatif import editing, link
from compt_core.methods.table import METHODS
from compt_core.runs.record import RunRecord
from compt_core.whatif.edit import ALL, NORMALIZERS, TRAINED, UNIFORM, Edit
from compt_core.whatif.inside import edited
from compt_core.whatif.trained import Trained

NONE, BY_HAND = "none", "by hand"
EVERY = "all"  # in the address: all tasks


def scope(trained: Trained) -> str:
    """The task whose controls are shown, or ALL."""
    chosen = controls.pick(TASK, "Tasks to change", [EVERY, *trained.tasks],
                         "Change the attention, gates and private prompt of one task, or of all tasks at once.",
                         {EVERY: "all tasks"})
    return ALL if chosen == EVERY else chosen


def show(method: str, trained: Trained, edit: Edit, where: str, runs: Sequence[RunRecord]) -> None:
    """All controls of a run of `method` for `where` (a task or ALL). `runs` are the runs it can be blended with."""
    if trained.weights is not None:
        _attention(trained, edit, where, trained.weights)
    if trained.composed_of_two:
        _gates(trained, edit, where)
    if trained.private is not None and where != ALL and len(trained.tasks) > 1:
        _private(trained, edit, where)
    if trained.weights is None:
        left = "You can still give a task another task's prompt, or blend the run with another run." \
            if trained.private is not None else "You can still blend the run with another run."
        st.caption(f"{METHODS[method].lacks} {left}")
    _whole_run(trained, edit, runs)


def changes(edit: Edit) -> None:
    """What the edit changes, item by item, each with a button that undoes it."""
    found = editing.items(edit)
    if not found:
        st.markdown("Nothing is changed: this is the run as trained.")
        return
    for number, (words, without) in enumerate(found):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(words, width="stretch")
            st.button("Undo", icon=":material/undo:", key=f"undo-{number}", type="tertiary", on_click=link.put,
                      args=(without,), help=captions.plain([f"Undo this change: {words}"]))
    if len(found) > 1:
        st.button("Undo all", icon=":material/restart_alt:", key="undo-all", on_click=link.put, args=(Edit(),))


def _moved(key: str, make: Callable[[Any], Edit]) -> None:
    """A control's callback: puts the edit with its new value into the address."""
    link.put(make(st.session_state[key]))


def _on(key: str, value: Any, make: Callable[[Any], Edit]) -> dict[str, Any]:
    """Key and callback of a control that shows `value`, whatever it showed earlier."""
    st.session_state[key] = value
    return {"key": key, "on_change": partial(_moved, key, make)}


def _attention(trained: Trained, edit: Edit, where: str, weights: np.ndarray) -> None:
    sources = [f"s{s}" for s in range(weights.shape[1])]
    names = {TRAINED: "as trained", UNIFORM: "uniform", **{name: f"{name} alone" for name in sources},
             **{task: f"same as {task}" for task in trained.tasks}}
    row = edit.of("rows", where)
    options = [TRAINED, UNIFORM, *sources, *(task for task in trained.tasks if task != where)]
    shown = TRAINED if row in (None, where) else row if isinstance(row, str) and row in options else BY_HAND
    st.selectbox("Attention", options if shown != BY_HAND else [*options, shown],
                 format_func=lambda name: names.get(name, name),
                 help="The weights over sources: as trained, uniform, one source alone, or taken from another task.",
                 **_on(f"row-{where}", shown, partial(_row, edit, where)))
    muted = edit.mute.get(where, () if where == ALL else edit.mute.get(ALL, ()))
    st.pills("Mute sources", sources, selection_mode="multi", help="A muted source has weight 0.",
             **_on(f"mute-{where}", [f"s{s}" for s in muted], partial(_mute, edit, where)))
    if any(edit.mute.values()):
        st.checkbox("Scale up the rest", help="Scales the remaining weights so that their sum stays the same. "
                    "Without this, the shared part just loses the muted sources.",
                    **_on("renormalise", edit.renormalise, lambda chosen: replace(edit, renormalise=chosen)))
    if where != ALL:
        _by_hand(trained, edit, where)


def _row(edit: Edit, where: str, chosen: str) -> Edit:
    if chosen == BY_HAND:
        return edit
    needed = chosen != TRAINED or (where != ALL and ALL in edit.rows)
    return editing.put(edit, "rows", where, chosen if needed else None)


def _mute(edit: Edit, where: str, chosen: Sequence[str]) -> Edit:
    sources = tuple(sorted(int(name[1:]) for name in chosen))
    differs = bool(sources) or (where != ALL and bool(edit.mute.get(ALL)))
    return editing.put(edit, "mute", where, sources if differs else None)


def _by_hand(trained: Trained, edit: Edit, where: str) -> None:
    """A slider for each weight of one task, as it enters the composition."""
    inside = edited(trained, edit).weights
    assert inside is not None
    row = inside[trained.tasks.index(where)]
    muted = edit.of("mute", where) or ()
    with st.container(horizontal=True):
        for s, weight in enumerate(row.tolist()):
            st.slider(f"s{s}", 0.0, trained.largest_weight, step=0.01, width=130, disabled=s in muted,
                      help=f"Weight of source s{s}. The weights need not sum to 1.",
                      **_on(f"weight-{where}-{s}", min(trained.largest_weight, round(weight, 2)),
                              partial(_weight, edit, where, row, s)))


def _weight(edit: Edit, where: str, row: np.ndarray, source: int, value: float) -> Edit:
    moved = tuple(value if s == source else float(f"{one:.4g}") for s, one in enumerate(row.tolist()))
    return editing.put(edit, "rows", where, moved)


def _gates(trained: Trained, edit: Edit, where: str) -> None:
    inside = edited(trained, edit)
    with st.container(horizontal=True):
        for name, part, trained_gates, now in (("alpha", "private prompt", trained.alpha, inside.alpha),
                                               ("beta", "shared part", trained.beta, inside.beta)):
            one = slice(None) if where == ALL else slice(trained.tasks.index(where), trained.tasks.index(where) + 1)
            low, high = float(trained_gates[one].min()), float(trained_gates[one].max())
            said = f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}"
            st.slider(f"{name} ({part})", 0.0, max(1.0, float(np.ceil(max(high, float(now[one].max()))))), step=0.01,
                      width=240, help=f"As trained: {said}. {editing.acts(trained.form, name, part)}",
                      **_on(f"{name}-{where}", round(float(now[one].mean()), 2),
                            partial(_gate, edit, name, where)))


def _gate(edit: Edit, name: str, where: str, value: float) -> Edit:
    return editing.put(edit, name, where, value)


def _private(trained: Trained, edit: Edit, where: str) -> None:
    now = edit.of("private", where) or where
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Private prompt", [where, *(task for task in trained.tasks if task != where)],
                     format_func=lambda name: "its own" if name == where else f"from {name}", width="stretch",
                     help="Use another task's private prompt instead of this task's own. Everything else stays.",
                     **_on(f"private-{where}", now, partial(editing.private_of, edit, where)))
        if now != where:
            st.checkbox("Swap: each gets the other's", help=f"{now} also gets the private prompt of {where}.",
                        **_on(f"swap-{where}", edit.of("private", now) == where, partial(editing.swapped, edit, where)))


def _whole_run(trained: Trained, edit: Edit, runs: Sequence[RunRecord]) -> None:
    parts = "blend with another run" if trained.logits is None else "normaliser, blend with another run"
    box = st.expander(f"The whole run: {parts}", icon=":material/tune:", key="whole-run",
                      expanded=bool(edit.normalizer or edit.blend))
    with box:
        if trained.logits is not None:
            options = [TRAINED, *(name for name in NORMALIZERS if name != trained.normalizer)]
            st.selectbox("Normaliser", options, help="Turns the same learned logits into weights another way.",
                         format_func=lambda name: f"as trained ({trained.normalizer})" if name == TRAINED else name,
                         **_on("normalizer", edit.normalizer or TRAINED,
                               lambda chosen: replace(edit, normalizer=None if chosen == TRAINED else chosen)))
        _blend(edit, {run.id: captions.run_line(run) for run in runs})


def _blend(edit: Edit, lines: Mapping[str, str]) -> None:
    if not lines and not edit.blend:
        st.caption("No other run of this experiment has prompts of the same size, so there is none to blend with.")
        return
    run, share = edit.blend or (NONE, 0.5)
    options = [NONE, *lines] if run in (NONE, *lines) else [NONE, *lines, run]
    st.selectbox("Blend with", options, format_func=lambda name: lines.get(name, name),
                 help="Mixes the composed prompts of two runs along a straight line: 0 is this run, 1 is the other.",
                 **_on("blend", run, lambda chosen: replace(edit, blend=None if chosen == NONE else (chosen, share))))
    if edit.blend:
        st.slider("Share of the other run", 0.0, 1.0, step=0.05,
                  **_on("blend-share", share, lambda value: replace(edit, blend=(run, value) if value else None)))
