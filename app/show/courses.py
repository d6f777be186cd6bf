"""How numbers of a task went over training, for one run or as the mean over seeds: data and curves.

n recorded steps · K tasks · S sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from app.show.charts import inked
from compt_core.scoring.statistics import half_width

Points = tuple[np.ndarray, np.ndarray]  # steps [n], values [n, …] of one run
COLUMNS = ["step", "name", "value", "half", "n"]
BRIGHT, FAINT = "#0072B2", "#9A9A9A"


def course(curves: Sequence[Points], names: Sequence[str]) -> pd.DataFrame:
    """Mean over runs at every step that all of them recorded, long (COLUMNS); the values [n, len(names)] of a run.

    `half` is half of the 95% t-interval over runs, NaN for one run. Empty without a common step.
    """
    at = [dict(zip(np.asarray(steps).tolist(), values, strict=True)) for steps, values in curves]
    common = sorted(set.intersection(*(set(one) for one in at))) if at else []
    rows = []
    for step in common:
        found = np.stack([np.asarray(one[step], dtype=float) for one in at])
        for i, name in enumerate(names):
            half = half_width(found[:, i].tolist())
            rows.append({"step": int(step), "name": name, "value": float(found[:, i].mean()),
                         "half": float("nan") if half is None else half, "n": len(at)})
    return pd.DataFrame(rows, columns=COLUMNS)


def lines(points: pd.DataFrame, chosen: str, title: str, dashed: Mapping[float, str] | None = None,
          colour: str = BRIGHT) -> alt.LayerChart | alt.FacetChart:
    """The lines of `points` (COLUMNS) over training, `chosen` bright with its interval, the others faint.

    `dashed` are level lines, value -> what it means.
    """
    order = list(pd.unique(points["name"]))
    table = points.assign(low=points["value"] - points["half"], high=points["value"] + points["half"])
    highest = float(max(1.0, table["high"].max(), table["value"].max())) if len(table) else 1.0
    x = alt.X("step:Q", title="optimizer step", axis=alt.Axis(tickMinStep=1))
    y = alt.Y("value:Q", title=title, scale=alt.Scale(domain=[min(0.0, float(table["value"].min())), highest]))
    tips = ["name:N", "step:Q", alt.Tooltip("value:Q", format=".3f"),
            *([alt.Tooltip("half:Q", format=".3f", title="half of the 95% interval"), "n:Q"]
              if table["half"].notna().any() else [])]
    base = alt.Chart(table)
    layers: list[alt.Chart] = []
    if table["half"].notna().any():
        layers.append(base.transform_filter(alt.datum.name == chosen).mark_area(opacity=0.2, color=colour).encode(
            x=x, y=alt.Y("low:Q", title=title), y2="high:Q"))
    others = [name for name in order if name != chosen]
    if others:
        layers.append(base.transform_filter(alt.datum.name != chosen).mark_line(
            color=FAINT, opacity=0.7, strokeWidth=1.2).encode(x=x, y=y, detail="name:N", tooltip=tips))
    layers.append(base.transform_filter(alt.datum.name == chosen).mark_line(
        color=colour, strokeWidth=3, point=alt.OverlayMarkDef(color=colour, size=22)).encode(x=x, y=y, tooltip=tips))
    for level, meaning in (dashed or {}).items():
        layers.append(alt.Chart(pd.DataFrame({"value": [level], "meaning": [meaning]})).mark_rule(
            strokeDash=[5, 4], color="#808080").encode(y=y, tooltip=["meaning:N"]))
    name = alt.TitleParams(chosen, color=colour, anchor="start", fontSize=13)
    return inked(alt.layer(*layers).properties(height=260, title=name).interactive())
