"""The Learn page: the tour's steps, one at a time, and its presenter mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.learn import board as tour_board
from app.learn import mixing as tour_mixing
from app.learn import runs as tour_runs
from app.learn import steps as tour_steps
from app.learn.board import Board
from app.learn.names import CONTROLS, PRESENT, STEP
from app.learn.runs import Grid
from app.learn.terms import TERMS
from app.ui import components, services
from app.ui.components import ROOT


@dataclass(frozen=True)
class Step:
    """One idea: its short name in the list, its headline, the terms it uses, and the function that draws it."""

    name: str
    headline: str
    terms: tuple[str, ...]
    draw: Callable[[Board, Grid], None] | None = None  # needs finished runs
    always: Callable[[Board, Grid | None], None] | None = None  # does not


STEPS = {
    "prompt": Step("Soft prompt", "A few vectors steer a frozen model", (
        "soft prompt", "backbone", "PT", "shots", "seed", "dev rows", "label words", "majority", "no prompt",
        "95% t-interval"), tour_steps.prompt),
    "sharing": Step("Sharing", "Who gains from sharing, and who loses?", (
        "PT", "MST", "ComPT", "SPP", "SCP", "shots", "seed", "95% t-interval"), tour_steps.sharing),
    "attention": Step("Attention", "Which sources does a task mix?", (
        "ComPT", "source prompt", "attention", "logit", "normaliser"), always=tour_mixing.attention),
    "learned": Step("As learned", "What attention learned in a real run", (
        "SPP", "attention", "source prompt", "normaliser", "entropy", "optimizer step", "shots", "seed"),
        tour_mixing.learned),
    "gates": Step("Gates", "Own prompt or shared prompt: how much of each?", (
        "SPP", "gates", "private prompt", "source prompt", "private share", "prompt length and direction"),
        tour_mixing.gates),
    "shots": Step("Few shots", "How few rows are enough for a method?", (
        "shots", "PT", "MST", "SPP", "SCP", "majority", "no prompt", "95% t-interval"), tour_steps.few_shots),
    "next": Step("What next", "Now ask your own question", ("PT", "SPP", "attention", "shots", "seed"),
                 always=tour_steps.what_next),
}
_REMEMBERED = "remembered_tour"


def view() -> None:
    """The step under ``?tour=``. Raises StoreError for a link to a step or value that does not exist."""
    names = list(STEPS)
    chosen = tour_board.word(STEP, names, st.session_state.get(_REMEMBERED, names[0]))
    st.session_state[_REMEMBERED] = chosen  # visiting another page does not lose the place
    presenting = tour_board.word(PRESENT, ["1"], "") == "1"
    board = Board(shown=tour_board.word(CONTROLS, ["off"], "on") == "on", large=presenting)
    step = STEPS[chosen]
    if presenting:
        st.html(ROOT / "assets" / "presenter.css")
        st.title(step.headline, anchor=False)
        links = None
        with st.container(horizontal=True, vertical_alignment="center"):
            _buttons(names, chosen)
            _leave()
    else:
        components.header("Learn", *step.terms, own=TERMS)
        links = _list(names, chosen)
        st.header(f"{names.index(chosen) + 1}. {step.headline}", anchor=False)
    grid = tour_runs.opened(services.store())
    if grid is not None and grid.scores.empty:
        grid = None
    _draw(step, board, grid)
    if grid is not None and step.draw:
        components.provenance(grid.experiment)
    if links is not None:
        with links:
            _present(chosen, board, grid)


def _draw(step: Step, board: Board, grid: Grid | None) -> None:
    if step.always:
        step.always(board, grid)
    elif step.draw and grid is not None:
        step.draw(board, grid)
    else:
        components.empty_state("This step needs finished runs", "It explains its idea with trained runs, and there are "
                               "none here yet. You can start the demo on the Home page without any choices.", "home",
                               "launch")


def _list(names: list[str], chosen: str) -> DeltaGenerator:
    """Previous and Next, the steps by name, and a container for presenter mode's links (returned)."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state["tour_steps"] = chosen
        st.segmented_control("Steps of the tour", names, key="tour_steps", required=True,
                             format_func=lambda name: f"{names.index(name) + 1} {STEPS[name].name}",
                             label_visibility="collapsed", on_change=_to_listed)
        _buttons(names, chosen)
        return st.container(width="content")


def _to_listed() -> None:
    tour_board.go(STEP, st.session_state["tour_steps"])


def _buttons(names: list[str], chosen: str) -> None:
    at = names.index(chosen)
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        for text, icon, key, to in (("Previous", "arrow_back", "Left", at - 1),
                                    ("Next", "arrow_forward", "Right", at + 1)):
            there = 0 <= to < len(names)
            st.button(text, icon=f":material/{icon}:", key=f"tour_{text.lower()}", shortcut=key, disabled=not there,
                      type="primary" if text == "Next" and there else "secondary", on_click=tour_board.go,
                      args=(STEP, names[to] if there else chosen),
                      help=f"{STEPS[names[to]].name}; the {key.lower()} arrow key does the same." if there else None)


def _present(chosen: str, board: Board, grid: Grid | None) -> None:
    """How to present this step: right away, or by a link with the values of its widgets."""
    identity = grid.experiment.id if grid else None
    with st.popover("Present", icon=":material/co_present:"):
        st.button("Presenter mode", icon=":material/fullscreen:", key="tour_present", on_click=tour_board.go,
                  args=(PRESENT, "1"), help="Shows only the step, in large type. Escape brings everything back.")
        st.markdown("**A link to this step as it is now**, with its widgets")
        st.code(tour_board.link(chosen, identity, board.values, controls=True), language=None, wrap_lines=True)
        st.markdown("**The same with its widgets hidden**; their values still apply")
        st.code(tour_board.link(chosen, identity, board.values, controls=False), language=None, wrap_lines=True)
    if not board.shown:
        st.button("Show the widgets", icon=":material/tune:", key="tour_widgets", on_click=tour_board.go,
                  args=(CONTROLS, None), help="This link hides the widgets.")


def _leave() -> None:
    """The button that leaves presenter mode."""
    st.button("Leave presenter mode", icon=":material/close_fullscreen:", key="tour_leave", shortcut="Escape",
              type="tertiary", on_click=tour_board.reset, args=(PRESENT, CONTROLS),
              help="Brings back the menu, the list of steps and the widgets; the Escape key does the same.")


