"""What the Attention page computes from stored runs: weights at a step, means over seeds, order, relatedness. Pure.

n runs · K tasks · S sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from compt_core.matching import matched
from compt_core.means import half_width
from compt_core.relatedness import Mantel, mantel, similarity
from compt_core.runs.record import RunRecord
from compt_core.tasks.table import TASKS

TRAINED = "trained"


@dataclass(frozen=True)
class Weights:
    """Attention as drawn: [K, S] of one run, or the mean of n runs whose sources were matched, with half intervals."""

    tasks: tuple[str, ...]
    values: np.ndarray
    half: np.ndarray | None  # half of the 95% t-interval over seeds [K, S]; None for one run
    each: np.ndarray  # [n, K, S], sources in one order


def of_run(run: RunRecord) -> np.ndarray:
    """The attention [K, S] of a completed run as used."""
    return np.array((run.result or {})["attention"], dtype=float)


def seeds_of(run: RunRecord, runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs of `runs` that differ from `run` by their seed alone, itself included."""
    return [one for one in runs if (one.method, one.shots) == (run.method, run.shots)]


def single(run: RunRecord, values: np.ndarray | None = None) -> Weights:
    """One run as it ended, or with `values` [K, S] of a step before."""
    shown = of_run(run) if values is None else values
    return Weights(tuple(run.config["tasks"]), shown, None, shown[None])


def mean(runs: Sequence[RunRecord]) -> Weights:
    """The mean over runs of one method and shot count, sources matched first."""
    each = matched([of_run(run) for run in runs])
    half = np.array([[half_width(each[:, k, s].tolist()) or 0.0 for s in range(each.shape[2])]
                     for k in range(each.shape[1])])
    return Weights(tuple(runs[0].config["tasks"]), each.mean(0), half, each)


def clustered(weights: Weights) -> list[str]:
    """The tasks in an order that puts those with similar attention next to each other (average linkage on cosine)."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(weights.tasks) < 3:
        return list(weights.tasks)
    distance = np.clip(1 - np.mean([similarity(one) for one in weights.each], axis=0), 0, None)
    np.fill_diagonal(distance, 0)
    order = leaves_list(linkage(squareform((distance + distance.T) / 2), "average", optimal_ordering=True))
    return [weights.tasks[i] for i in order]


def frame(weights: Weights, order: Sequence[str]) -> pd.DataFrame:
    """As drawn: row (task), column (source), value, half, n; tasks in `order`, source 0 is 's0'."""
    at = {task: k for k, task in enumerate(weights.tasks)}
    return pd.DataFrame([
        {"row": task, "column": f"s{s}", "value": float(weights.values[at[task], s]), "n": len(weights.each),
         "half": float("nan") if weights.half is None else float(weights.half[at[task], s])}
        for task in order for s in range(weights.values.shape[1])
    ])


def spread(weights: Weights) -> tuple[float, float]:
    """(entropy of a task's weights as a share of the largest, log S; sources with a weight above .01), means."""
    rows = weights.each / np.where(weights.each.sum(-1, keepdims=True) > 0, weights.each.sum(-1, keepdims=True), 1)
    largest = np.log(rows.shape[-1]) or 1.0
    entropy = -(rows * np.log(np.where(rows > 0, rows, 1))).sum(-1) / largest
    return float(entropy.mean()), float((weights.each > 0.01).any(1).sum(-1).mean())


def families(tasks: Sequence[str]) -> np.ndarray | None:
    """Known relatedness [K, K], 1 within a family; None where not both kinds of pairs occur."""
    names = [TASKS[task].family if task in TASKS else task for task in tasks]
    truth = np.array([[float(one == two) for two in names] for one in names])
    pairs = truth[np.triu_indices(len(names), k=1)]
    return truth if len(names) > 3 and 0 < pairs.sum() < len(pairs) else None


def relatedness(weights: Weights) -> Mantel | None:
    """Mantel's test of the attention's similarity of tasks against their families; None where these say nothing."""
    truth = families(weights.tasks)
    return None if truth is None else mantel([similarity(one) for one in weights.each], truth)


def shares(run: RunRecord, steps: np.ndarray, values: np.ndarray) -> Mapping[str, np.ndarray]:
    """Step as text -> attention [K, S] for every recorded step of a run, the last one as TRAINED."""
    shape = (-1, *of_run(run).shape)
    found: dict[str, Any] = {str(step): one for step, one in zip(steps.tolist(), values.reshape(shape), strict=True)}
    if found:
        found.pop(str(int(steps[-1])))
    return {**found, TRAINED: of_run(run)}
