"""One text under all prompts: a figure, a table and what they say. Pure, except for the theme's text colour.

C is the number of labels of a task.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from app.show import columns
from app.show.captions import listed, literal
from app.show.mistakes import FAR
from app.show.styles import BAR_HEIGHT, ink, look
from app.whatif.bench.prompts import EDITED, Side
from compt_core.scoring.predictions import UNREADABLE
from compt_core.tasks.spec import Task
from compt_core.whatif.answer import Answer, moved, worded

GOLD = "#B86E00"  # the right number of a numeric task
_TOP = 3  # candidates of a numeric task in the table
NOTHING_PROVED = "One text proves nothing: it only shows how these runs answer it. For all dev rows, see Accuracy."


def right(task: Task, answer: Answer, gold: float | None) -> bool | None:
    """Whether an answer is right (less than FAR off if the task is numeric); None if the right answer is not known."""
    if gold is None:
        return None
    return abs(answer.predicted - gold) < FAR if task.numeric else answer.predicted == gold


def flipped(task: Task, before: Answer, after: Answer) -> bool:
    """Whether the label differs, or the number by FAR or more if the task is numeric."""
    return abs(before.predicted - after.predicted) >= FAR if task.numeric else before.predicted != after.predicted


def figure(task: Task, side: Side, found: Mapping[str, Answer], gold: float | None) -> go.Figure:
    """Bars in the methods' colours, hatched for the edit: a panel per label, or per prompt if the task is numeric."""
    drawn = _numeric(task, side, found, gold) if task.numeric else _labels(task, side, found, gold)
    return plain(drawn, bargap=0.25)


def plain(drawn: go.Figure, **layout: Any) -> go.Figure:
    """Takes legend, zoom and background off a figure and sets the theme's text colour, in place; returns the figure."""
    colour = {"color": ink()} if ink() else {}
    drawn.update_layout(showlegend=False, dragmode=False, plot_bgcolor="rgba(0,0,0,0)", paper_bgcolor="rgba(0,0,0,0)",
                        font={"size": 13} | colour, **layout)
    axis = {"fixedrange": True, "tickfont": {"size": 12} | colour, "title_font": {"size": 13} | colour}
    return drawn.update_xaxes(**axis).update_yaxes(**axis).update_annotations(font={"size": 13} | colour)


def _labels(task: Task, side: Side, found: Mapping[str, Answer], gold: float | None) -> go.Figure:
    titles = [f"✓ {label} (right)" if gold == number else label for number, label in enumerate(task.labels)]
    drawn = make_subplots(1, len(titles), subplot_titles=[html.escape(title) for title in titles], shared_yaxes=True,
                          horizontal_spacing=0.03)
    names = [_tick(side, name) for name in found]
    for column, label in enumerate(task.labels, 1):
        shares = [float(answer.probabilities[column - 1]) for answer in found.values()]
        drawn.add_trace(go.Bar(
            x=shares, y=names, orientation="h", marker=_bars(side, list(found)), cliponaxis=False,
            text=[f"{share:.2f}" for share in shares], textposition="outside",
            hovertemplate="%{y}<br>" + html.escape(label) + " %{x:.4f}<extra></extra>"), 1, column)
    drawn.update_xaxes(range=[0, 1.18], tickvals=[0, 0.5, 1], showgrid=True, gridcolor="rgba(128,128,128,0.25)")
    drawn.update_yaxes(autorange="reversed", ticks="")
    return drawn.update_layout(height=70 + BAR_HEIGHT + 34 * len(names),
                               margin={"l": 8, "r": 8, "t": 34 + BAR_HEIGHT, "b": 8})


def _numeric(task: Task, side: Side, found: Mapping[str, Answer], gold: float | None) -> go.Figure:
    candidates = [float(label) for label in task.labels]
    titles = [f"{_tick(side, name)}: expected {answer.expected:.2f}" for name, answer in found.items()]
    drawn = make_subplots(len(found), 1, subplot_titles=titles, shared_xaxes=True, vertical_spacing=0.3 / len(found))
    highest = max(float(answer.probabilities.max()) for answer in found.values())
    for line, (name, answer) in enumerate(found.items(), 1):
        one = _bars(side, [name] * len(candidates))
        drawn.add_trace(go.Bar(x=candidates, y=answer.probabilities, marker=one,
                               hovertemplate="%{x:.1f}: %{y:.4f}<extra></extra>"), line, 1)
        drawn.add_trace(go.Scatter(
            x=[answer.expected], y=[highest * 1.08], mode="markers", marker={"symbol": "triangle-down", "size": 11,
                                                                             "color": one["color"][0]},
            hovertemplate="expected %{x:.2f}<extra></extra>"), line, 1)
    if gold is not None:
        drawn.add_vline(x=gold, line={"width": 2, "dash": "dash", "color": GOLD})
    drawn.update_yaxes(range=[0, highest * 1.25], nticks=3, gridcolor="rgba(128,128,128,0.25)")
    drawn.update_xaxes(range=[candidates[0] - 0.3, candidates[-1] + 0.3], dtick=1, showgrid=False)
    drawn.update_annotations(x=0, xanchor="left")
    return drawn.update_layout(height=40 + BAR_HEIGHT + 92 * len(found),
                               margin={"l": 8, "r": 8, "t": 26 + BAR_HEIGHT, "b": 8})


