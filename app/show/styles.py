"""One look per method, everywhere: colour, dash and marker (Okabe-Ito colours, at least 3:1 on both themes)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from compt_core.methods.table import METHODS

# Plotly's bar of buttons appears over the top right corner, 26 px high: an empty title keeps what is there below it.
BAR: dict[str, Any] = {"title": {"text": "&nbsp;", "font": {"size": 26}, "automargin": True, "yref": "container",
                                 "y": 1, "yanchor": "top", "pad": {"t": 0, "b": 0}}}
BAR_HEIGHT = 34  # px that it takes
LEGEND: dict[str, Any] = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0}  # far from it


@dataclass(frozen=True)
class Look:
    """How a method is drawn; `dash` in pixels on, off, …; `marker` for Vega-Lite, `symbol` in text."""

    colour: str
    dash: tuple[int, ...]
    marker: str
    symbol: str


LOOKS: dict[str, Look] = {
    "pt": Look("#0072B2", (2, 2), "circle", "●"),
    "mst": Look("#D55E00", (8, 3, 2, 3), "square", "■"),
    "mpt": Look("#B07D00", (1, 3, 5, 3), "triangle-down", "▼"),
    "spp": Look("#009E73", (1, 0), "triangle-up", "▲"),
    "scp": Look("#CC79A7", (6, 4), "diamond", "◆"),
}
_NEW = Look("#808080", (4, 4, 1, 4), "cross", "✚")  # a method that has no look of its own yet
_FURTHER = (  # rows of a comparison beyond the first of their method, in the method's colour
    replace(_NEW, dash=(10, 4)), Look("", (2, 5), "triangle-right", "▶"), Look("", (12, 3, 3, 3), "triangle-left", "◀"),
    Look("", (5, 2, 1, 2, 1, 2), "wedge", "▽"), Look("", (1, 4), "stroke", "▬"))
# One colour and one marker per family, in order; colours are at least 3:1 on both themes.
FAMILY_LOOKS = (("#0072B2", "circle"), ("#D55E00", "square"), ("#009E73", "diamond"), ("#B3578F", "triangle-up"),
                ("#8F7700", "cross"), ("#7A5FB5", "star"))
PRIVATE = "#B86E00"  # a darker shade of the picture's private prompt, >= 3:1 on both themes

# Difference to a baseline: blue above, red-brown below, white at 0 (colour-blind safe, dark at both ends).
DIVERGING = [[0.0, "#8C3B00"], [0.25, "#E08A4F"], [0.5, "#F7F7F7"], [0.75, "#6AA9D0"], [1.0, "#0B4A78"]]
MAGNITUDE = "Cividis"


# Text of figures: Streamlit's own grey for them is 3.7:1 on white. At least 7:1 on the page of either theme.
INKS = {"light": "#3b4642", "dark": "#d5dedb"}


def ink() -> str | None:
    """The colour of a figure's text in the visitor's theme; None while the theme is unknown (Streamlit's own then)."""
    return INKS.get(st.context.theme.type or "") if st.runtime.exists() else None


def look(method: str) -> Look:
    """How a plain method is drawn."""
    return LOOKS.get(method, _NEW)


def looks(variants: Mapping[str, str]) -> dict[str, Look]:
    """How each row of a comparison is drawn (name -> method): colour by method; the first row of a method in its own
    look, each further one with a dash and a marker that no other row has (of five)."""
    found: dict[str, Look] = {}
    seen, further = set[str](), 0
    for name, method in variants.items():
        found[name] = look(method)
        if method in seen:
            found[name] = replace(_FURTHER[further % len(_FURTHER)], colour=look(method).colour)
            further += 1
        seen.add(method)
    return found


def label(row: str) -> str:
    """A row's name as a person reads it: a plain method's title, a variant's own name as it is."""
    return METHODS[row].title if row in METHODS else row


def marked(row: str, looks: Mapping[str, Look] = LOOKS) -> str:
    """A row's name with its marker in front, as in tables: ``"▲ ComPT (SPP)"``."""
    return f"{looks.get(row, _NEW).symbol} {label(row)}"
