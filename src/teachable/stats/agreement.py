"""Agreement of two judges beyond chance, with games as the independent units."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from teachable.stats.bootstrap import safe_divide
from teachable.stats.core import (
    METHOD,
    REPETITIONS,
    Floats,
    Interval,
    Method,
    StatsError,
    as_floats,
    bootstrap_weighted,
    cluster_codes,
    cluster_sums,
)

Disagreement = Literal["exact", "within_one", "linear"]


def cohen_kappa(
    first: ArrayLike,
    second: ArrayLike,
    clusters: ArrayLike,
    *,
    disagreement: Disagreement = "exact",
    seed: int,
    level: float = 0.95,
    repetitions: int = REPETITIONS,
    method: Method = METHOD,
) -> Interval:
    """Cohen's kappa of two judges' verdicts ``first[N]`` and ``second[N]``, numbers; clusters are drawn.

    ``1 - sum(w o) / sum(w e)`` over pairs of categories (Cohen 1960; weighted: Cohen 1968): o is the share of a pair, e
    what independent judges with the same shares of categories would have, w how much the pair disagrees. ``exact``: 1
    where the two differ; ``within_one``: 1 where they are more than 1 apart; ``linear``: their distance.

    Both judges' shares are taken anew in every draw. NaN where chance alone agrees fully (both always say the same).
    Raises :class:`StatsError` for empty input, a verdict that is not finite, or an unknown ``disagreement``.
    """
    if disagreement not in get_args(Disagreement):
        raise StatsError(f"unknown disagreement {disagreement!r}: use one of {list(get_args(Disagreement))}.")
    one = as_floats(first, "first")
    two = as_floats(second, "second", length=len(one))
    codes, groups = cluster_codes(clusters, len(one))
    values, places = np.unique(np.concatenate([one, two]), return_inverse=True)
    distance = np.abs(values[:, None] - values[None, :])
    weights_KK: Floats = {
        "exact": (distance > 0).astype(np.float64),
        "within_one": (distance > 1).astype(np.float64),
        "linear": distance,
    }[disagreement]
    said = np.eye(len(values))
    left, right = said[places[: len(one)]], said[places[len(one) :]]
    disagreed = weights_KK[places[: len(one)], places[len(one) :]]
    sums = [cluster_sums(part, codes, groups) for part in (np.ones(len(one)), disagreed, left, right)]

    def weighted(weights: Floats) -> Floats:
        total, apart, mine, others = (weights @ part for part in sums)
        by_chance = np.einsum("rk,kl,rl->r", mine, weights_KK, others)
        return 1 - safe_divide(apart * total, by_chance)

    return bootstrap_weighted(
        weighted,
        groups=groups,
        n=len(one),
        seed=seed,
        level=level,
        repetitions=repetitions,
        method=method,
        width=len(values),
    )
