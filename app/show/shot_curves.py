"""Means over tasks by shot count (Altair), and how such a figure takes the theme's text.

`large` is for a class room.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from app.show.styles import Look, ink, label

Figure = alt.LayerChart | alt.FacetChart
GREY = "#888888"


def shot_curves(summary: pd.DataFrame, references: Mapping[str, float], chosen: int, looks: Mapping[str, Look],
                large: bool) -> Figure:
    """Means over tasks by shot count with intervals, a line per row; references level, the chosen count marked.

    `summary`: rows of frames.summarise with their `shots`.
    """
    shown = {label(name): looks[name] for name in pd.unique(summary["row"])}
    names = list(shown)
    table = pd.DataFrame([{"row": label(cell["row"]), "shots": int(cell["shots"]), "n": int(cell["n"]),
                           "score": 100 * cell["value"], **span(cell["value"], cell["half"])}
                          for cell in summary.to_dict("records")])
    counts = sorted(set(table["shots"]))
    x = alt.X("shots:O", title="training rows per task (shots)", sort=counts, axis=alt.Axis(labelAngle=0))
    title = "mean over tasks × 100"
    y = alt.Y("score:Q", title=title,
              scale=alt.Scale(domain=ends_of([*summary["value"], *references.values()])))
    legend = alt.Legend(orient="top", title=None, symbolType="stroke", symbolSize=600, symbolStrokeWidth=3)
    tint = alt.Color("row:N", legend=legend,
                     scale=alt.Scale(domain=names, range=[one.colour for one in shown.values()]))
    dash = alt.StrokeDash("row:N", legend=legend,
                          scale=alt.Scale(domain=names, range=[list(one.dash) for one in shown.values()]))
    tips = ["row", "shots", alt.Tooltip("score:Q", format=".1f"), "n"]
    base = alt.Chart(table).encode(x=x, color=tint)
    layers = [
        alt.Chart(pd.DataFrame({"shots": [chosen]})).mark_rule(strokeWidth=18, opacity=0.22, color=GREY).encode(x=x),
        base.mark_line(strokeWidth=2.5).encode(y=y, strokeDash=dash),
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        *[base.mark_point(size=110, filled=True, opacity=1, shape=one.marker).encode(y=y, tooltip=tips)
          .transform_filter(alt.datum.row == name) for name, one in shown.items()],
    ]
    level = pd.DataFrame([{"what": what, "score": 100 * value, "shots": counts[-1]}
                          for what, value in references.items()])
    if len(level):
        layers.append(alt.Chart(level).mark_rule(strokeDash=[4, 4], color=GREY).encode(y=alt.Y("score:Q", title=title)))
        for at, row in enumerate(level.to_dict("records")):  # one above its line, the next below: they may be close
            layers.append(alt.Chart(pd.DataFrame([row])).mark_text(
                align="right", dx=28, dy=-9 if at == 1 else 11, fontSize=15 if large else 12, **inked_text())
                .encode(x=x, y=alt.Y("score:Q", title=title), text="what:N"))
    return finished(alt.layer(*layers), 340, large)


def ends_of(values: Sequence[float]) -> list[float]:
    """An axis from the ten below the smallest score (0 at most 40) to 100."""
    lowest = min([0.4, *(value for value in values if not math.isnan(value))])
    return [10.0 * math.floor(10 * lowest), 100.0]


def span(value: float, half: float) -> dict[str, float]:
    """The interval's ends in points; the point itself where there is none."""
    wide = 0.0 if math.isnan(half) else half
    return {"low": 100 * (value - wide), "high": 100 * (value + wide)}


def inked_text() -> dict[str, Any]:
    colour = ink()
    return {"color": colour} if colour else {}


def finished(figure: Figure, height: int, large: bool) -> Figure:
    """With its height, and text in the theme's colour; larger for a class room."""
    size, colour = (17, 13)[not large], ink()
    tint: dict[str, Any] = {"labelColor": colour, "titleColor": colour} if colour else {}
    return (figure.properties(height=round(height * (1.35 if large else 1)))
            .configure_axis(labelFontSize=size, titleFontSize=size, **tint)
            .configure_legend(labelFontSize=size, **tint))
