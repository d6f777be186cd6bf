"""One look per method, everywhere: label, colour, dash and marker (Okabe-Ito colours, >= 3:1 on both themes)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """How a method is written and drawn; `dash` in pixels on, off, …; `marker` in Vega-Lite's words, `symbol` in text."""

    label: str
    colour: str
    dash: tuple[int, ...]
    marker: str
    symbol: str


METHODS: dict[str, Look] = {
    "pt": Look("PT", "#0072B2", (2, 2), "circle", "●"),
    "mst": Look("MST", "#D55E00", (8, 3, 2, 3), "square", "■"),
    "spp": Look("ComPT (SPP)", "#009E73", (1, 0), "triangle-up", "▲"),
    "scp": Look("ComPT (SCP)", "#CC79A7", (6, 4), "diamond", "◆"),
}
PRIVATE = "#B86E00"  # a darker shade of the picture's private prompt, >= 3:1 on both themes

# Difference to a baseline: blue above, red-brown below, white at 0 (colour-blind safe, dark at both ends).
DIVERGING = [[0.0, "#8C3B00"], [0.25, "#E08A4F"], [0.5, "#F7F7F7"], [0.75, "#6AA9D0"], [1.0, "#0B4A78"]]
MAGNITUDE = "Cividis"


def label(method: str) -> str:
    """A method's name as a person reads it; anything unknown as it is."""
    return METHODS[method].label if method in METHODS else method


def marked(method: str) -> str:
    """A method's name with its marker in front, as in tables: ``"▲ ComPT (SPP)"``."""
    return f"{METHODS[method].symbol} {METHODS[method].label}" if method in METHODS else method
