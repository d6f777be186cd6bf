"""Prompts over training, from the sketches among a run's points: how far they turned and grew. Pure.

n recorded steps · N prompts · d numbers of a sketch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compt_core.analysis.projections import Map, pca
from compt_core.composition.geometry import Prompt, one_length, unsketched

HALF = 0.5  # half way, measured as cosine with the end


@dataclass(frozen=True)
class Journey:
    """The steps [n] of a run, and its prompts' norms [n, N] and directions [n, N, d].

    If `whole`, directions are of whole prompts and norms are of one vector (root mean square). Otherwise, when the
    run's prompts differ in length, both are of the mean of each prompt's vectors.
    """

    prompts: tuple[Prompt, ...]
    steps: tuple[int, ...]
    norms: np.ndarray
    directions: np.ndarray
    whole: bool


def journey(steps: np.ndarray, values: np.ndarray, prompts: Sequence[Prompt], groups: Sequence[str]) -> Journey | None:
    """The recorded paths of the prompts in `groups`; `prompts` are all of a run's, in order. None if fewer than two
    steps were recorded."""
    at = [i for i, one in enumerate(prompts) if one.group in groups]
    if len(steps) < 2 or not at or values.shape[1] % len(prompts):
        return None
    norms, directions = unsketched(values, len(prompts))
    whole = one_length([one.vectors.shape for one in prompts])
    norms = norms / np.sqrt(len(prompts[0].vectors)) if whole else norms
    return Journey(tuple(prompts[i] for i in at), tuple(map(int, steps)), norms[:, at], directions[:, at], whole)


def mapped(way: Journey, lay_out: Callable[[np.ndarray], Map] = pca) -> tuple[np.ndarray, tuple[float, float]]:
    """All prompts at all steps along the two main components of their directions [n, N, 2], and how much these explain.

    `lay_out` is the PCA of rows [n N, d], or a cached one.
    """
    found = lay_out(way.directions.reshape(-1, way.directions.shape[2]))
    return found.points.reshape(*way.directions.shape[:2], 2), found.explained or (0.0, 0.0)


def turned(way: Journey) -> np.ndarray:
    """Cosine of each prompt at each step with itself at the end [n, N]."""
    lengths = np.linalg.norm(way.directions, axis=2)
    products = (way.directions * way.directions[-1]).sum(2)
    return np.asarray(products / np.maximum(lengths * lengths[-1], 1e-12))


def by_group(way: Journey, values: np.ndarray) -> pd.DataFrame:
    """Median, lowest and highest of `values` [n, N] over each group's prompts: step, group, value, low, high."""
    rows = []
    for group in dict.fromkeys(one.group for one in way.prompts):
        own = values[:, [i for i, one in enumerate(way.prompts) if one.group == group]]
        rows += [{"step": step, "group": group, "value": float(np.median(row)), "low": float(row.min()),
                  "high": float(row.max())} for step, row in zip(way.steps, own, strict=True)]
    return pd.DataFrame(rows)


def sentences(way: Journey, word: float | None = None) -> list[str]:
    """For each group how far its prompts turned and grew, and when they were half way; `word` is the norm of a word's
    embedding, if it is known."""
    found = []
    turns, sizes = by_group(way, turned(way)), by_group(way, way.norms)
    for group, part in turns.groupby("group", sort=False):
        size = sizes[sizes["group"] == group]["value"]
        half = _for_good(part["value"].to_numpy())
        turn = "" if half is None else (  # prompts that ended as zeros have no direction to turn to
            f"their direction at step {way.steps[0]} has a cosine of {part['value'].iloc[0]:.2f} with their final "
            f"direction (median); from step {way.steps[half]} on it is {HALF} or more. ")
        times = f", {size.iloc[-1] / word:.3g} times the size of a word's embedding" if word else ""
        norm = (f"{'a vector' if way.whole else 'the mean of their vectors'} had a norm of {size.iloc[0]:.3g} at first "
                f"and {size.iloc[-1]:.3g} at the end{times}.")
        found.append(f"{str(group).capitalize()} prompts: {turn}{norm[0].upper() + norm[1:] if turn else norm}")
    return found


def _for_good(values: np.ndarray) -> int | None:
    """The index from which `values` stay at HALF or more to the end; None if the last one is below."""
    below = np.flatnonzero(~(values >= HALF))
    start = int(below[-1]) + 1 if len(below) else 0
    return start if start < len(values) else None
