"""The tour's own figures (Altair), each with one idea. `large` is for a classroom. Text follows the page's theme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from app.learn.maths import Composed, Parts
from app.show.shot_curves import GREY, Figure, ends_of, finished, inked_text, span
from app.show.styles import DIVERGING, PRIVATE, label, look

SOURCES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # s0, s1, … of the sliders; every bar also has its name
SHARED = "#3D9BD6"  # as in the picture of the method
MOST_NUMBERS = 64  # numbers of a prompt vector that are drawn
_NAMES = alt.Axis(labelLimit=220, labelFlush=False, labelOverlap=False)
YOURS, TRAINED = "your gates", "as trained"
PARTS = {"shared part": (SHARED, "square"), "private part": (PRIVATE, "diamond"),
         "composed prompt": (look("spp").colour, look("spp").marker)}


def vectors(prompt: np.ndarray, large: bool) -> Figure:
    """The vectors of a prompt [P, H] as rows of coloured numbers, at most MOST_NUMBERS of each."""
    drawn = prompt[:, :MOST_NUMBERS]
    table = pd.DataFrame([{"vector": f"p{p + 1}", "number": h + 1, "value": round(float(value), 4)}
                          for p, row in enumerate(drawn) for h, value in enumerate(row)])
    most = float(np.abs(drawn).max()) or 1.0
    colour = alt.Color("value:Q", legend=None, scale=alt.Scale(
        domain=[most * (2 * float(str(at)) - 1) for at, _ in DIVERGING], range=[str(tint) for _, tint in DIVERGING]))
    cells = alt.Chart(table).mark_rect(stroke=None).encode(
        x=alt.X("number:O", title=None, axis=None), color=colour, tooltip=["vector", "number", "value"],
        y=alt.Y("vector:N", title=None, sort=None, axis=alt.Axis(ticks=False, domain=False, labelOverlap=False,
                                                                     labelFlush=False)))
    return finished(alt.layer(cells), 22 * len(drawn) + 10, large)


def levels(seeds: Sequence[float], mean: float, half: float, references: Mapping[str, float], method: str,
           large: bool) -> Figure:
    """One task's accuracy, 0-1: untrained references, a method's seeds (small), and their mean with its interval."""
    name, tint = label(method), look(method).colour
    order = [*references, name]
    y = alt.Y("what:N", title=None, sort=order, scale=alt.Scale(domain=order), axis=_NAMES)
    title = "score × 100"
    x = alt.X("score:Q", title=title, scale=alt.Scale(domain=ends_of([*seeds, *references.values()])))
    bare = pd.DataFrame([{"what": what, "score": 100 * value} for what, value in references.items()])
    each = pd.DataFrame([{"what": name, "score": 100 * value} for value in seeds])
    whole = pd.DataFrame([{"what": name, "score": 100 * mean, **span(mean, half)}])
    layers = [alt.Chart(each).mark_point(size=60, opacity=0.85, color=tint).encode(x=x, y=y, tooltip=["score"])]
    if len(bare):
        layers.append(alt.Chart(bare).mark_point(shape="diamond", size=170, filled=True, opacity=1, color=GREY)
                      .encode(x=x, y=y, tooltip=["what", "score"]))
    layers += _interval(whole, x, title, y, tint, look(method).marker)
    return finished(alt.layer(*layers), 34 * len(order) + 50, large)


def gains(cells: pd.DataFrame, method: str, large: bool) -> Figure:
    """Differences per task (lines of frames.differences) with their intervals; right of 0 the method gains."""
    order = list(cells["column"])
    table = pd.DataFrame([{"what": cell["column"], "score": 100 * cell["value"], **span(cell["value"], cell["half"])}
                          for cell in cells.to_dict("records")])
    widest = max([1.0, *table[["low", "high"]].abs().to_numpy()[table["score"].notna()].ravel().tolist()])
    y = alt.Y("what:N", title=None, sort=order, scale=alt.Scale(domain=order), axis=_NAMES)
    title = f"points, {label(method)} minus PT (left of 0: the task loses)"
    x = alt.X("score:Q", title=title, scale=alt.Scale(domain=[-widest, widest], nice=True))
    zero = alt.Chart(pd.DataFrame({"score": [0.0]})).mark_rule(color=GREY).encode(x=x)
    return finished(alt.layer(zero, *_interval(table, x, title, y, look(method).colour, look(method).marker)),
                     28 * len(order) + 50, large)


def bars(weights: Mapping[str, Sequence[float]], large: bool) -> Figure:
    """The weights of every normaliser as bars, a group per normaliser; a weight of exactly 0 is labelled so."""
    table = pd.DataFrame([{"normaliser": kind, "source": f"s{s}", "weight": value,
                           "text": f"s{s}  " + ("exactly 0" if value == 0 else f"{value:.2f}")}
                          for kind, row in weights.items() for s, value in enumerate(row)])
    sources = list(dict.fromkeys(table["source"]))
    base = alt.Chart(table).encode(
        y=alt.Y("normaliser:N", title=None, sort=list(weights), axis=_NAMES,
                scale=alt.Scale(paddingInner=0.28)),
        yOffset=alt.YOffset("source:N", sort=sources),
        x=alt.X("weight:Q", title="weight", scale=alt.Scale(domain=[0, 1.18], nice=False),
                axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2f")))
    tint = alt.Color("source:N", legend=None, scale=alt.Scale(domain=sources, range=list(SOURCES[:len(sources)])))
    text = base.mark_text(align="left", dx=5, dy=4 if large else 3, fontSize=15 if large else 12,
                          **inked_text()).encode(text="text:N")
    return finished(alt.layer(base.mark_bar().encode(color=tint), text), 26 * len(table), large)


def plane(of: Parts, now: Composed, trained: Composed, large: bool) -> Figure:
    """The two parts and their sum as arrows in the plane that they span: true lengths and angles, both states.

    The axes fit the parts without gates, so that only the arrows move when a gate does.
    """
    angle = math.acos(max(-1.0, min(1.0, now.between)))
    at = np.array([math.cos(angle), math.sin(angle)])
    rows = []
    for state, one in ((TRAINED, trained), (YOURS, now)):
        tips = {"shared part": np.array([one.shared, 0.0]), "private part": one.private * at}
        tips["composed prompt"] = tips["shared part"] + tips["private part"]
        rows += [{"part": part, "gates": state, "x": float(tip[0]), "y": float(tip[1]), "zero": 0.0,
                  "length": float(np.linalg.norm(tip))} for part, tip in tips.items()]
    lengths = float(np.linalg.norm(of.shared)), float(np.linalg.norm(of.private))
    corners = np.array([[0, 0], [lengths[0], 0], lengths[1] * at, np.array([lengths[0], 0]) + lengths[1] * at])
    low, high = corners.min(0), corners.max(0)
    width, height = (780, 420) if large else (560, 320)
    unit = 1.12 * max((high[0] - low[0]) / width, (high[1] - low[1]) / height) or 1.0  # the same along both axes
    centre = (low + high) / 2
    x, y = (alt.X("x:Q", axis=None, scale=alt.Scale(domain=_around(centre[0], unit * width), nice=False)),
            alt.Y("y:Q", axis=None, scale=alt.Scale(domain=_around(centre[1], unit * height), nice=False)))
    legend = alt.Legend(orient="top", title=None, symbolSize=160, symbolOpacity=1, labelLimit=260)
    tint = alt.Color("part:N", scale=_scale({part: colour for part, (colour, _) in PARTS.items()}), legend=legend)
    shape = alt.Shape("part:N", scale=_scale({part: marker for part, (_, marker) in PARTS.items()}), legend=legend)
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=x, y=y, color=tint, tooltip=["part", "gates", alt.Tooltip("length:Q", format=".2f")])
    arrows = []
    for state, dash, thick, dim in ((TRAINED, [3, 4], 2, 0.6), (YOURS, [1, 0], 4, 1.0)):
        some = base.transform_filter(alt.datum.gates == state)
        arrows += [some.mark_rule(strokeWidth=thick, strokeDash=dash, opacity=dim).encode(x2="zero:Q", y2="zero:Q"),
                   some.mark_point(size=150, filled=state == YOURS, opacity=dim).encode(shape=shape)]
    return finished(alt.layer(*arrows).properties(width=width), height, large)


def _interval(table: pd.DataFrame, x: Any, title: str, y: Any, colour: str, marker: str) -> list[alt.Chart]:
    """A point per line of the table, and its interval as a line."""
    base = alt.Chart(table).encode(y=y)
    tips = ["what", *[alt.Tooltip(f"{name}:Q", format=".1f") for name in ("score", "low", "high")]]
    return [base.mark_rule(strokeWidth=3, color=colour).encode(x=alt.X("low:Q", title=title), x2="high:Q"),
            base.mark_point(size=130, filled=True, opacity=1, color=colour, shape=marker).encode(x=x, tooltip=tips)]


def _scale(of: Mapping[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(of), range=list(of.values()))


def _around(centre: float, span: float) -> list[float]:
    return [float(centre - span / 2), float(centre + span / 2)]
