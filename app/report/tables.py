"""Heatmaps as plain tables: number, background and text colour per cell. Tasks are rows, so they fit a page. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

import pandas as pd
from plotly.colors import sample_colorscale

from app.show import charts, frames, styles
from app.show.charts import Scale
from app.show.frames import MEAN, NORMALISED
from compt_core.scoring.statistics import half_width

_SHADES = 100  # steps of a colour scale


@dataclass(frozen=True)
class Cell:
    """A number, what stands small beside it, and its colours ("" where it has none)."""

    text: str
    beside: str = ""
    background: str = ""
    ink: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption, a heading per column and per row; the `apart` rows stand below a line."""

    caption: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    apart: frozenset[str] = frozenset()
    numbers: bool = True  # else words, which begin at the left


def scores(cells: pd.DataFrame, scale: Scale, caption: str, ends: tuple[float, float],
           looks: Mapping[str, styles.Look]) -> Table:
    """Scores or differences (frames.SUMMARY): a line per task and mean, a column per row of the comparison,
    references last.

    `ends` are the values at the ends of the colours (charts.limits), the same for tables that are compared.
    """
    placed = cells.rename(columns={"row": "column", "column": "row"})
    return _heat(placed, cells, scale, caption, ends,
                 lambda row: frames.REFERENCES.get(row) or styles.marked(row, looks))


def weights(cells: pd.DataFrame, caption: str) -> Table:
    """Attention (weights.frame): a row per task, a column per source."""
    return _heat(cells, cells, "weight", caption, charts.limits(cells, "weight"), str)


def means(parts: Sequence[pd.DataFrame], caption: str, names: Mapping[str, str]) -> Table:
    """Numbers per task (column "task"), as means over `parts` with half intervals; `names` are the columns shown."""
    tasks, each = list(parts[0]["task"]), {name: [part[name].tolist() for part in parts] for name in names}

    def cell(name: str, at: int) -> Cell:
        values = [part[at] for part in each[name]]
        if any(math.isnan(value) for value in values):
            return Cell("–")
        half = half_width(values)
        return Cell(f"{fmean(values):.2f}", "" if half is None else f"±{half:.2f}")

    rows = tuple((task, tuple(cell(name, at) for name in names)) for at, task in enumerate(tasks))
    return Table(caption, "task", tuple(names.values()), rows)


def words(rows: Mapping[str, Sequence[str]], caption: str, corner: str, columns: Sequence[str]) -> Table:
    """Text, a row per key."""
    cells = tuple((name, tuple(Cell(text) for text in texts)) for name, texts in rows.items())
    return Table(caption, corner, tuple(columns), cells, numbers=False)


def _heat(placed: pd.DataFrame, cells: pd.DataFrame, scale: Scale, caption: str,
          ends: tuple[float, float], named: Callable[[str], str]) -> Table:
    """`placed` are the `cells` with the rows and columns of the table."""
    rows, columns = list(pd.unique(placed["row"])), list(pd.unique(placed["column"]))
    at = {(where.row, where.column): _cell(cell, scale, *ends)
          for where, cell in zip(placed.itertuples(index=False), cells.itertuples(index=False), strict=True)}
    lines = tuple((row, tuple(at.get((row, column), Cell("")) for column in columns)) for row in rows)
    return Table(caption, "task", tuple(map(named, columns)), lines, frozenset({MEAN, NORMALISED}))


def _cell(cell: Any, scale: Scale, low: float, high: float) -> Cell:
    text, _, beside = charts.cell_text(cell, scale).partition("<br>")
    value = charts.colour_value(cell, scale)
    if value is None:
        return Cell(text, beside)
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return Cell(text, beside, *_palette(scale)[round(share * _SHADES)])


@lru_cache(maxsize=3)
def _palette(scale: Scale) -> Sequence[tuple[str, str]]:
    """(background, text colour) along a colour scale."""
    colours = styles.DIVERGING if scale == "difference" else styles.MAGNITUDE
    shares = [i / _SHADES for i in range(_SHADES + 1)]
    inks = [charts.ink_on(share, colours) for share in shares]
    return list(zip(sample_colorscale(colours, shares), inks, strict=True))
