"""DataFrames as figures; the text colour alone follows the page's theme. Heatmaps are Plotly's, curves Altair's."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
from plotly.colors import sample_colorscale, unlabel_rgb

from app.show.frames import IDENTICAL, MEAN, NORMALISED, REFERENCES, SAME, same
from app.show.styles import BAR, BAR_HEIGHT, DIVERGING, MAGNITUDE, PRIVATE, Look, ink, label
from compt_core.errors import plural

Scale = Literal["score", "difference", "weight", "shift", "count"]  # shift: one weight minus another
PLOTLY_CONFIG: dict[str, Any] = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
                                 "toImageButtonOptions": {"format": "svg", "scale": 2}}
CONSTANT, PARTLY, UNREAD, BEYOND = "†", "‡", "§", "*"  # marks in a cell; the caption explains them
LEVEL = 0.05  # of a p after correction
MAX_COLUMNS = 14  # of one heatmap: more would not leave room for the numbers
_ROW, _HEAD = 46, 104  # px: height of a row, and of the column names with the margins
_UNIT: dict[Scale, float] = {"score": 100.0, "difference": 100.0, "weight": 1.0, "shift": 1.0, "count": 1.0}


def heatmap(cells: pd.DataFrame, scale: Scale, title: str, ends: tuple[float, float],
            looks: Mapping[str, Look] = MappingProxyType({})) -> go.Figure:
    """Rows x columns of `cells` (row, column, value, half, n; for scores all of frames.SUMMARY) as a heatmap.

    The order is that of first appearance; numbers stand in the cells; missing cells stay empty. `ends` are
    the values at the ends of the colour scale (:func:`limits`), the same for all panels of one table. Rows of a
    comparison carry their mark, by `looks`.
    """
    rows, columns = list(pd.unique(cells["row"])), list(pd.unique(cells["column"]))
    at: dict[Any, Any] = {(cell.row, cell.column): cell for cell in cells.itertuples(index=False)}
    grid = [[at.get((row, column)) for column in columns] for row in rows]
    low, high = ends
    colours = DIVERGING if scale in ("difference", "shift") else MAGNITUDE
    z = [[colour_value(cell, scale) for cell in line] for line in grid]
    x, y = [_column(column) for column in columns], [_row(row, looks) for row in rows]
    figure = go.Figure(go.Heatmap(
        z=z, x=x, y=y, customdata=[[_hover(cell, scale) for cell in line] for line in grid],
        hovertemplate="%{customdata}<extra></extra>", hoverongaps=False,
        colorscale=colours, zmin=low, zmax=high, xgap=2, ygap=2,
        colorbar={"thickness": 10, "outlinewidth": 0, "len": 1, "tickfont": _font(12),
                  **({"tickvals": [low, (low + high) / 2, high], "tickformat": ".3~g"} if len(y) == 1 else {}),
                  "title": {"text": title, "side": "right", "font": _font(12)}},
    ))
    share = [(value - low) / (high - low) for line in z for value in line if value is not None]
    places = [(i, j) for i in range(len(y)) for j in range(len(x))]
    known = [(x[j], y[i], cell_text(grid[i][j], scale)) for i, j in places if z[i][j] is not None]
    blank = [(x[j], y[i], cell_text(grid[i][j], scale)) for i, j in places if z[i][j] is None]
    figure.add_trace(_labels(known, [ink_on(part, colours) for part in share]))
    figure.add_trace(_labels(blank, None, [_hover(grid[i][j], scale) for i, j in places if z[i][j] is None]))
    figure.update_layout(
        **BAR, height=_HEAD + BAR_HEIGHT + _ROW * len(rows),
        margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False, showlegend=False,
        xaxis={"side": "top", "showgrid": False, "fixedrange": True, "ticks": "", "tickfont": _font(13),
               "range": [-0.5, len(x) - 0.5],
               "tickangle": 0 if len(columns) <= 6 else -40},
        yaxis={"range": [len(y) - 0.5, -0.5], "showgrid": False, "fixedrange": True, "ticks": "",
               "tickfont": _font(13)},
        plot_bgcolor="rgba(0,0,0,0)", paper_bgcolor="rgba(0,0,0,0)",
    )
    means = [columns.index(name) for name in (MEAN, NORMALISED) if name in columns]
    if means and min(means) > 0:  # a line between the tasks and their means
        figure.add_vline(x=min(means) - 0.5, line={"width": 2, "color": "#888888"})
    return figure


def _labels(points: list[tuple[str, str, str]], inks: list[str] | None,
            hovers: list[str] | None = None) -> go.Scatter:
    """The numbers over the cells; `inks` None takes the theme's text colour, `hovers` None leaves it to the cells."""
    x, y, text = ([point[i] for point in points] for i in range(3))
    font = _font(12) | ({"color": inks} if inks else {})
    over = {"hoverinfo": "skip"} if hovers is None else {"customdata": hovers,
                                                         "hovertemplate": "%{customdata}<extra></extra>"}
    return go.Scatter(x=x, y=y, text=text, mode="text", textfont=font, **over)


