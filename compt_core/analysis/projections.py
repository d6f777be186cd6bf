"""Maps of prompts in two dimensions: principal components and t-SNE of their directions. No torch.

N prompts or vectors · D numbers in a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compt_core.composition.geometry import directions

MOST_POINTS = 400  # in a t-SNE, which takes a few seconds with this many
_SEED = 0


@dataclass(frozen=True)
class Map:
    """Points [N, 2]; `explained` is the share of the variance along each axis, None if the axes mean nothing."""

    points: np.ndarray
    explained: tuple[float, float] | None


def pca(values: np.ndarray) -> Map:
    """The directions of rows [N, D], N at least 2, along their two main components (scikit-learn's exact solver).

    On each axis the number with the largest weight counts upward, so that the same rows give the same picture.
    """
    from sklearn.decomposition import PCA

    own = directions(values)
    if np.ptp(own, axis=0).max() < 1e-12:  # all the same, so there is no variance
        return Map(np.zeros((len(own), 2)), (0.0, 0.0))
    model = PCA(min(2, *own.shape), svd_solver="full").fit(own)
    heaviest = np.take_along_axis(model.components_, np.abs(model.components_).argmax(1)[:, None], axis=1)[:, 0]
    points = model.transform(own) * np.sign(heaviest)
    missing = 2 - points.shape[1]  # with too few numbers or points there is only one component
    share = [*map(float, model.explained_variance_ratio_), 0.0][:2]
    return Map(np.pad(points, ((0, 0), (0, missing))), (share[0], share[1]))


def perplexities(points: int) -> list[int]:
    """Perplexities that this many points allow, up to about a third of their number; [] if there are too few."""
    return [one for one in (2, 3, 5, 8, 12, 20, 30, 50) if one <= (points - 1) / 3]


def tsne(values: np.ndarray, perplexity: int) -> Map:
    """The directions of rows [N, D] by t-SNE from their PCA: neighbours stay neighbours, distances mean little.

    With a fixed seed and one thread, the same rows give the same picture. Raises ValueError if `perplexity` is not one
    of :func:`perplexities`.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if perplexity not in perplexities(len(values)):
        raise ValueError(f"perplexity {perplexity} is not in {perplexities(len(values))}")
    start = pca(values).points
    spread = float(start[:, 0].std()) or 1.0  # scikit-learn's own start, but with fixed signs
    with threadpool_limits(1, user_api="openmp"):  # while a fleet trains, more threads would wait for each other
        model = TSNE(2, perplexity=perplexity, init=(start / spread * 1e-4).astype(np.float32), random_state=_SEED)
        return Map(np.asarray(model.fit_transform(directions(values)), dtype=float), None)


def thinned(count: int, most: int = MOST_POINTS) -> np.ndarray:
    """Indices of at most `most` of `count` points, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
