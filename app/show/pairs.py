"""Which rows of a comparison are held against which."""

from __future__ import annotations

import pandas as pd

from compt_core.methods.table import METHODS


def pairs(scores: pd.DataFrame) -> dict[str, list[str]]:
    """Baseline -> the rows that sentences compare with it: rows of ComPT with every row that has no attention, and the
    variants of one method with the first of them."""
    rows = dict(zip(scores["variant"], scores["method"], strict=True))
    composed = [name for name, method in rows.items() if METHODS[method].composed]
    found = {name: list(composed) for name in rows if composed and name not in composed}
    for method in dict.fromkeys(rows.values()):
        first, *others = (name for name, own in rows.items() if own == method)
        if others:
            found.setdefault(first, []).extend(others)
    return found
