"""One word left out at a time: how much the answer depends on each. Pure, except for the theme's text colour."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.show.captions import literal, plural
from app.show.styles import BAR_HEIGHT, ink
from app.whatif.bench.side import flipped, plain
from compt_core.tasks.spec import Task
from compt_core.whatif.answer import Answer, moved, worded
from compt_core.whatif.texts import Texts, brief, words
from compt_core.whatif.variants import WORDS

_LESS, _MORE = "#C4621F", "#2E7FB8"  # as in differences: below and above 0; at least 3:1 on both themes
_SHOWN = 3
_LEAST = 0.05  # half of the axis is at least this long, so that rounding errors do not look like changes
_NOTHING = 0.005


def table(task: Task, whole: Answer, left: Sequence[tuple[int, str, Texts]], found: Sequence[Answer]) -> pd.DataFrame:
    """A row per word that was left out: its text, the word, the change, and the answer without it."""
    return pd.DataFrame([
        {"text": task.columns[text], "word": word, "change": moved(task, whole, answer),
         "answer without it": worded(task, answer.predicted), "flips": flipped(task, whole, answer)}
        for (text, word, _), answer in zip(left, found, strict=True)])


def figure(frame: pd.DataFrame, what: str) -> go.Figure:
    """The changes as bars in reading order; a bar has a frame if the answer changes without its word."""
    colours = [_MORE if change > 0 else _LESS for change in frame["change"]]
    marks = [html.escape(brief(word, 16)) + (" ⇄" if flip else "")
             for word, flip in zip(frame["word"], frame["flips"], strict=True)]
    drawn = go.Figure(go.Bar(
        x=list(range(len(frame))), y=frame["change"], customdata=marks,
        marker={"color": colours, "line": {"width": [2.5 if flip else 0 for flip in frame["flips"]], "color": ink()}},
        hovertemplate="without %{customdata}: %{y:+.3f}<extra></extra>"))
    for place in np.flatnonzero(frame["text"] != frame["text"].shift())[1:]:  # between the texts
        drawn.add_vline(x=float(place) - 0.5, line={"width": 1, "dash": "dot", "color": "#888888"})
    drawn.add_hline(y=0, line={"width": 1, "color": "#888888"})
    drawn.update_xaxes(tickvals=list(range(len(frame))), ticktext=marks, tickangle=-50, showgrid=False)
    low, high = 1.08 * min(-_LEAST, frame["change"].min()), 1.08 * max(_LEAST, frame["change"].max())
    drawn.update_yaxes(title=what, range=[low, high], gridcolor="rgba(128,128,128,0.25)")
    return plain(drawn, height=320 + BAR_HEIGHT, margin={"l": 8, "r": 8, "t": 8 + BAR_HEIGHT, "b": 8}, bargap=0.2)


def measured(task: Task, whole: Answer) -> str:
    """Which number the changes are changes of."""
    return "change of the expected number" if task.numeric else f"change of p({worded(task, whole.predicted)})"


def reading(task: Task, whole: Answer, frame: pd.DataFrame, texts: Texts) -> list[str]:
    """The words that the answer depends on most, as Markdown."""
    order = frame["change"].abs().sort_values(ascending=False, kind="stable").index[:_SHOWN]
    most = ", ".join(f"“{literal(frame.loc[i, 'word'])}” ({frame.loc[i, 'change']:+.2f})" for i in order)
    base = f"expected {whole.expected:.2f}" if task.numeric else \
        f"{literal(worded(task, whole.predicted))}, {whole.confidence:.2f}"
    flips, largest = int(frame["flips"].sum()), frame["change"].abs().max()
    without = "one" if flips == 1 else str(flips)
    lines = [f"With all words: {base}. " + (f"Leaving out one word changes this most for {most}." if largest >= _NOTHING
                                            else "Leaving out any one word changes this by less than 0.01."),
             f"The answer changes without {without} of these {plural(len(frame), 'word')}." if flips else
             "The answer stays the same whichever word is left out."]
    total = len(words(texts))
    if total > len(frame):
        lines.append(f"Only the first {WORDS} of {plural(total, 'word')} are left out in turn.")
    return lines
