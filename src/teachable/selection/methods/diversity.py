"""Diversity alone, without a word on teachability: k-centre greedy, the core-set choice of Sener and Savarese (2018).

Snapshots are as far apart as the diverse variants of ``oracle`` and ``predictor`` hold them unlike
(:func:`~teachable.selection.coverage.likeness`), so that what those gain over this is teachability's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teachable.predictor.sets import Floats
from teachable.selection.coverage import described, likeness
from teachable.selection.pool import Choice, Pool

ABOUT = {"source": "student"}


def choose(pool: Pool) -> Choice:
    alike = likeness(*described(pool))
    itself = np.diag(alike)
    # Likeness is a kernel, being the mean of two, and this the distance in its feature space.
    distance = np.sqrt(np.maximum(itself[:, None] + itself[None, :] - 2.0 * alike, 0.0))
    chosen, radius = greedy_centres(distance, pool.k, pool.ties)
    return Choice(chosen, radius)


def greedy_centres(distance: Floats, k: int, ties: NDArray[np.int64]) -> tuple[list[int], Floats]:
    """Up to ``k`` of N points in the order chosen, and how far each was from all chosen before it.

    ``distance[N, N]`` is a metric. Sener and Savarese (2018, arXiv:1708.00489) choose a core set that leaves no point
    far from a chosen one, by taking the farthest again and again, which covers within twice the radius that the best
    k points need (Gonzalez 1985). Nothing is chosen beforehand here, so the first is the point whose farthest is
    nearest; its number is that distance. Equals go to the lower of ``ties``.
    """
    count = len(distance)
    chosen: list[int] = []
    radius: list[float] = []
    nearest = np.full(count, np.inf)
    while len(chosen) < min(k, count):
        if chosen:
            far = np.where(np.isin(np.arange(count), chosen), -np.inf, nearest)
            level = np.flatnonzero(far >= far.max() - 1e-12)
        else:
            far = distance.max(axis=1)
            level = np.flatnonzero(far <= far.min() + 1e-12)
        c = int(level[np.argmin(ties[level])])
        chosen.append(c)
        radius.append(float(far[c]))
        nearest = np.minimum(nearest, distance[:, c])
    return chosen, np.asarray(radius)
