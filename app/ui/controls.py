"""Controls that choose what a page shows, each kept in its link, and heatmaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pandas as pd
import streamlit as st

from app.show import charts
from app.ui import state
from app.ui.state import Name


def choice(name: Name, label: str, options: Sequence[str], help_text: str, shown: bool = True,
           names: Mapping[str, str] | None = None) -> str:
    """One control of a view: `options` are the ids that its link carries, `name` its key and the link's."""
    chosen = state.open_choice(name, options)
    if shown:
        st.session_state[name] = chosen  # the URL decides, not what the widget remembers
        shown_as = (lambda option: names.get(option, option)) if names else str
        st.segmented_control(label, options, required=True, key=name, format_func=shown_as, help=help_text,
                             on_change=state.go_to_choice, args=(name, options[0]))
    return chosen


def pick(name: Name, label: str, options: Sequence[str], help_text: str, names: Mapping[str, str] = MappingProxyType({})
         ) -> str:
    """As :func:`choice`, as a list to open: for many options."""
    chosen = state.open_choice(name, options)
    st.session_state[name] = chosen
    st.selectbox(label, options, key=name, format_func=lambda option: names.get(option, option), help=help_text,
                 on_change=state.go_to_choice, args=(name, options[0]))
    return chosen


def several(name: Name, label: str, options: Sequence[str], help_text: str) -> list[str]:
    """Any of `options`, at least one; all of them at first."""
    chosen = state.open_several(name, options)
    if len(options) > 1:
        st.session_state[name] = chosen
        st.pills(label, options, key=name, selection_mode="multi", help=help_text, on_change=state.go_to_several,
                 args=(name, options))
    return chosen


def slider(name: Name, label: str, options: Sequence[str], help_text: str) -> str:
    """A control over ordered options, the last of which is what a link without it shows."""
    chosen = state.open_choice(name, options[::-1])
    if len(options) > 1:
        st.session_state[name] = chosen
        st.select_slider(label, options, key=name, help=help_text, on_change=state.go_to_choice,
                         args=(name, options[-1]))
    return chosen


def heatmap(cells: pd.DataFrame, scale: charts.Scale, alt: str, key: str, title: str = "") -> None:
    """A heatmap, in panels that leave room for its numbers; `alt` says the take-away."""
    if cells.empty:
        st.info("There is nothing to compare here: no seed with which both methods have completed.")
        return
    ends = charts.limits(cells, scale)
    for number, panel in enumerate(charts.panels(cells)):
        st.plotly_chart(charts.heatmap(panel, scale, title, ends), width="stretch", key=f"{key}-{number}",
                        config=charts.PLOTLY_CONFIG, alt=alt or title)
