"""What a page shows, as files: every number as stored in CSV, a table ready for a paper in LaTeX. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from app.show.frames import IDENTICAL, REFERENCES, same
from app.show.styles import label
from compt_core.exchange.export import harmless

_LATEX = str.maketrans({"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
                        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
                        "·": r"$\cdot$", "<": r"\textless{}", ">": r"\textgreater{}"})


def csv(cells: pd.DataFrame, row: str = "variant") -> bytes:
    """The cells (frames.SUMMARY, or weights.frame) as CSV, a line per cell, numbers with all their digits.

    Values are as stored, not in points.
    """
    return table(cells.rename(columns={"row": row}))


def table(frame: pd.DataFrame) -> bytes:
    """Any table as CSV; texts that a spreadsheet would take for a formula get an apostrophe in front."""
    return frame.map(_cell_of_csv).rename(columns=_cell_of_csv).to_csv(index=False).encode()


def latex(cells: pd.DataFrame, about: str, signed: bool = False) -> bytes:
    """Scores in points (frames.SUMMARY) as a LaTeX table: a line per task, a column per method, mean ± half of the
    95% t-interval. `about` becomes the caption; needs the package booktabs."""
    methods, columns = list(pd.unique(cells["row"])), list(pd.unique(cells["column"]))
    at = {(cell["row"], cell["column"]): _cell(float(cell["value"]), float(cell["half"]), signed)
          for cell in cells.to_dict("records")}
    head = ["", *(escape(REFERENCES.get(method, label(method))) for method in methods)]
    lines = [[escape(column), *(at.get((method, column), "") for method in methods)] for column in columns]
    body = [r"\begin{table}", r"\centering", rf"\caption{{{escape(about)}}}",
            rf"\begin{{tabular}}{{l{'r' * len(methods)}}}", r"\toprule", _line(head), r"\midrule",
            *map(_line, lines), r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(body).encode()


def _cell_of_csv(value: object) -> object:
    return harmless(value) if isinstance(value, str) else value


def escape(text: str) -> str:
    """Text as LaTeX prints it."""
    return text.translate(_LATEX)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(value: float, half: float, signed: bool) -> str:
    if value != value:
        return "undef."
    number = f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}"
    if half != half:
        return f"${number}$"
    return f"${number}$ ({IDENTICAL})" if same(half) else rf"${number} \pm {100 * half:.1f}$"
