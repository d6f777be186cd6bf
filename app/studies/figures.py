"""A study's figures drawn: matrices, lines, dots and points, all from the rows of their tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from app.show.styles import BAR, FAMILY_LOOKS, MAGNITUDE, ink
from compt_core.studies.study import Figure

_ROW, _LINES, _MOST_NAMED = 30, 420, 30  # px of a row, px of a figure with lines, names of points that are written
_CLEAR = "rgba(0,0,0,0)"


def frame(figure: Figure) -> pd.DataFrame:
    """The table behind a figure."""
    return pd.DataFrame(list(figure.rows), columns=list(figure.columns))


def draw(figure: Figure) -> go.Figure:
    """The figure in the colours of the visitor's theme."""
    table = frame(figure)
    made = {"matrix": _matrix, "lines": _lines, "dots": _dots, "scatter": _scatter}[figure.kind](table)
    made.update_layout(**BAR, margin={"l": 8, "r": 8, "t": 34, "b": 8}, plot_bgcolor=_CLEAR, paper_bgcolor=_CLEAR,
                       dragmode=False, font={"size": 13, "color": ink()},
                       legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"})
    made.update_xaxes(fixedrange=True, automargin=True)
    made.update_yaxes(fixedrange=True, automargin=True)
    return made


def _matrix(table: pd.DataFrame) -> go.Figure:
    row, column, value = table.columns[:3]
    rows, columns = list(dict.fromkeys(table[row])), list(dict.fromkeys(table[column]))
    grid = table.pivot(index=row, columns=column, values=value).loc[rows, columns]
    made = go.Figure(go.Heatmap(
        z=grid.to_numpy(), x=columns, y=rows, colorscale=MAGNITUDE, xgap=2, ygap=2, texttemplate="%{z:.1f}",
        hovertemplate="%{y}<br>%{x}: %{z:.1f}<extra></extra>", colorbar={"thickness": 10, "title": {"text": value}}))
    made.update_layout(height=150 + _ROW * len(rows))
    made.update_xaxes(side="top", showgrid=False, tickangle=0 if len(columns) < 7 else -40)
    made.update_yaxes(autorange="reversed", showgrid=False)
    return made


def _lines(table: pd.DataFrame) -> go.Figure:
    x, y, series, half = table.columns[:4]
    made = go.Figure([go.Scatter(
        x=own[x], y=own[y], name=name, mode="lines+markers", line={"color": colour, "width": 2},
        marker={"symbol": marker, "size": 9}, error_y=_bars(own[half], colour),
        hovertemplate=f"{name}<br>{x} %{{x}}: %{{y:.1f}}<extra></extra>")
        for name, own, colour, marker in _by(table, series)])
    counts = sorted(set(table[x]))
    made.update_layout(height=_LINES, yaxis_title=y)
    made.update_xaxes(type="log" if len(counts) > 2 and counts[0] > 0 else "linear", tickvals=counts,
                      ticktext=list(map(str, counts)), title=x)
    return made


def _dots(table: pd.DataFrame) -> go.Figure:
    name, value, series, half = table.columns[:4]
    made = go.Figure([go.Scatter(
        x=own[value], y=own[name], name=label, mode="markers", error_x=_bars(own[half], colour),
        marker={"symbol": marker, "size": 11, "color": colour}, hovertemplate="%{y}: %{x:.1f}<extra></extra>")
        for label, own, colour, marker in _by(table, series)])
    made.update_layout(height=150 + _ROW * table[name].nunique(), xaxis_title=value,
                       showlegend=table[series].nunique() > 1)
    made.update_yaxes(autorange="reversed", categoryorder="array", categoryarray=list(dict.fromkeys(table[name])))
    return made


def _scatter(table: pd.DataFrame) -> go.Figure:
    x, y, name, series = table.columns[:4]
    first = table[series].iloc[0]
    made = go.Figure([go.Scatter(
        x=own[x], y=own[y], name=label, text=own[name], textposition="top center", textfont={"size": 10},
        mode="markers+text" if label == str(first) and len(own) <= _MOST_NAMED else "markers",
        marker={"symbol": marker, "size": 9, "color": colour},
        hovertemplate="%{text}<br>%{x:.1f}, %{y:.2f}<extra></extra>")
        for label, own, colour, marker in _by(table, series)])
    made.update_layout(height=_LINES, xaxis_title=x, yaxis_title=y)
    return made


def _by(table: pd.DataFrame, series: str) -> Iterator[tuple[str, pd.DataFrame, str, str]]:
    """(name, rows, colour, marker) of each series, in the order of the table."""
    for number, (name, own) in enumerate(table.groupby(series, sort=False)):
        yield str(name), own, *FAMILY_LOOKS[number % len(FAMILY_LOOKS)]


def _bars(half: pd.Series[Any], colour: str) -> dict[str, Any]:
    """Bars of intervals; none where a single seed gives none."""
    return {"type": "data", "array": half.fillna(0), "color": colour, "thickness": 1, "width": 4,
            "visible": bool(half.notna().any())}
