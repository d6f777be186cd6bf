"""The button that has one step of a launch measured where no speed is known, and what is said meanwhile."""

from __future__ import annotations

import streamlit as st

from app.launch import summary
from app.show.captions import literal
from app.ui import services
from compt_core.planning.check import LaunchCheck
from compt_core.planning.estimate import Estimate

SECONDS = 1.0  # between two looks at a measurement
_ASKED = "measured_settings"  # session key: the settings that the visitor had measured, as YAML
HELP = ("Loads the backbone here, in the background, and takes one training step and one scoring pass of the largest "
        "fleet. It queues nothing and keeps nothing but the speed. While another run trains, it waits.")


def asked(settings: str) -> bool:
    """Whether the visitor has had these settings measured: then their check stays on the page."""
    return st.session_state.get(_ASKED) == settings


def box(checked: LaunchCheck, settings: str, time: Estimate | None) -> None:
    """The button, or how far the measurement is; nothing where a speed is known or another process trains."""
    found = services.measurement(checked)
    if found is not None and not found.ended:
        st.fragment(_tick, run_every=SECONDS)(checked)
        return
    if found is not None and found.problem and asked(settings):
        st.error(f"The step could not be measured. {literal(found.problem)}")
    if time is not None:
        return
    if services.trains_here():
        st.button("Measure one step", icon=":material/speed:", key="measure", help=HELP, on_click=_ask,
                  args=(checked, settings))
    else:
        st.caption("To know the time before launching, add `--measure` to the command below on the machine that "
                   "trains.")


def _ask(checked: LaunchCheck, settings: str) -> None:
    st.session_state[_ASKED] = settings
    services.measure(checked)


def _tick(checked: LaunchCheck) -> None:
    """What the measurement is doing; once it has ended, the whole page is drawn with its estimate."""
    found = services.measurement(checked)
    if found is None or found.ended:
        st.rerun()
    st.markdown(f":material/speed: {summary.standing(found, services.store().running())}")