def _font(size: int) -> dict[str, Any]:
    colour = ink()
    return {"size": size} | ({"color": colour} if colour else {})


def ink_on(share: float, colours: Any) -> str:
    """Black or white, whichever reads better on the colour at `share` (0-1) of a scale."""
    red, green, blue = (_linear(part) for part in unlabel_rgb(sample_colorscale(colours, min(1.0, max(0.0, share)))[0]))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue  # WCAG 2
    return "#000000" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "#ffffff"


def _linear(part: float) -> float:
    part /= 255
    return float(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)


def panels(cells: pd.DataFrame) -> list[pd.DataFrame]:
    """`cells` cut into groups of at most MAX_COLUMNS columns of like size, so that the numbers stay readable."""
    columns = list(pd.unique(cells["column"]))
    count = max(1, math.ceil(len(columns) / MAX_COLUMNS))
    size = max(1, math.ceil(len(columns) / count))
    return [cells[cells["column"].isin(columns[i:i + size])] for i in range(0, max(1, len(columns)), size)]


def limits(cells: pd.DataFrame, scale: Scale) -> tuple[float, float]:
    """Colour limits: 0-1 for weights, symmetric about 0 for differences, tens around the scores.

    The mean with chance = 0 has another zero than the scores: it is not coloured.
    """
    known = cells.loc[cells["column"] != NORMALISED, "value"].dropna() * _UNIT[scale]
    if scale in ("weight", "count"):
        return 0.0, max(1.0, float(known.max()) if len(known) else 1.0)
    if scale in ("difference", "shift"):
        widest = max(0.01 * _UNIT[scale], float(known.abs().max())) if len(known) else 1.0
        return -widest, widest
    lowest = math.floor(float(known.min()) / 10) * 10 if len(known) else 0
    return float(min(lowest, 90)), 100.0


def ends(curves: pd.DataFrame) -> tuple[float, float] | None:
    """Lowest and highest finite value with some room, for all figures of one experiment; None without any."""
    known = curves["value"].astype(float).loc[np.isfinite]
    if known.empty:
        return None
    low, high = float(known.min()), float(known.max())
    room = 0.04 * (high - low) or 0.5
    return low - room, high + room


Curves = alt.LayerChart | alt.FacetChart
LOSS, SCORE = "training loss (cross-entropy)", "score on a few dev rows"  # what an axis measures


