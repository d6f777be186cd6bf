"""Line figures as SVG geometry, in pixels, for a page without any program: ticks, lines, markers, intervals. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.show.styles import Look, label
from compt_core.runs.points import thin

WIDTH, HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 16, 40, 46
_CHARACTER = 7.4  # width of a letter of the legend
_SIZE = 4.5  # half the width of a marker
_TICKS = 5
_MOST_POINTS = 120  # of one line: more would only make the file larger
Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line: its row of the comparison, points (x, y) by x, and half of each point's interval (0 for none)."""

    row: str
    points: Sequence[Point]
    halves: Sequence[float] = ()
    each_marked: bool = False


@dataclass(frozen=True)
class Axis:
    """What an axis says, its ends, and where it has ticks (value -> text)."""

    title: str
    low: float
    high: float
    ticks: Mapping[float, str]

    def share(self, value: float) -> float:
        """Where a value lies between the ends, 0-1."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Drawn:
    """A line as drawn: colour, dash, path, markers, bars of its intervals (x, top, bottom)."""

    name: str
    colour: str
    dash: str
    path: str
    marks: tuple[str, ...]
    bars: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Rule:
    """A level line across the figure."""

    y: float
    text: str


@dataclass(frozen=True)
class Legend:
    """An entry of the legend: where it begins, and a line's look."""

    x: float
    name: str
    colour: str
    dash: str
    mark: str


@dataclass(frozen=True)
class Figure:
    """What the template draws; `about` is its text alternative."""

    title: str
    about: str
    x_title: str
    y_title: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    lines: tuple[Drawn, ...]
    rules: tuple[Rule, ...]
    legend: tuple[Legend, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def figure(title: str, about: str, series: Sequence[Series], looks: Mapping[str, Look], x: Axis, y: Axis,
           levels: Mapping[str, float] | None = None) -> Figure:
    """The lines `series`, each in the look of its row, with `levels` (name -> y) across them."""

    def across(value: float) -> float:
        return round(_LEFT + x.share(value) * (WIDTH - _LEFT - _RIGHT), 1)

    def up(value: float) -> float:
        return round(HEIGHT - _BOTTOM - y.share(value) * (HEIGHT - _BOTTOM - _TOP), 1)

    def draw(one: Series, shift: float) -> Drawn:
        at = [(across(a) + shift, up(b)) for a, b in thinned(one.points) if math.isfinite(b)]
        how = looks[one.row]
        marked = at if one.each_marked else at[-1:]
        bars = tuple((round(across(a) + shift, 1), up(b + half), up(b - half))
                     for (a, b), half in zip(one.points, one.halves, strict=False) if half > 0)
        path = " ".join(f"{'L' if i else 'M'}{a:.1f} {b:.1f}" for i, (a, b) in enumerate(at))
        marks = tuple(mark(how, *point) for point in marked)
        return Drawn(label(one.row), how.colour, _dash(how), path, marks, bars)

    drawn = {one.row for one in series}
    methods = [name for name in looks if name in drawn]
    side_by_side = {name: 5.0 * (i - (len(methods) - 1) / 2) if any(one.halves for one in series) else 0.0
                    for i, name in enumerate(methods)}  # else intervals of one x would hide each other
    return Figure(
        title, about, x.title, y.title, tuple((across(value), text) for value, text in x.ticks.items()),
        tuple((up(value), text) for value, text in y.ticks.items()),
        tuple(draw(one, side_by_side[one.row]) for one in series),
        tuple(Rule(up(value), name) for name, value in (levels or {}).items()),
        _legend({name: looks[name] for name in methods}))


def ticks(low: float, high: float) -> dict[float, str]:
    """Round values between `low` and `high`, some five of them, with their texts."""
    raw = (high - low) / _TICKS
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * 0.999)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first = math.ceil(low / step - 1e-9)
    return {i * step: f"{i * step:.{digits}f}" for i in range(first, math.floor(high / step + 1e-9) + 1)}


def thinned(points: Sequence[Point], most: int = _MOST_POINTS) -> list[Point]:
    """About `most` of the points, the first and the last, the lowest and the highest among them."""
    return [points[at] for at in thin(np.array([y for _, y in points])[:, None], most)] if points else []


def mark(how: Look, x: float, y: float) -> str:
    """A method's marker around (x, y) as a path."""
    s = _SIZE
    shapes = {
        "circle": f"M{x - s:.1f} {y:.1f}a{s} {s} 0 1 0 {2 * s} 0a{s} {s} 0 1 0 {-2 * s} 0Z",
        "square": f"M{x - s:.1f} {y - s:.1f}h{2 * s}v{2 * s}h{-2 * s}Z",
        "triangle-up": f"M{x:.1f} {y - 1.3 * s:.1f}l{1.2 * s:.1f} {2.2 * s:.1f}h{-2.4 * s:.1f}Z",
        "triangle-down": f"M{x:.1f} {y + 1.3 * s:.1f}l{1.2 * s:.1f} {-2.2 * s:.1f}h{-2.4 * s:.1f}Z",
        "triangle-right": f"M{x + 1.3 * s:.1f} {y:.1f}l{-2.2 * s:.1f} {1.2 * s:.1f}v{-2.4 * s:.1f}Z",
        "triangle-left": f"M{x - 1.3 * s:.1f} {y:.1f}l{2.2 * s:.1f} {1.2 * s:.1f}v{-2.4 * s:.1f}Z",
        "wedge": f"M{x:.1f} {y - 1.3 * s:.1f}l{0.8 * s:.1f} {2.4 * s:.1f}h{-1.6 * s:.1f}Z",
        "stroke": f"M{x - 1.3 * s:.1f} {y - s / 3:.1f}h{2.6 * s:.1f}v{2 * s / 3:.1f}h{-2.6 * s:.1f}Z",
        "diamond": f"M{x:.1f} {y - 1.4 * s:.1f}l{1.2 * s:.1f} {1.4 * s:.1f}l{-1.2 * s:.1f} {1.4 * s:.1f}"
                   f"l{-1.2 * s:.1f} {-1.4 * s:.1f}Z",
    }
    w, arm = s / 3, s - s / 3
    cross = f"M{x - w:.1f} {y - s:.1f}h{2 * w}v{arm}h{arm}v{2 * w}h{-arm}v{arm}h{-2 * w}v{-arm}h{-arm}v{-2 * w}h{arm}Z"
    return shapes.get(how.marker, cross)


def _dash(how: Look) -> str:
    return "" if len(how.dash) == 2 and how.dash[1] == 0 else " ".join(map(str, how.dash))


def _legend(looks: Mapping[str, Look]) -> tuple[Legend, ...]:
    entries, x = [], float(_LEFT)
    for name, how in looks.items():
        entries.append(Legend(round(x, 1), label(name), how.colour, _dash(how), mark(how, x + 14, 14)))
        x += 48 + _CHARACTER * len(label(name))
    return tuple(entries)
