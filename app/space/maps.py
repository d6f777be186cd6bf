"""The figures of the Prompt space page: a heatmap of cosines, norms, maps of prompts and their paths. No st.*

N prompts · n recorded steps.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.show.charts import ink_on, inked
from app.show.styles import BAR, BAR_HEIGHT, DIVERGING, FAMILY_LOOKS, LEGEND, PRIVATE, ink
from app.space.alike import IMPORTED, SECOND, family_of, two
from compt_core.analysis.projections import Map
from compt_core.composition.geometry import COMPOSED, SOURCE, Prompt
from compt_core.composition.geometry import PRIVATE as PRIVATES
from compt_core.tasks.catalogue import Catalogue

_GREY, _GRID = "#808080", "rgba(128,128,128,.25)"
# A group has one colour and one marker in all figures; the markers of a second run are hollow.
LOOKS = {SOURCE: ("#0072B2", "square", "square"), PRIVATES: (PRIVATE, "triangle-up", "triangle-up"),
         COMPOSED: ("#009E73", "circle", "circle"), IMPORTED: ("#B3578F", "star", "cross")}
MOST_NUMBERS = 34  # prompts in a heatmap with numbers in its cells
MOST_NAMES = 34  # points with their names next to them
_ROW, _SMALL = 26, 15  # px: height of a heatmap's row with numbers, and without


@dataclass(frozen=True)
class Point:
    """What a point of a map stands for: a prompt, or one of its vectors."""

    prompt: Prompt
    vector: int | None = None

    @property
    def name(self) -> str:
        return self.prompt.name if self.vector is None else f"{self.prompt.name}, vector {self.vector}"


def look(group: str) -> tuple[str, str, str]:
    """Colour, Plotly's symbol and Vega's shape of a group."""
    return LOOKS[group.removeprefix(f"{SECOND} ")]


def similarity(prompts: Sequence[Prompt], cosines: np.ndarray) -> go.Figure:
    """Cosines [N, N], -1 to 1, with lines between the groups. With up to MOST_NUMBERS prompts, cells have numbers and
    columns have names."""
    names = [html.escape(one.name, quote=False) for one in prompts]
    count, numbers = len(names), len(names) <= MOST_NUMBERS
    places = list(range(count))
    figure = go.Figure(go.Heatmap(
        z=cosines, x=places, y=places, zmin=-1, zmax=1, colorscale=DIVERGING,
        xgap=int(numbers), ygap=int(numbers),
        customdata=[[f"<b>{one}</b><br>{other}" for other in names] for one in names],
        hovertemplate="%{customdata}<br>cosine %{z:.3f}<extra></extra>",
        colorbar={"thickness": 10, "outlinewidth": 0, "len": 1, "tickfont": _font(12),
                  "title": {"text": "cosine", "side": "right", "font": _font(12)}}))
    if numbers:
        cells = [(i, j) for i in places for j in places]
        inks = {value: ink_on((value + 1) / 2, DIVERGING) for value in np.unique(cosines.round(2)).tolist()}
        figure.add_trace(go.Scatter(
            x=[j for _, j in cells], y=[i for i, _ in cells], mode="text", hoverinfo="skip", showlegend=False,
            text=[short(cosines[i, j]) for i, j in cells],
            textfont={"size": 12 if count <= 20 else 10,
                      "color": [inks[float(cosines[i, j].round(2))] for i, j in cells]}))
    for at in (i for i in places[1:] if prompts[i].group != prompts[i - 1].group):
        for axis in ("x", "y"):
            figure.add_shape(type="line", line={"width": 3, "color": _GREY},
                             **{f"{axis}0": at - 0.5, f"{axis}1": at - 0.5, **_across(axis, count)})
    ticks = {"tickmode": "array", "tickvals": places, "ticktext": names, "ticks": "", "showgrid": False,
             "zeroline": False, "fixedrange": True, "tickfont": _font(12 if numbers else 10)}
    over = {"side": "top", "showticklabels": numbers, "tickangle": 0 if count <= 6 else -60}
    return figure.update_layout(
        **BAR, height=BAR_HEIGHT + (_ROW * count + 160 if numbers else _SMALL * count + 32), dragmode=False,
        margin={"l": 8, "r": 8, "t": 8, "b": 8}, plot_bgcolor="rgba(0,0,0,0)", paper_bgcolor="rgba(0,0,0,0)",
        xaxis=ticks | over | {"range": [-0.5, count - 0.5]}, yaxis=ticks | {"range": [count - 0.5, -0.5]})


def _across(axis: str, count: int) -> dict[str, float]:
    other = "y" if axis == "x" else "x"
    return {f"{other}0": -0.5, f"{other}1": count - 0.5}


def short(cosine: float) -> str:
    """A cosine in as few characters as possible: ``.43``, ``-.05``, ``1``."""
    text = two(cosine)
    return {"1.00": "1", "-1.00": "-1", "0.00": "0"}.get(text, text.replace("0.", ".", 1))


def norms(table: pd.DataFrame, vocabulary: tuple[float, float, float] | None) -> alt.LayerChart | alt.FacetChart:
    """The norms of every prompt's vectors (alike.sizes) on a logarithmic axis: root mean square, lowest to highest.

    `vocabulary` are the norms of the vocabulary's embeddings: 5%, median, 95%.
    """
    shown = table[table["norm"] > 0].assign(lowest=lambda t: t["lowest"].clip(lower=t["norm"] * 1e-3))
    groups = list(pd.unique(shown["group"]))
    y = alt.Y("name:N", sort=list(shown["name"]), title=None,
              axis=alt.Axis(labelLimit=240, labelFlush=False, labelOverlap=False))
    x = alt.X("norm:Q", title="norm of a vector (logarithmic axis)", axis=alt.Axis(format="~g", labelOverlap=True),
              scale=alt.Scale(type="log", nice=False, padding=12))
    legend = alt.Legend(orient="top", symbolSize=120, symbolOpacity=1, columns=4)
    colour = alt.Color("group:N", title=None, legend=legend,
                       scale=alt.Scale(domain=groups, range=[look(one)[0] for one in groups]))
    shape = alt.Shape("group:N", title=None, scale=alt.Scale(domain=groups, range=[look(one)[2] for one in groups]))
    tips = ["name:N", *(alt.Tooltip(f"{name}:Q", format=".4g") for name in ("norm", "lowest", "highest", "rms")),
            "vectors:Q"]
    layers: list[alt.Chart] = []
    if vocabulary:
        low, middle, high = vocabulary
        reference = alt.Chart(pd.DataFrame({"low": [low], "norm": [middle], "high": [high],
                                            "meaning": [f"vocabulary pieces: median {middle:.3g}"]}))
        layers += [reference.mark_rect(opacity=0.18, color=_GREY).encode(x="low:Q", x2="high:Q"),
                   reference.mark_rule(strokeDash=[5, 4], strokeWidth=2, color=_GREY).encode(
                       x="norm:Q", tooltip=["meaning:N", "low:Q", "high:Q"])]
    base = alt.Chart(shown)
    layers.append(base.mark_rule(strokeWidth=2, opacity=0.6).encode(y=y, x="lowest:Q", x2="highest:Q", color=colour))
    for hollow in sorted(set(map(_hollow, groups))):  # a layer without a marker would be an image without a name
        own = base.transform_filter(alt.FieldOneOfPredicate("group", [one for one in groups if _hollow(one) == hollow]))
        layers.append(own.mark_point(size=90, filled=not hollow, opacity=1, strokeWidth=2).encode(
            y=y, x=x, color=colour, shape=shape, tooltip=tips))
    return inked(alt.layer(*layers).properties(height=alt.Step(20 if len(shown) <= MOST_NAMES else 15)))


def scatter(found: Map, points: Sequence[Point], tasks: Catalogue | None) -> go.Figure:
    """Points of a map, with the group as the marker and, if `tasks` are given, the family as the colour."""
    figure = go.Figure()
    colours = {} if tasks is None else family_colours([one.prompt for one in points], tasks)
    named = len(points) <= MOST_NAMES
    for (group, family), at in _parts(points, tasks).items():
        colour = colours.get(family or "", _GREY if colours else look(group)[0])
        figure.add_trace(go.Scatter(
            x=found.points[at, 0], y=found.points[at, 1], mode="markers+text" if named else "markers",
            name=html.escape(f"{group} · {family}" if family else group, quote=False), cliponaxis=False,
            text=[html.escape(points[i].prompt.owner, quote=False) for i in at] if named else None,
            textposition="top center", textfont=_font(11),
            hovertext=[html.escape(points[i].name, quote=False) for i in at],
            hovertemplate="%{hovertext}<extra></extra>", marker=_marker(group, colour, 12 if named else 8)))
    titles = ("", "") if found.explained is None else tuple(
        f"component {i}: {100 * share:.0f}% of the variance" for i, share in enumerate(found.explained, start=1))
    return _square(figure, titles, ticks=found.explained is not None)


def paths(course: np.ndarray, explained: tuple[float, float], prompts: Sequence[Prompt], steps: Sequence[int],
          owner: str | None) -> go.Figure:
    """The paths [n, N, 2] of prompts over training, from a small hollow marker to their group's marker. The paths of
    `owner` (None: all) are in colour, the others grey and thin."""
    figure, seen = go.Figure(), set[str]()
    bright = [owner in (None, one.owner) for one in prompts]
    for i in sorted(range(len(prompts)), key=lambda i: bright[i]):
        one, way = prompts[i], course[:, i]
        colour = look(one.group)[0] if bright[i] else _GREY
        name = html.escape(one.name, quote=False)
        figure.add_trace(go.Scatter(
            x=way[:, 0], y=way[:, 1], mode="lines+markers", name=one.group, legendgroup=one.group,
            showlegend=bright[i] and one.group not in seen, opacity=0.9 if bright[i] else 0.35, cliponaxis=False,
            line={"color": colour, "width": 2.5 if bright[i] and owner else 1.2},
            hovertext=[f"{name}, step {step}" for step in steps], hovertemplate="%{hovertext}<extra></extra>",
            marker=_marker(one.group, colour, [5, *[3] * (len(way) - 2), 12])
            | {"symbol": ["circle-open", *["circle"] * (len(way) - 2), look(one.group)[1]]}))
        if bright[i]:
            seen.add(one.group)
    return _square(figure, tuple(f"component {i}: {100 * share:.0f}% of the variance"
                                 for i, share in enumerate(explained, start=1)), ticks=True)


def over_training(table: pd.DataFrame, title: str, log: bool) -> alt.LayerChart | alt.FacetChart:
    """For each group the median over its prompts by step, and their range: step, group, value, low, high."""
    groups = list(pd.unique(table["group"]))
    x = alt.X("step:Q", title="optimizer step", axis=alt.Axis(tickMinStep=1))
    y = alt.Y("value:Q", title=title, scale=alt.Scale(type="log", nice=False) if log else alt.Scale(zero=False),
              axis=alt.Axis(format="~g", labelOverlap=True))
    legend = alt.Legend(orient="top", symbolType="stroke", symbolSize=300, symbolOpacity=1)
    colour = alt.Color("group:N", title=None, legend=legend,
                       scale=alt.Scale(domain=groups, range=[look(one)[0] for one in groups]))
    base = alt.Chart(table)
    band = base.mark_area(opacity=0.15).encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q", color=colour)
    tips = ["group:N", "step:Q", *(alt.Tooltip(f"{name}:Q", format=".3g") for name in ("value", "low", "high"))]
    line = base.mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=40)).encode(x=x, y=y, color=colour,
                                                                                   tooltip=tips)
    return inked(alt.layer(band, line).properties(height=260))


def family_colours(prompts: Sequence[Prompt], tasks: Catalogue) -> Mapping[str, str]:
    """Family -> colour, as in the tree of tasks; empty if there are fewer than two families or too few colours."""
    found = dict.fromkeys(family for one in sorted(prompts, key=lambda one: one.owner)
                          if (family := family_of(one, tasks)))
    return {family: FAMILY_LOOKS[i][0] for i, family in enumerate(found)} if 1 < len(found) <= len(FAMILY_LOOKS) else {}


def _parts(points: Sequence[Point], tasks: Catalogue | None) -> dict[tuple[str, str | None], list[int]]:
    parts: dict[tuple[str, str | None], list[int]] = {}
    for i, point in enumerate(points):
        family = None if tasks is None else family_of(point.prompt, tasks)
        parts.setdefault((point.prompt.group, family), []).append(i)
    return parts


def _marker(group: str, colour: str, size: Any) -> dict[str, Any]:
    return {"color": colour, "symbol": look(group)[1] + ("-open" if _hollow(group) else ""), "size": size,
            "line": {"width": 2 if _hollow(group) else 0, "color": colour}}


def _hollow(group: str) -> bool:
    """Whether a group belongs to the second run."""
    return group.startswith(SECOND)


def _square(figure: go.Figure, titles: Sequence[str], ticks: bool) -> go.Figure:
    """Gives both axes the same scale, so that distances are true to the map."""
    axis = {"showgrid": ticks, "gridcolor": _GRID, "zeroline": False, "showticklabels": ticks, "ticks": "",
            "tickfont": _font(11)}
    colour = {"color": ink()} if ink() else {}
    return figure.update_layout(
        height=560 + BAR_HEIGHT, margin={"l": 8, "r": 8, "t": 8 + BAR_HEIGHT, "b": 8}, hovermode="closest",
        dragmode="pan", plot_bgcolor="rgba(0,0,0,0)", paper_bgcolor="rgba(0,0,0,0)",
        legend={"font": {"size": 13} | colour} | LEGEND,
        xaxis=axis | {"title": {"text": titles[0], "font": _font(12)}},
        yaxis=axis | {"title": {"text": titles[1], "font": _font(12)}, "scaleanchor": "x", "scaleratio": 1})


def _font(size: int) -> dict[str, Any]:
    colour = ink()
    return {"size": size} | ({"color": colour} if colour else {})
