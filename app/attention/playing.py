"""Attention over training as a film: a button moves the step on by itself, until the end or until it is paused.

Only a fragment with the heatmap is redrawn. Each picture's step goes into the link, so the link is right wherever the
film stops. Then the whole page is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from app.attention.names import STEP
from app.ui import state

SECONDS = 0.5  # between two pictures
MOST = 25  # pictures of a film
_FILM = "film"  # in the session: the run that plays and the number of the next picture


def pictures(steps: Sequence[str], most: int = MOST) -> list[str]:
    """At most `most` of the steps, evenly spaced, with the first and the last."""
    if len(steps) <= most:
        return list(steps)
    return [steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most)]


def start(steps: Sequence[str], now: str) -> int:
    """The number of the first picture of a film that starts at step `now`: the next picture, or 0 at the end."""
    film, at = pictures(steps), list(steps).index(now)
    return next((number for number, step in enumerate(film) if steps.index(step) > at), 0)


def is_on(run: str) -> bool:
    """Whether this visitor's page plays the film of `run`."""
    return bool(st.session_state.get(_FILM, {}).get("run") == run)


def button(run: str, steps: Sequence[str], now: str) -> None:
    """Play, or pause while it plays."""
    on = is_on(run)
    st.button("Pause" if on else "Play", icon=f":material/{'pause' if on else 'play_arrow'}:", key="play",
              on_click=_turn, args=(run, steps, now), disabled=len(steps) < 2,
              help="Stops at this step." if on else "Shows the recorded steps up to the end, two per second.")


def _turn(run: str, steps: Sequence[str], now: str) -> None:
    if is_on(run):
        del st.session_state[_FILM]
    else:
        st.session_state[_FILM] = {"run": run, "next": start(steps, now)}


def show(run: str, steps: Sequence[str], draw: Callable[[str], None]) -> None:
    """Plays the film: `draw` gets the step of each picture once that step is in the link."""
    st.fragment(_picture, run_every=SECONDS)(run, steps, draw)


def _picture(run: str, steps: Sequence[str], draw: Callable[[str], None]) -> None:
    if not is_on(run):  # paused while this picture was on its way
        return
    film = pictures(steps)
    number = min(st.session_state[_FILM]["next"], len(film) - 1)
    state.choose({STEP: film[number]})
    draw(film[number])
    if number == len(film) - 1:
        del st.session_state[_FILM]
        st.rerun()  # draws the whole page, which then describes the last step
    st.session_state[_FILM] = {"run": run, "next": number + 1}