def curves(table: pd.DataFrame, looks: Mapping[str, Look], title: str = "",
           limits: tuple[float, float] | None = None, axis: str = LOSS, small: bool = False) -> Curves:
    """Loss or score (frames.curves) by optimizer step, a line per run in the look of its row; zoom survives a refresh.

    `limits`: the ends of its axis (:func:`ends`), else from the data. A small one has no legend and no name of an axis.
    """
    shown = {label(name): how for name, how in looks.items() if name in set(table["variant"])}
    data, domain = table.assign(row=table["variant"].map(label)), list(shown)
    base = alt.Chart(data).encode(
        x=alt.X("step:Q", title="optimizer step", axis=alt.Axis(tickMinStep=1, format="d"),
                scale=alt.Scale(padding=10, nice=False)),
        y=alt.Y("value:Q", title=None if small else axis,
                scale=alt.Scale(domain=list(limits), nice=False) if limits else alt.Scale(zero=False)),
        tooltip=["row:N", "shots:Q", "seed:Q", "step:Q", alt.Tooltip("value:Q", title=axis, format=".4f")],
    )
    legend = None if small else alt.Legend(orient="top", symbolType="stroke", symbolSize=600, symbolStrokeWidth=3)
    lines = base.mark_line(strokeWidth=2, opacity=0.9).encode(
        color=alt.Color("row:N", title=None, legend=legend,
                        scale=alt.Scale(domain=domain, range=[one.colour for one in shown.values()])),
        strokeDash=alt.StrokeDash("row:N", title=None, legend=legend,
                                  scale=alt.Scale(domain=domain, range=[list(one.dash) for one in shown.values()])),
        detail="run:N")
    last = data.loc[data.groupby("run")["step"].idxmax()] if len(data) else data
    last_points = [
        base.mark_point(size=80, filled=True, opacity=1, shape=one.marker, color=one.colour)
        .properties(data=last[last["row"] == name]) for name, one in shown.items()]
    figure = alt.layer(lines, *last_points).properties(height=200 if small else 320).interactive()
    return inked(figure.properties(title=title) if title else figure)


def plain(figure: Curves) -> dict[str, Any]:
    """The figure as a Vega-Lite specification, not checked against the schema: that takes longer than all else.

    Its data are Arrow tables, so that a page that shows it need not convert them.
    """
    with alt.data_transformers.enable("default", max_rows=None):
        specification = figure.to_dict(validate=False)
    specification["datasets"] = {name: pa.Table.from_pylist(rows)
                                 for name, rows in specification["datasets"].items()}
    return specification


def gate_shares(gates: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """Private share per task, 0-1: of the gates (circle) and of the composed prompt's norm (diamond).

    `gates` as in balance.numbers; where it has intervals they are drawn, the two shares a little apart.
    """
    kinds = {"private_share": "of the gates: alpha / (alpha + beta)",
             "private_norm_share": "of the composed prompt's norm"}
    kinds = {name: said for name, said in kinds.items() if gates[name].notna().any()} or kinds  # as it forms: one
    shapes = alt.Scale(domain=list(kinds.values()), range=["circle", "diamond"][:len(kinds)])
    parts = [pd.DataFrame({"task": gates["task"], "kind": said, "share": gates[name],
                           "half": gates[f"{name}_half"] if f"{name}_half" in gates else float("nan")})
             for name, said in kinds.items()]
    long = pd.concat(parts, ignore_index=True).dropna(subset=["share"])
    long = long.assign(low=(long["share"] - long["half"]).clip(0, 1), high=(long["share"] + long["half"]).clip(0, 1))
    several = bool(long["half"].notna().any())
    order = list(gates["task"])
    y = alt.Y("task:N", sort=order, title=None, axis=alt.Axis(labelLimit=240, labelFlush=False))
    apart = {"yOffset": alt.YOffset("kind:N", sort=list(kinds.values()))} if several else {}
    x = alt.X("share:Q", title="private share (0 = shared part only, 1 = private prompt only)",
              scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5, format=".1f"))
    legend = alt.Legend(orient="top", title=None, labelLimit=320, symbolSize=140)
    span = alt.Chart(long).mark_rule(strokeWidth=2, color="#888888")
    lines = span.encode(y=y, x="low:Q", x2="high:Q", **apart) if several else \
        span.encode(y=y, x="min(share):Q", x2="max(share):Q")
    tips = ["task:N", "kind:N", alt.Tooltip("share:Q", format=".3f")]
    tips += [alt.Tooltip("half:Q", format=".3f", title="half of the 95% interval")] if several else []
    dots = alt.Chart(long).mark_point(size=140, filled=True, opacity=1, color=PRIVATE).encode(
        y=y, x=x, shape=alt.Shape("kind:N", scale=shapes, legend=legend), tooltip=tips, **apart)
    half = alt.Chart(pd.DataFrame({"share": [0.5]})).mark_rule(strokeDash=[4, 4], color="#888888").encode(x="share:Q")
    return inked(alt.layer(half, lines, dots).properties(height=60 + (40 if several else 30) * len(order)))


def inked(figure: Any) -> Any:
    """An Altair figure with its axes, legend and title in the theme's text colour."""
    colour = ink()
    if colour is None:
        return figure
    return (figure.configure_axis(labelColor=colour, titleColor=colour)
            .configure_legend(labelColor=colour, titleColor=colour).configure_title(color=colour))


