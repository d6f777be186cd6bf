"""Private against shared: the gates and shares of every task, for one run or the mean over seeds. Pure.

n runs · K tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.show import frames
from app.show.captions import literal, plural
from app.show.courses import Points, course
from compt_core.runs.record import RunRecord
from compt_core.scoring.statistics import half_width

NUMBERS = ("alpha", "beta", "private_share", "private_norm_share")
_OVERLAP = "the interval includes 0: these seeds do not tell the two apart"


def numbers(runs: Sequence[RunRecord], order: Sequence[str]) -> pd.DataFrame:
    """Per task, in `order`: NUMBERS as the mean over runs; with several runs also NAME_half, half of the 95%
    t-interval, and n."""
    each = [frames.gates(run).set_index("task").loc[list(order)] for run in runs]
    stacked = np.stack([one[list(NUMBERS)].to_numpy(dtype=float) for one in each])  # [n, K, 4]
    table = pd.DataFrame({"task": list(order), **{name: stacked[:, :, i].mean(0) for i, name in enumerate(NUMBERS)}})
    if len(runs) > 1:
        for i, name in enumerate(NUMBERS):
            table[f"{name}_half"] = [half_width(stacked[:, k, i].tolist()) for k in range(len(order))]
        table["n"] = len(runs)
    return table


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """:func:`numbers` with a line per task and number, as exports.csv takes them: row, column, value, half, n."""
    return pd.DataFrame([
        {"row": line["task"], "column": name, "value": line[name],
         "half": line.get(f"{name}_half", float("nan")), "n": line.get("n", 1)}
        for line in table.to_dict("records") for name in NUMBERS])


def over_training(curves: Sequence[Points], tasks: Sequence[str]) -> dict[str, pd.DataFrame]:
    """alpha and beta of every task (courses.COLUMNS), from gate events (values [n, 2 K], alpha then beta)."""
    filled = [(steps, values.reshape(len(steps), 2, len(tasks))) for steps, values in curves if len(steps)]
    return {name: course([(steps, values[:, i]) for steps, values in filled], tasks)
            for i, name in enumerate(("alpha", "beta"))}


def is_still(points: pd.DataFrame) -> bool:
    """Whether none of the lines (courses.COLUMNS) ever moves."""
    return bool((points.groupby("name")["value"].agg(np.ptp) < 1e-6).all())


def moved(points: pd.DataFrame, gate: str, task: str) -> str:
    """How a task's gate moved over training, compared with the other tasks; plain text."""
    own = points[points["name"] == task]
    first, last = own.iloc[0], own.iloc[-1]
    ends = points[points["step"] == last["step"]]["value"]
    half = f" ± {last['half']:.2f}" if last["n"] > 1 else ""
    runs = f"mean over {plural(int(last['n']), 'seed')}" if last["n"] > 1 else "one run: no interval"
    return (f"{gate} of {task} went from {first['value']:.2f} at step {first['step']} to {last['value']:.2f}{half} at "
            f"step {last['step']} ({runs}); all tasks end between {ends.min():.2f} and {ends.max():.2f}")


def spread(runs: Sequence[RunRecord]) -> list[str]:
    """How many seeds there are, and whether they tell the task that leans most on its private prompt from the one that
    leans least. Empty for one run."""
    if len(runs) < 2:
        return []
    found = [f"Mean over {plural(len(runs), 'seed')}; intervals are 95% t-intervals over seeds."]
    share = pd.DataFrame([frames.gates(run).set_index("task")["private_norm_share"] for run in runs])
    means = share.mean()
    if len(means) < 2 or means.isna().any():
        return found
    most, least = str(means.idxmax()), str(means.idxmin())
    gaps = (share[most] - share[least]).tolist()
    mean, half = float(np.mean(gaps)), half_width(gaps) or 0.0
    verdict = f"; {_OVERLAP}" if mean - half <= 0 else ""
    return [*found, f"{literal(most)} leans more on its private prompt than {literal(least)}, by {100 * mean:.0f} ± "
                    f"{100 * half:.0f} points of the norm (paired by seed{verdict}). These two were picked as the "
                    "extremes, which makes their difference look larger than it is."]
