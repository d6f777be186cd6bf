"""What a method answered on a task's dev rows: counts by right answer, and the rows it gets wrong. Pure.

n runs (seeds) · N dev rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from app.show import columns
from compt_core.errors import plural
from compt_core.scoring.predictions import UNREADABLE
from compt_core.tasks.spec import Row, Task

UNREAD = "(no label)"  # a generated text that is none of the task's
FAR = 1.0  # points on a numeric task's scale from which an answer counts as wrong here
_CALLED = ("right answer",)  # what pages call the column "right"


@dataclass(frozen=True)
class Answers:
    """Predictions [n, N] of n runs on the N `rows` of `task`: label indices, or numbers of a numeric task."""

    task: Task
    rows: tuple[Row, ...]
    predicted: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """[n, N], whether an answer is wrong; of a numeric task, FAR or more from the right one."""
        gold = np.array([row.value for row in self.rows])
        return np.abs(self.predicted - gold) >= FAR if self.task.numeric else self.predicted != gold


def names(task: Task) -> list[str]:
    """What is told apart: a task's label words, or the whole numbers of a numeric task's scale."""
    if not task.numeric:
        return list(task.labels)
    return [str(number) for number in range(int(float(task.labels[0])), int(float(task.labels[-1])) + 1)]


def confusion(answers: Answers) -> pd.DataFrame:
    """Counts over runs and rows: row (right answer), column (answered), value; with the columns that a heatmap needs.

    Numbers of a numeric task are rounded. Answers that are no label have a column of their own where there are any.
    """
    told = names(answers.task)
    columns = [*told, UNREAD] if (answers.predicted == UNREADABLE).any() and not answers.task.numeric else told
    counts = Counter((_named(answers.task, row.value), _named(answers.task, value))
                     for run in answers.predicted for row, value in zip(answers.rows, run, strict=True))
    return pd.DataFrame([
        {"row": gold, "column": said, "value": float(counts[gold, said]), "half": float("nan"), "n": 1}
        for gold in told for said in columns
    ])


def table(answers: Answers) -> pd.DataFrame:
    """The rows with a wrong answer, those that are wrong in the most runs first: wrong in, right, answered, texts.

    `answered` is the most frequent wrong answer; for a numeric task the mean one, and `off by` the mean distance.
    """
    wrong, found = answers.wrong, []
    for number, row in enumerate(answers.rows):
        times = int(wrong[:, number].sum())
        if times:
            given = answers.predicted[wrong[:, number], number]
            said = {"wrong in": times, **_compared(answers, row, given, answers.predicted[:, number])}
            found.append({**said, **columns.beside((*said, *_CALLED), answers.task.columns, row.texts)})
    frame = pd.DataFrame(found)
    order = [name for name in ("wrong in", "off by") if name in frame]
    return frame.sort_values(order, ascending=False, kind="stable") if len(frame) else frame


def _compared(answers: Answers, row: Row, wrong: np.ndarray, given: np.ndarray) -> dict[str, object]:
    if answers.task.numeric:
        return {"right": round(row.value, 2), "answered": round(float(given.mean()), 2),
                "off by": round(float(np.abs(given - row.value).mean()), 2)}
    most, _ = Counter(_named(answers.task, value) for value in wrong).most_common(1)[0]
    return {"right": _named(answers.task, row.value), "answered": most}


def reading(answers: Answers, who: str) -> list[str]:
    """What the matrix shows, in words: how many are wrong, and which mistake is the most frequent; plain text."""
    wrong, (n, rows) = answers.wrong, answers.predicted.shape
    over = f" over {plural(n, 'seed')}" if n > 1 else ""
    kind = f"{FAR:g} or more off" if answers.task.numeric else "wrong"
    found = [f"{who}: {int(wrong.sum())} of {plural(n * rows, 'answer')}{over} {'is' if wrong.sum() == 1 else 'are'} "
             f"{kind} ({plural(rows, 'dev row')})."]
    cells = [cell for cell in confusion(answers).to_dict("records") if cell["row"] != cell["column"] and cell["value"]]
    if cells and not answers.task.numeric:
        worst = max(cells, key=lambda cell: float(cell["value"]))
        found.append(f"Most often it says “{worst['column']}” where “{worst['row']}” is right "
                     f"({plural(int(worst['value']), 'time')}).")
    always, never = int(wrong.all(0).sum()), int((~wrong).all(0).sum())
    if n > 1:
        found.append(f"{plural(always, 'row')} {'is' if always == 1 else 'are'} {kind} in every seed, {never} in none.")
    if rows > 1 and np.ptp(answers.predicted) < 1e-9:
        found.append(f"It gives one answer to every row: “{_named(answers.task, answers.predicted.flat[0])}”.")
    return found


def _named(task: Task, value: float) -> str:
    if task.numeric:
        return str(int(np.floor(value + 0.5)))
    return UNREAD if value == UNREADABLE else task.labels[int(value)]