def colour_value(cell: Any, scale: Scale) -> float | None:
    if cell is None or math.isnan(cell.value) or cell.column == NORMALISED:  # another zero, so no colour of this scale
        return None
    return float(cell.value * _UNIT[scale])


def cell_text(cell: Any, scale: Scale) -> str:
    if cell is None:
        return ""
    if scale == "shift":
        return f"{cell.value:+.2f}{BEYOND * beyond(cell)}" + ("" if math.isnan(cell.half) else f"<br>±{cell.half:.2f}")
    if scale == "count":
        return f"{cell.value:,.0f}"
    if scale == "weight":
        return f"{cell.value:.2f}" + ("" if math.isnan(cell.half) else f"<br>±{cell.half:.2f}")
    if math.isnan(cell.value):
        return "undef."
    number = f"{100 * cell.value:+.1f}" if scale == "difference" else f"{100 * cell.value:.1f}"
    marks = "".join(mark for mark, found in ((CONSTANT, cell.constant), (PARTLY, cell.undefined),
                                             (UNREAD, unread(cell)), (BEYOND, beyond(cell))) if found)
    interval = "" if math.isnan(cell.half) else SAME if same(cell.half) else f"±{100 * cell.half:.1f}"
    return f"{number}{marks}" + (f"<br>{interval}" if interval else "")


def beyond(cell: Any) -> bool:
    """Whether a difference is told from 0 after correction over tasks (frames.differences); never for scores."""
    return bool(getattr(cell, "corrected", math.nan) < LEVEL)


def unread(cell: Any) -> bool:
    """Whether some of a score's answers are no label (frames.summarise)."""
    return getattr(cell, "unreadable", 0.0) > 0


def _hover(cell: Any, scale: Scale) -> str:
    if cell is None:
        return ""
    place = f"<b>{_row(cell.row)}</b> · {_column(cell.column)}<br>"
    if scale == "shift":
        return f"{place}difference {cell.value:+.4f}"
    if scale == "count":
        named = f"right: <b>{html.escape(cell.row)}</b><br>answered: {html.escape(cell.column)}"
        return f"{named}<br>{plural(round(cell.value), 'time')}"
    if scale == "weight":
        over = "" if cell.n == 1 else f" (mean over {plural(cell.n, 'seed')}, 95% t-interval ±{cell.half:.3f})"
        return f"{place}weight {cell.value:.4f}{over}"
    if math.isnan(cell.value):
        return f"{place}undefined: a constant prediction has no correlation; counts 0 in means"
    lines = [f"{place}{100 * cell.value:.2f} points"]
    if cell.row not in REFERENCES:
        lines.append(plural(cell.n, "run") + ("" if cell.n > 1 else ": no interval"))
    if cell.n > 1:
        lines.append(f"{IDENTICAL} in all seeds" if same(cell.half) else f"95% t-interval ±{100 * cell.half:.2f}; "
                     f"lowest {100 * cell.lowest:.1f}, highest {100 * cell.highest:.1f}")
    if not math.isnan(getattr(cell, "p", math.nan)):
        over = "" if math.isnan(cell.corrected) else f"; {cell.corrected:.2g} after Holm's correction over tasks"
        lines.append(f"paired t-test by seed: p = {cell.p:.2g}{over}")
    if cell.constant:
        lines.append(f"one label for every dev row in {cell.constant} of {cell.n}")
    if unread(cell):
        lines.append(f"{cell.unreadable:.1%} of the answers match no label and count as wrong")
    if cell.undefined:
        lines.append(f"undefined in {cell.undefined} of {cell.n}, counted as 0")
    return "<br>".join(lines)


def _row(name: str, looks: Mapping[str, Look] = MappingProxyType({})) -> str:
    if name in looks:
        named = html.escape(label(name), quote=False)
        return f'{named} <span style="color:{looks[name].colour}">{looks[name].symbol}</span>'
    return html.escape(REFERENCES.get(name, label(name)), quote=False)


def _column(name: str) -> str:
    text = html.escape(name, quote=False)
    return f"<b>{text}</b>" if name in (MEAN, NORMALISED) else text
