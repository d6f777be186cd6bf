"""Heatmaps whose cells can be clicked. The click becomes part of the link; the link alone says which cell is open.

Streamlit hears of clicks on points only, never on a Plotly heatmap: invisible markers lie over the cells. The
open cell has a frame, which makes the figure another one for Streamlit: so no click is ever taken for the end of
an earlier one, also when a list beside the figure chose a cell in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.show.charts import PLOTLY_CONFIG
from app.ui import state
from app.ui.state import Name

Cell = tuple[str, str]  # row, column, as in the columns of that name of frames.SUMMARY and weights.frame

Link = Callable[[str, str], Cell | None]  # row, column -> what a click on that cell puts into the link, if anything

_FRAME = (("#000000", 4), ("#ffffff", 2))  # one on the other: seen on every colour of a scale


def _as_they_are(row: str, column: str) -> Cell | None:
    return row, column


def clickable(figure: go.Figure, cells: pd.DataFrame, chosen: Cell | None = None,
              link: Link = _as_they_are) -> go.Figure:
    """`figure` (charts.heatmap of the same `cells`: row, column) with clickable cells and a frame around `chosen`.

    Changed in place and returned. Hovers stay what they were; a missing cell cannot be clicked, nor one without a
    `link`, and a `chosen` that is no cell's link gets no frame.
    """
    rows, columns = list(pd.unique(cells["row"])), list(pd.unique(cells["column"]))
    heat = figure.data[0]
    hovers = _hovers(figure)
    places = [(i, j) for i, y in enumerate(heat.y) for j, x in enumerate(heat.x) if hovers[x, y]]
    figure.update_traces(hoverinfo="skip", hovertemplate=None)  # the markers answer instead, wherever in the cell
    # With a colour for chosen texts Plotly leaves the others as they are; without, a click makes all of them pale.
    figure.update_traces(selected={"textfont": {"color": "#000000"}}, selector={"mode": "text"})
    clear = {"marker": {"opacity": 0}}
    figure.add_trace(go.Scatter(
        x=[heat.x[j] for _, j in places], y=[heat.y[i] for i, _ in places], mode="markers",
        marker={"symbol": "square", "size": 24, "opacity": 0}, selected=clear, unselected=clear,
        customdata=[list(link(rows[i], columns[j]) or ()) for i, j in places],
        hovertext=[hovers[heat.x[j], heat.y[i]] for i, j in places],
        hovertemplate="%{hovertext}<extra></extra>", showlegend=False))
    figure.update_layout(hovermode="closest", hoverdistance=-1)  # of cells of one size, the nearest is the one below
    framed = [(i, j) for i, j in places if chosen and link(rows[i], columns[j]) == chosen]
    for i, j in framed:
        for colour, width in _FRAME:
            figure.add_shape(type="rect", x0=j - 0.48, x1=j + 0.48, y0=i - 0.46, y1=i + 0.46,
                             line={"color": colour, "width": width})
    return figure


def picked(event: Mapping[str, Any] | None) -> Cell | None:
    """The clicked cell in the state of a chart with ``on_select``; None where nothing (or no cell) was clicked."""
    points = ((event or {}).get("selection") or {}).get("points") or [{}]
    data = points[0].get("customdata")
    if isinstance(data, list) and len(data) == 2 and all(isinstance(part, str) for part in data):
        return data[0], data[1]
    return None


def chart(figure: go.Figure, cells: pd.DataFrame, *, key: str, alt: str, names: tuple[Name, Name],
          chosen: Cell | None = None, link: Link = _as_they_are) -> None:
    """Draws a heatmap whose clicks go into the link, the row under `names[0]`, the column under `names[1]`
    (names of the address). The caller reads them there (state.open_choice), and offers lists for the keyboard."""
    st.plotly_chart(clickable(figure, cells, chosen, link), width="stretch", key=key, config=PLOTLY_CONFIG, alt=alt,
                    on_select=partial(_follow, key, names), selection_mode="points")


def _follow(key: str, names: tuple[Name, Name]) -> None:
    cell = picked(st.session_state.get(key))
    if cell:
        state.choose(dict(zip(names, cell, strict=True)))


def _hovers(figure: go.Figure) -> dict[tuple[str, str], str]:
    """(x, y) -> what the figure says there: the heatmap of its cells, the texts of those that have no colour."""
    heat, *others = figure.data
    said = {(x, y): heat.customdata[i][j] for i, y in enumerate(heat.y) for j, x in enumerate(heat.x)}
    for trace in others:
        if trace.mode == "text" and trace.customdata is not None:
            said |= {(x, y): text for x, y, text in zip(trace.x, trace.y, trace.customdata, strict=True)}
    return said
