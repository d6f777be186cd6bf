"""The sentences whose answer an edit changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.show import columns
from compt_core.scoring.predictions import UNREADABLE
from compt_core.tasks.spec import Row, Task
from compt_core.whatif.change import Change

MOST = 200  # rows shown
_COLUMNS = ("row", "what", "right", "trained", "edited")
RIGHT, WRONG, OTHER = "now right", "now wrong", "wrong in another way"


def table(task: Task, rows: Sequence[Row], change: Change, before: np.ndarray, after: np.ndarray) -> pd.DataFrame:
    """The flipped rows, newly wrong ones first: row, what happened, right, trained and edited answer, texts."""
    lost, gained = set(change.lost), set(change.gained)
    found = [{"row": i, "what": WRONG if i in lost else RIGHT if i in gained else OTHER,
              "right": _said(task, rows[i].value), "trained": _said(task, before[i]), "edited": _said(task, after[i]),
              **columns.beside(_COLUMNS, task.columns, rows[i].texts)} for i in change.flipped]
    if task.numeric:
        for line in found:
            del line["what"]
        return pd.DataFrame(found[:MOST])
    order = {WRONG: 0, RIGHT: 1, OTHER: 2}
    return pd.DataFrame(sorted(found, key=lambda line: order[str(line["what"])])[:MOST])


def _said(task: Task, value: float) -> str:
    if task.numeric:
        return f"{value:.1f}"
    return "(no label)" if value == UNREADABLE else task.labels[int(value)]
