"""Prompts over training, from the sketches that a run's points hold: how far they turned and grew. Pure.

n recorded steps · N prompts · d numbers of a sketch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compt_core.space import Prompt, one_length, pca, unsketched

HALF = 0.5  # of the way, measured as cosine with the end


@dataclass(frozen=True)
class Journey:
    """Of the prompts: steps [n], norms [n, N] and directions [n, N, d].

    The directions are of whole prompts and the norms of a vector of theirs (root mean square) where `whole`; else, of
    a run whose prompts differ in length, both are of the mean of their vectors.
    """

    prompts: tuple[Prompt, ...]
    steps: tuple[int, ...]
    norms: np.ndarray
    directions: np.ndarray
    whole: bool


def journey(steps: np.ndarray, values: np.ndarray, prompts: Sequence[Prompt], groups: Sequence[str]) -> Journey | None:
    """The recorded ways of those of a run's `prompts` (all of them, in order) that are of `groups`; None without two
    recorded steps."""
    at = [i for i, one in enumerate(prompts) if one.group in groups]
    if len(steps) < 2 or not at or values.shape[1] % len(prompts):
        return None
    norms, directions = unsketched(values, len(prompts))
    whole = one_length([one.vectors.shape for one in prompts])
    norms = norms / np.sqrt(len(prompts[0].vectors)) if whole else norms
    return Journey(tuple(prompts[i] for i in at), tuple(map(int, steps)), norms[:, at], directions[:, at], whole)


def mapped(way: Journey) -> tuple[np.ndarray, tuple[float, float]]:
    """All prompts at all steps in the two main components of their directions [n, N, 2], and what these explain."""
    found = pca(way.directions.reshape(-1, way.directions.shape[2]))
    return found.points.reshape(*way.directions.shape[:2], 2), found.explained or (0.0, 0.0)


def turned(way: Journey) -> np.ndarray:
    """Cosine of each prompt at each step with itself at the end [n, N]."""
    lengths = np.linalg.norm(way.directions, axis=2)
    products = (way.directions * way.directions[-1]).sum(2)
    return np.asarray(products / np.maximum(lengths * lengths[-1], 1e-12))


def by_group(way: Journey, values: np.ndarray) -> pd.DataFrame:
    """Median, lowest and highest of `values` [n, N] over the prompts of a group: step, group, value, low, high."""
    rows = []
    for group in dict.fromkeys(one.group for one in way.prompts):
        own = values[:, [i for i, one in enumerate(way.prompts) if one.group == group]]
        rows += [{"step": step, "group": group, "value": float(np.median(row)), "low": float(row.min()),
                  "high": float(row.max())} for step, row in zip(way.steps, own, strict=True)]
    return pd.DataFrame(rows)


def sentences(way: Journey) -> list[str]:
    """Per group how far its prompts turned and grew, and when they were half way."""
    found = []
    turns, sizes = by_group(way, turned(way)), by_group(way, way.norms)
    for group, part in turns.groupby("group", sort=False):
        size = sizes[sizes["group"] == group]["value"]
        half = part.loc[part["value"] >= HALF, "step"]
        found.append(
            f"{str(group).capitalize()} prompts: their direction at step {way.steps[0]} has a cosine of "
            f"{part['value'].iloc[0]:.2f} with the one they ended with (median); from step {half.min()} on it is "
            f"{HALF} or more. {'A vector' if way.whole else 'The mean of their vectors'} had a norm of "
            f"{size.iloc[0]:.3g} at first and {size.iloc[-1]:.3g} at the end.")
    return found
