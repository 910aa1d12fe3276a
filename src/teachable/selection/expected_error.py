"""Expected error reduction: the examples that most reduce the expected error on a validation set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from teachable.predictor.projection import Projection
from teachable.predictor.sets import FeatureSet, Floats

NOISE = 0.25
"""Noise variance of an example of full utility, relative to the kernel's variance of 1."""


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A Gaussian process over snapshots, standing in for the student while examples are chosen.

    ``pool[N, N]`` and ``cross[V, N]`` are the kernel among candidates and between validation snapshots and
    candidates, ``noise[N]`` the variance with which one example tells what to do there (infinite for an
    example that teaches nothing), ``weight[V]`` what an error at a validation snapshot costs.
    """

    pool: Floats
    cross: Floats
    noise: Floats
    weight: Floats

    @classmethod
    def build(cls, pool: FeatureSet, utility: Floats, validation: FeatureSet, error: Floats) -> Surrogate:
        """From features, candidates' predicted utility (ELP_net) and validation errors (1 - p_policy).

        Features are standardised on the pool (tier 2 as its principal components and similarities, no
        prototypes); the kernel is Gaussian with the median distance between candidates as its length (Garreau
        et al. 2017). An example's noise is NOISE times the largest predicted utility over its own: the less a
        snapshot is predicted to teach, the more copies of it one would need.
        """
        x, v = standardised(pool, validation)
        distance = cdist(x, x)
        apart = distance[np.triu_indices(len(x), 1)]
        positive = apart[apart > 0]
        length = float(np.median(positive)) if len(positive) else 1.0
        gain = np.maximum(utility, 0.0)
        top = float(gain.max())
        noise = np.full(len(gain), np.inf)
        np.divide(NOISE * top, gain, out=noise, where=gain > 1e-9 * max(top, 1e-300))
        return cls(
            pool=np.exp(-0.5 * (distance / length) ** 2),
            cross=np.exp(-0.5 * (cdist(v, x) / length) ** 2),
            noise=noise,
            weight=error / max(float(error.sum()), 1e-300),
        )


def standardised(pool: FeatureSet, validation: FeatureSet) -> tuple[Floats, Floats]:
    """Features ``[N, D]`` and ``[V, D]`` of two sets, on the first one's scale; each tier has the same say."""
    blocks = [(pool.table, validation.table)]
    if pool.embeddings:
        projection = Projection.fit(
            FeatureSet(pool.snapshot_id, pool.task_id, pool.names, pool.table, pool.embeddings), 16, 0
        )
        blocks.append((projection.transform(pool), projection.transform(validation)))
    parts = []
    for mine, theirs in blocks:
        mean, spread = mine.mean(axis=0), mine.std(axis=0)
        used = spread > 1e-9
        scale = spread[used] * np.sqrt(max(1, int(used.sum())))
        parts.append(((mine[:, used] - mean[used]) / scale, (theirs[:, used] - mean[used]) / scale))
    return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts], axis=1)


def greedy_error_reduction(surrogate: Surrogate, k: int, ties: NDArray[np.int64]) -> tuple[list[int], Floats]:
    """Up to ``k`` candidates in the order chosen, and by how much each reduced the expected error.

    Roy & McCallum (2001) choose the example after which the learner's expected error on further data is
    least. For a Gaussian process the expected squared error at v is its posterior variance, which does not
    depend on the labels to come (Cohn, Ghahramani & Jordan 1996), so the reduction by candidate c is known
    before it is labelled::

        gain(c) = sum_v weight_v * cov(v, c)^2 / (var(c) + noise_c)

    with posterior covariances given the examples chosen so far: a second example of what is already covered
    gains little. Each step takes the largest gain and conditions on it, a rank-one update; the whole costs
    O(k (N V + k N)). Equal gains go to the lower of ``ties``. Candidates with nothing to teach (infinite
    noise) are never taken, nor is any once the gains have vanished.
    """
    count = len(surrogate.noise)
    cross = surrogate.cross.copy()  # posterior covariance of validation and candidates
    variance = np.diag(surrogate.pool).copy()
    open_ = np.isfinite(surrogate.noise)
    factors = np.empty((min(k, count), count))
    chosen: list[int] = []
    gains: list[float] = []
    while len(chosen) < min(k, count) and open_.any():
        gain = np.full(count, -np.inf)
        total = variance[open_] + surrogate.noise[open_]
        gain[open_] = (surrogate.weight @ cross[:, open_] ** 2) / total
        best = float(gain.max())
        if best <= 1e-12:
            break
        level = np.flatnonzero(gain >= best * (1 - 1e-9))
        c = int(level[np.argmin(ties[level])])
        done = len(chosen)
        column = surrogate.pool[:, c] - factors[:done].T @ factors[:done, c]
        scale = np.sqrt(variance[c] + surrogate.noise[c])
        factor = column / scale
        cross -= np.outer(cross[:, c] / scale, factor)
        variance = np.maximum(variance - factor**2, 0.0)
        factors[done] = factor
        chosen.append(c)
        gains.append(best)
        open_[c] = False
    return chosen, np.asarray(gains)