def _tick(side: Side, name: str) -> str:
    return html.escape(side.called(name)) + (f" {side.looks[name].symbol}" if name in side.looks else "")


def _bars(side: Side, names: Sequence[str]) -> dict[str, Any]:
    """The looks of the bars for these prompts, in order; no prompt is grey."""
    shown = [side.opened if name == EDITED else name for name in names]
    colours = [side.looks.get(name, look(name)).colour for name in shown]
    hatch = {"shape": ["/" if name == EDITED else "" for name in names], "solidity": 0.55, "size": 7}
    return {"color": colours, "pattern": hatch,
            "line": {"color": colours, "width": [1.5 if name == EDITED else 0 for name in names]}}


def table(task: Task, side: Side, found: Mapping[str, Answer], gold: float | None) -> pd.DataFrame:
    """A row per prompt: its answer, whether that is right, and every label's probability; if the task is numeric, the
    expected number and the best candidates instead."""
    rows = []
    for name, answer in found.items():
        row: dict[str, object] = {"prompt": side.called(name), "answer": worded(task, answer.predicted)}
        told = right(task, answer, gold)
        if told is not None:
            row["right"] = "✓" if told else "✗"
        if task.numeric:
            best = np.argsort(-answer.probabilities, kind="stable")[:_TOP]
            row["expected"] = answer.expected
            row["most probable"] = ", ".join(f"{task.labels[i]} ({answer.probabilities[i]:.2f})" for i in best)
        else:
            row |= columns.beside((*row, "right"), task.labels, answer.probabilities.tolist(), "label")
        rows.append(row)
    return pd.DataFrame(rows)


def formats(frame: pd.DataFrame) -> dict[str, Any]:
    """How a table shows its numbers: with three digits, and changes with their sign."""
    numbers = [str(name) for name in frame if frame[name].dtype == float]
    return {name: st.column_config.NumberColumn(format="%+.3f" if name.startswith("change") else "%.3f")
            for name in numbers}


def words(task: Task, side: Side, found: Mapping[str, Answer], gold: float | None, typed: bool) -> list[str]:
    """What the figure shows, as Markdown: which prompts give which answer, which are right, and what the edit did."""
    groups: dict[str, list[str]] = {}
    for name, answer in found.items():
        number = f"{worded(task, answer.predicted)} (expected {answer.expected:.2f})" if task.numeric else \
            f"{answer.confidence:.2f}"
        groups.setdefault(_group(task, answer, gold), []).append(f"{literal(side.called(name))} {number}")
    lines = []
    if gold is not None:
        source = " by the rules of the demo language" if typed else ""
        lines.append(f"The right answer is **{literal(worded(task, gold))}**{source}."
                     + (f" An answer within {FAR:g} counts as right here." if task.numeric else ""))
    else:
        lines.append("The right answer to this text is not known here.")
    lines += [f"{head}: {listed(names)}." for head, names in groups.items()]
    if EDITED in found:
        lines.append(edit_words(task, found[side.opened], found[EDITED]))
    return lines


def edit_words(task: Task, before: Answer, after: Answer) -> str:
    """What the edited prompt does to the run's own answer; Markdown."""
    if task.numeric:
        return f"The edit moves the expected number from {before.expected:.2f} to {after.expected:.2f}."
    said = literal(worded(task, before.predicted))
    if before.predicted == UNREADABLE:
        return "The run writes no label here" + ("; after the edit it does." if after.predicted != UNREADABLE
                                                 else ", and neither does the edited run.")
    flip = f" and **flips the answer** to {literal(worded(task, after.predicted))}" \
        if flipped(task, before, after) else "; the answer stays the same"
    return (f"The edit moves the probability of {said} from {before.confidence:.2f} to "
            f"{before.confidence + moved(task, before, after):.2f}{flip}.")


def _group(task: Task, answer: Answer, gold: float | None) -> str:
    """What the prompts named in one sentence have in common: their label, or for numbers whether they are right."""
    told = right(task, answer, gold)
    if task.numeric:
        return "The numbers" if told is None else "Right" if told else "Wrong"
    return f"**{literal(worded(task, answer.predicted))}**" + ("" if told is None else ", right" if told else ", wrong")
