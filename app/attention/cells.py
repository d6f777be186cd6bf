"""One weight in detail: a task's use of a source, in sentences and over training. Pure.

K tasks · S sources.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.show.captions import listed, literal, plural
from app.show.courses import Points, course
from app.show.weights import Weights, uniform
from compt_core.analysis.relatedness import similarity

_SHOWN = 3  # tasks named in a sentence


def over_training(curves: Sequence[Points], orders: Sequence[np.ndarray], task: int, tasks: int) -> pd.DataFrame:
    """The task's weights over training (courses.COLUMNS, name = source). `curves` are attention events of the runs with
    values [n, K * S]; `orders` is the order of each run's sources."""
    picked = [(steps, values.reshape(len(steps), tasks, -1)[:, task][:, order])
              for (steps, values), order in zip(curves, orders, strict=True) if len(steps)]
    return course(picked, [f"s{source}" for source in range(len(orders[0]))])


def sentences(drawn: Weights, task: str, source: int, over: Weights | None) -> list[str]:
    """What to say of a task's weight for a source in `drawn`; `over` is the mean over seeds, matched to this run."""
    k = drawn.tasks.index(task)
    row, column = drawn.values[k], drawn.values[:, source]
    place = int((row > row[source]).sum())
    rank = "the largest" if place == 0 else "the smallest" if (row >= row[source]).all() else f"number {place + 1}"
    half = "" if drawn.half is None else f" ± {drawn.half[k, source]:.2f}"
    said = [f"**{literal(task)}** gives source **s{source}** a weight of {row[source]:.2f}{half}. This is {rank} of "
            f"its {len(row)} weights; uniform would be {1 / len(row):.2f}."]
    if over is not None and over.half is not None:
        said.append(f"Over {plural(len(over.each), 'seed')} the mean is {over.values[k, source]:.2f} ± "
                    f"{over.half[k, source]:.2f} after training (95% t-interval). Each seed's sources are put in the "
                    "order nearest to this run's, which by itself makes them more alike.")
    if uniform(drawn):
        return [*said, "All weights are near uniform, so it means nothing which tasks lean on a source most."]
    most = np.argsort(-column, kind="stable")[:_SHOWN]
    said.append(f"The tasks that lean most on s{source}: "
                f"{listed([f'{literal(drawn.tasks[i])} {column[i]:.2f}' for i in most])}.")
    alike = np.mean([similarity(one) for one in drawn.each], axis=0)[k]
    near = [i for i in np.argsort(-alike, kind="stable") if i != k][:_SHOWN]
    if near:
        said.append(f"The nearest tasks by attention (cosine): "
                    f"{listed([f'{literal(drawn.tasks[i])} {alike[i]:.2f}' for i in near])}.")
    return said


def caption(points: pd.DataFrame, task: str, source: int, sources: int) -> str:
    """The curve's take-away in plain text."""
    own = points[points["name"] == f"s{source}"]
    first, last = own.iloc[0], own.iloc[-1]
    runs = f" (mean over {plural(int(last['n']), 'seed')})" if last["n"] > 1 else ""
    return (f"Weight of {task} for source s{source} over training{runs}: {first['value']:.2f} at step {first['step']}, "
            f"{last['value']:.2f} at step {last['step']}; uniform is {1 / sources:.2f}")
