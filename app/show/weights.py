"""What the Attention page computes from stored runs: weights at a step, means over seeds, order, relatedness. Pure.

n runs · K tasks · S sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from compt_core.analysis.matching import matched, order_like
from compt_core.analysis.relatedness import Mantel, mantel, similarity
from compt_core.runs.points import decimals
from compt_core.runs.record import RunRecord
from compt_core.scoring.statistics import half_width
from compt_core.tasks.catalogue import Catalogue

TRAINED = "trained"
NEAR_UNIFORM = 0.05  # largest distance of a share from 1 / S that still counts as uniform


@dataclass(frozen=True)
class Weights:
    """Attention as drawn: [K, S] of one run, or the mean of n runs whose sources were matched, with half intervals."""

    tasks: tuple[str, ...]
    values: np.ndarray
    half: np.ndarray | None  # half of the 95% t-interval over seeds [K, S]; None for one run
    each: np.ndarray  # [n, K, S], sources in one order
    families: tuple[str, ...]  # of the tasks [K], as their experiment defines them


def of_run(run: RunRecord) -> np.ndarray:
    """The attention [K, S] of a completed run as used."""
    return np.array((run.result or {})["attention"], dtype=float)


def seeds_of(run: RunRecord, runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs of `runs` that differ from `run` by their seed alone, itself included."""
    return [one for one in runs if (one.variant, one.shots) == (run.variant, run.shots)]


def single(run: RunRecord, values: np.ndarray | None = None) -> Weights:
    """One run as it ended, or with `values` [K, S] of a step before."""
    shown = of_run(run) if values is None else values
    return Weights(tuple(run.config["tasks"]), shown, None, shown[None], _families_of(run))


def mean(runs: Sequence[RunRecord]) -> Weights:
    """The mean over runs of one method and shot count, sources matched first."""
    return _averaged(runs[0], matched([of_run(run) for run in runs]))


def _averaged(run: RunRecord, each: np.ndarray) -> Weights:
    half = np.array([[half_width(each[:, k, s].tolist()) or 0.0 for s in range(each.shape[2])]
                     for k in range(each.shape[1])])
    return Weights(tuple(run.config["tasks"]), each.mean(0), half, each, _families_of(run))


def _families_of(run: RunRecord) -> tuple[str, ...]:
    return tuple(run.tasks.family(task) for task in run.config["tasks"])


def like(run: RunRecord, mates: Sequence[RunRecord]) -> Weights:
    """The mean over `mates`, each with its sources in the order nearest to `run`'s."""
    each = np.stack([of_run(one)[:, order] for one, order in zip(mates, orders(of_run(run), mates), strict=True)])
    return _averaged(run, each)


def orders(reference: np.ndarray, runs: Sequence[RunRecord]) -> list[np.ndarray]:
    """Per run the order of its sources [S] that brings it nearest to `reference` [K, S], or to its own layer of
    `reference` [n, K, S]."""
    layers = reference if reference.ndim == 3 else [reference] * len(runs)
    return [order_like(layer, of_run(run)) for layer, run in zip(layers, runs, strict=True)]


def distances(weights: Weights) -> np.ndarray:
    """How far apart the tasks' attention is [K, K]: 1 - cosine, mean over runs; 0 to 1, 0 on the diagonal."""
    found = np.clip(1 - np.mean([similarity(one) for one in weights.each], axis=0), 0, None)
    np.fill_diagonal(found, 0)
    return np.asarray((found + found.T) / 2)


def linked(weights: Weights) -> np.ndarray:
    """The tree of at least two tasks by attention, in scipy's form [K - 1, 4]: average linkage, alike leaves beside
    each other."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    return np.asarray(linkage(squareform(distances(weights)), "average", optimal_ordering=True))


def clustered(weights: Weights) -> list[str]:
    """The tasks in an order that puts those with similar attention next to each other (average linkage on cosine)."""
    from scipy.cluster.hierarchy import leaves_list

    if len(weights.tasks) < 3:
        return list(weights.tasks)
    return [weights.tasks[i] for i in leaves_list(linked(weights))]


def uniform(weights: Weights) -> bool:
    """Whether no weight, as a share of its task's, is far (NEAR_UNIFORM) from 1 / S: nothing to read into."""
    sums = weights.each.sum(-1, keepdims=True)
    shares = weights.each / np.where(sums > 0, sums, 1)
    return bool(np.abs(shares - 1 / shares.shape[-1]).max() <= NEAR_UNIFORM)


def by_family(tasks: Sequence[str], known: Catalogue) -> list[str]:
    """The tasks with those of one family beside each other; families and tasks by their first appearance."""
    return _grouped(tasks, [known.family(task) for task in tasks])


def grouped(weights: Weights) -> list[str]:
    """Its tasks as :func:`by_family` puts them."""
    return _grouped(weights.tasks, weights.families)


def _grouped(tasks: Sequence[str], families: Sequence[str]) -> list[str]:
    names, of = list(dict.fromkeys(families)), dict(zip(tasks, families, strict=True))
    return sorted(tasks, key=lambda task: names.index(of[task]))


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


def related(names: Sequence[str]) -> np.ndarray | None:
    """Known relatedness [K, K] of tasks by their families' `names`, 1 within one; None where not both kinds of pairs
    occur."""
    if len(names) < 4:
        return None
    truth = np.array([[float(one == two) for two in names] for one in names])
    pairs = truth[np.triu_indices(len(names), k=1)]
    return truth if 0 < pairs.sum() < len(pairs) else None


def relatedness(weights: Weights) -> tuple[Mantel, Mantel] | None:
    """Mantel's test of the attention's similarity of tasks against their families, of ranks (Spearman) and of the
    similarities themselves (Pearson); None where the families say nothing."""
    truth, own = related(weights.families), [similarity(one) for one in weights.each]
    return None if truth is None else (mantel(own, truth, ranks=True), mantel(own, truth))


def shares(run: RunRecord, steps: np.ndarray, values: np.ndarray) -> Mapping[str, np.ndarray]:
    """Step as text -> attention [K, S] for every recorded step of a run, the last one as TRAINED."""
    shape = (-1, *of_run(run).shape)
    found: dict[str, Any] = {str(step): one for step, one in zip(
        steps.tolist(), decimals(values).reshape(shape), strict=True)}
    if found:
        found.pop(str(int(steps[-1])))
    return {**found, TRAINED: of_run(run)}
