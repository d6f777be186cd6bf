"""The tasks as a tree by their attention: which merge first, and how far apart they are. Pure.

K tasks. The distance of two tasks is 1 - cosine of their weights; for two groups it is the mean over their pairs.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.show.captions import listed, literal, plural
from app.show.styles import BAR_HEIGHT, FAMILY_LOOKS, LEGEND, ink
from app.show.weights import Weights, distances, linked, related, uniform

_NEUTRAL = "#808080"
_ROW, _HEAD = 30, 84  # px: height of a leaf, and of axis and margins
_TIE = 0.005  # distances closer than this print the same


@dataclass(frozen=True)
class Tree:
    """A dendrogram.

    tasks   the leaves from the top down [K]
    lines   per merge: distances [4] and places [4] of its bracket; leaf i lies at place i
    merges  per merge, nearest first: the tasks of either side, and their distance
    families  task -> its family, or the task itself where none is known
    """

    tasks: tuple[str, ...]
    lines: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]
    merges: tuple[tuple[tuple[str, ...], tuple[str, ...], float], ...]
    families: Mapping[str, str]


def tree(weights: Weights) -> Tree | None:
    """The tasks' tree (average linkage); None for fewer than three tasks."""
    from scipy.cluster.hierarchy import dendrogram

    if len(weights.tasks) < 3:
        return None
    links = linked(weights)
    drawn = dendrogram(links, no_plot=True)
    groups: list[tuple[str, ...]] = [(task,) for task in weights.tasks]
    merges = []
    for left, right, distance, _ in links:
        merges.append((groups[int(left)], groups[int(right)], float(distance)))
        groups.append(groups[int(left)] + groups[int(right)])
    lines = tuple((tuple(map(float, far)), tuple((place - 5) / 10 for place in places))
                  for far, places in zip(drawn["dcoord"], drawn["icoord"], strict=True))
    return Tree(tuple(weights.tasks[leaf] for leaf in drawn["leaves"]), lines, tuple(merges),
                dict(zip(weights.tasks, weights.families, strict=True)))


def figure(drawn: Tree) -> go.Figure:
    """The tree with its leaves on the left; leaves carry their family in words, colour and marker."""
    families = drawn.families
    names = list(dict.fromkeys(families[task] for task in sorted(drawn.tasks)))
    looks = {name: FAMILY_LOOKS[i % len(FAMILY_LOOKS)] for i, name in enumerate(names)}
    colour: dict[str, Any] = {"color": ink()} if ink() else {}
    shown = go.Figure()
    for far, places in drawn.lines:
        shown.add_trace(go.Scatter(x=far, y=places, mode="lines", line={"color": _NEUTRAL, "width": 2},
                                   hovertemplate=f"distance {max(far):.3f}<extra></extra>", showlegend=False))
    for name in names:
        at = [place for place, task in enumerate(drawn.tasks) if families[task] == name]
        own = all(name == drawn.tasks[place] for place in at)
        shown.add_trace(go.Scatter(
            x=[0] * len(at), y=at, mode="markers", name=html.escape(name, quote=False), cliponaxis=False,
            marker={"color": looks[name][0], "symbol": looks[name][1], "size": 11}, showlegend=not own,
            hovertemplate=[f"{html.escape(drawn.tasks[place], quote=False)}<extra></extra>" for place in at]))
    shown.update_layout(
        height=_HEAD + BAR_HEIGHT + _ROW * len(drawn.tasks), dragmode=False,
        margin={"l": 8, "r": 16, "t": 8 + BAR_HEIGHT, "b": 8}, hovermode="closest",
        plot_bgcolor="rgba(0,0,0,0)", paper_bgcolor="rgba(0,0,0,0)",
        legend={"font": {"size": 13} | colour} | LEGEND,
        xaxis={"title": {"text": "distance (1 − cosine of the weights)", "font": {"size": 12} | colour},
               "rangemode": "tozero", "fixedrange": True, "zeroline": False, "tickfont": {"size": 12} | colour,
               "showgrid": True, "gridcolor": "rgba(128,128,128,.25)"},
        yaxis={"tickmode": "array", "tickvals": list(range(len(drawn.tasks))), "ticks": "", "showgrid": False,
               "zeroline": False, "fixedrange": True, "range": [len(drawn.tasks) - 0.5, -0.5],
               "ticktext": [_leaf(task, families[task], looks[families[task]][0]) for task in drawn.tasks],
               "tickfont": {"size": 13} | colour})
    return shown


def _leaf(task: str, family: str, colour: str) -> str:
    text = html.escape(task, quote=False)
    if family == task:
        return text
    return f'{text} · <span style="color:{colour}">{html.escape(family, quote=False)}</span>  '


def sentences(drawn: Tree, weights: Weights) -> list[str]:
    """What merges first and last, and how many tasks have a nearest task of their own family; or a warning where the
    weights are near uniform."""
    if uniform(weights):
        return [f"The weights are near uniform, so all distances are small (at most {drawn.merges[-1][2]:.2g}). "
                "This tree shows little more than rounding and noise."]
    left, right, distance = drawn.merges[0]
    ties = sum(abs(other - distance) < _TIE for *_, other in drawn.merges[1:])
    also = f" ({plural(ties, 'other merge')} {'is' if ties == 1 else 'are'} about as near)" if ties else ""
    found = [f"{_group(left)} and {_group(right)} merge first, at distance {distance:.2g}{also}. "
             f"The last two groups merge at {drawn.merges[-1][2]:.2g}."]
    found += _nearest(weights)
    return found


def _group(tasks: Sequence[str]) -> str:
    return f"**{listed([literal(task) for task in tasks])}**"


def _nearest(weights: Weights) -> list[str]:
    """How many tasks have a nearest task of their own family, and how many would by chance; [] without families."""
    truth = related(weights.families)
    if truth is None:
        return []
    apart = distances(weights) + np.diag(np.full(len(weights.tasks), np.inf))
    hits = int(truth[np.arange(len(apart)), apart.argmin(1)].sum())
    chance = float((truth.sum(1) - 1).sum() / (len(truth) - 1))
    runs = " in this one run" if len(weights.each) == 1 else \
        f" (the distances are means over {plural(len(weights.each), 'run')})"
    have, their = ("has", "its") if hits == 1 else ("have", "their")
    return [f"{hits} of {plural(len(truth), 'task')} {have} {their} nearest task in {their} own family{runs}; "
            f"by chance it would be about {chance:.1f} of them."]
