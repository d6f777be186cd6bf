"""The ablation table as figures: a heatmap of the effects, and effects plotted against weights."""

from __future__ import annotations

import html
import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.show import charts, styles
from app.show.styles import FAMILY_LOOKS, ink
from app.whatif.ablation import tables
from app.whatif.ablation.words import LEVEL, amount
from compt_core.tasks.catalogue import Catalogue
from compt_core.whatif.effects import SCORE

HEIGHT = 420  # px of the points


def heatmap(frame: pd.DataFrame, measure: str) -> go.Figure:
    """Changes (tables.cells or tables.parts) with their intervals: blue if muting helps, brown if it costs."""
    scale: charts.Scale = "difference" if measure == SCORE else "shift"
    title = "change, points" if measure == SCORE else "change, nats"
    figure = charts.heatmap(tables.drawn(frame, measure), scale, title, charts.limits(frame, scale))
    at = {(line["row"], line["column"]): line for line in frame.to_dict("records")}
    rows, columns = list(pd.unique(frame["row"])), list(pd.unique(frame["column"]))
    figure.data[0].customdata = [[_hover(at[row, column], measure) for column in columns] for row in rows]
    return figure


def points(frame: pd.DataFrame, measure: str, tasks: Catalogue) -> go.Figure:
    """Every cell of tables.cells by its weight and its effect, in the look of its task's family (from `tasks`); filled
    if the effect differs from 0 beyond chance."""
    names = list(dict.fromkeys(map(tasks.family, sorted(pd.unique(frame["row"])))))
    looks = {name: FAMILY_LOOKS[i % len(FAMILY_LOOKS)] for i, name in enumerate(names)}
    unit, colour = (100 if measure == SCORE else 1), ({"color": ink()} if ink() else {})
    shown = go.Figure()
    shown.add_hline(y=0, line={"width": 1, "color": "#888888"})
    for name in names:
        part = frame[frame["row"].map(tasks.family) == name]
        told = tables.drawn(part, measure)["corrected"] < LEVEL
        shown.add_trace(go.Scatter(
            x=part["weight"], y=unit * part["value"], mode="markers", name=html.escape(name, quote=False),
            marker={"color": looks[name][0], "size": 10, "opacity": 0.9, "line": {"width": 1.5},
                    "symbol": [looks[name][1] + ("" if one else "-open") for one in told]},
            customdata=[_hover(line, measure) for line in part.to_dict("records")],
            hovertemplate="%{customdata}<extra></extra>"))
    axis: dict[str, Any] = {"fixedrange": True, "zeroline": False, "gridcolor": "rgba(128,128,128,.25)",
                            "tickfont": {"size": 12} | colour}
    shown.update_layout(
        height=HEIGHT, margin={"l": 8, "r": 8, "t": 8 + styles.BAR_HEIGHT, "b": 8}, dragmode=False, hovermode="closest",
        plot_bgcolor="rgba(0,0,0,0)", paper_bgcolor="rgba(0,0,0,0)", showlegend=True,
        legend={"font": {"size": 13} | colour} | styles.LEGEND,
        xaxis=axis | {"title": {"text": "attention weight", "font": {"size": 12} | colour}, "rangemode": "tozero"},
        yaxis=axis | {"title": {"text": f"effect of muting, {'points' if measure == SCORE else 'nats'}",
                                "font": {"size": 12} | colour}})
    return shown


def _hover(line: dict[Any, Any], measure: str) -> str:
    said = f"<b>{html.escape(str(line['row']), quote=False)}</b> · {line['column']}<br>"
    if not math.isnan(line["weight"]):
        said += f"weight {line['weight']:.4f}<br>"
    if math.isnan(line["value"]):
        return f"{said}undefined"
    if line["weight"] == 0:
        return f"{said}weight 0: muting changes nothing"
    said += f"change {amount(measure, line['value'])}"
    if math.isnan(line["low"]):
        return f"{said}: there is no answer on any row"
    said += f"<br>95% interval over dev rows: {amount(measure, line['low'])} to {amount(measure, line['high'])}"
    return f"{said}<br>p = {line['p']:.2g}, or {line['corrected']:.2g} after Holm's correction"
