"""Teachability weighed against what is already covered: a diverse choice of snapshots.

Ranking by teachability alone is redundant: the most teachable moments are often one skill many times over. Here a
chosen snapshot covers others to the degree that it teaches and that they are alike, and the choice covers as much
teachability as it can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from teachable.predictor.sets import Floats
from teachable.selection.expected_error import standardised
from teachable.selection.pool import Choice, Pool


@dataclass(frozen=True, slots=True)
class Coverage:
    """The objective F(S) = sum_i weight_i max_{j in S} covers_ij over sets S of at most k of N candidates.

    ``weight[N]`` is teachability (not negative), ``covers[N, N]`` in [0, 1] how alike j is to i. F is monotone and
    submodular, being a sum of weighted maxima (facility location; Krause and Golovin 2014).
    """

    weight: Floats
    covers: Floats

    @classmethod
    def build(cls, utility: Floats, actions: Sequence[str], states: Floats) -> Coverage:
        """From teachability ``[N]`` (ELP_net, measured or predicted), the actions taught and state vectors ``[N, D]``.

        Only what is positive in ``utility`` counts, and only that can cover; :func:`likeness` says how far.
        """
        weight = np.maximum(np.nan_to_num(utility, nan=0.0), 0.0)
        return cls(weight, likeness(actions, states) * (weight > 0)[None, :])

    def value(self, chosen: Sequence[int]) -> float:
        """F of a subset; 0 for none."""
        return float(self.weight @ self.covers[:, list(chosen)].max(axis=1)) if len(chosen) else 0.0


def likeness(actions: Sequence[str], states: Floats) -> Floats:
    """How alike snapshots are, ``[N, N]`` in [0, 1]: by half in the action taught and by half in the state ``[N, D]``.

    :func:`action_similarity` and a Gaussian kernel with the median distance as its length (Garreau et al. 2017).
    """
    distance = cdist(states, states)
    apart = distance[np.triu_indices(len(states), 1)]
    positive = apart[apart > 0]
    length = float(np.median(positive)) if len(positive) else 1.0
    return np.asarray(0.5 * action_similarity(actions) + 0.5 * np.exp(-0.5 * (distance / length) ** 2))


def action_similarity(actions: Sequence[str]) -> Floats:
    """Cosine ``[N, N]`` of bags of words in which a word weighs as the root of the share of actions that have it.

    That is the opposite of an inverse document frequency, on purpose: the words that many actions share (verbs,
    tools) say which skill is taught, the rare ones only what it is done to.
    """
    words = [set(action.lower().split()) for action in actions]
    counts = Counter(word for bag in words for word in bag)
    vocabulary = sorted(counts)
    bags = np.array([[word in bag for word in vocabulary] for bag in words], dtype=np.float64)
    bags = bags.reshape(len(words), len(vocabulary)) * np.sqrt([counts[word] / len(words) for word in vocabulary])
    norms = np.linalg.norm(bags, axis=1, keepdims=True)
    bags = np.divide(bags, norms, out=np.zeros_like(bags), where=norms > 0)
    return np.asarray(np.clip(bags @ bags.T, 0.0, 1.0))


def greedy_coverage(coverage: Coverage, k: int, ties: NDArray[np.int64]) -> tuple[list[int], Floats]:
    """Up to ``k`` candidates in the order chosen, and what each added to F.

    Greedy reaches at least 1 - 1/e of the best F of any k candidates, as F is monotone and submodular (Nemhauser,
    Wolsey and Fisher 1978). Where nothing adds any more the most teachable of the rest follow, with gain 0: every
    method has the same budget. Equals go to the lower of ``ties``.
    """
    best = np.zeros(len(coverage.weight))
    open_ = np.ones(len(best), dtype=np.bool_)
    chosen: list[int] = []
    gains: list[float] = []
    while len(chosen) < min(k, len(best)):
        gain = coverage.weight @ np.maximum(coverage.covers - best[:, None], 0.0)
        gain[~open_] = -np.inf
        most = float(gain.max())
        if most <= 1e-12:
            break
        level = np.flatnonzero(gain >= most * (1 - 1e-9))
        c = int(level[np.argmin(ties[level])])
        chosen.append(c)
        gains.append(most)
        open_[c] = False
        best = np.maximum(best, coverage.covers[:, c])
    rest = np.flatnonzero(open_)
    rest = rest[np.lexsort((ties[rest], -coverage.weight[rest]))][: k - len(chosen)]
    return [*chosen, *rest.tolist()], np.asarray([*gains, *np.zeros(len(rest))])


def described(pool: Pool) -> tuple[list[str], Floats]:
    """The actions that the N candidates teach, and their states ``[N, D]``, standardised."""
    featured = pool.featured()
    states, _ = standardised(featured, featured)
    return pool.candidates["suggested_action"].fill_null("").to_list(), states


def diverse(pool: Pool, utility: Floats) -> Choice:
    """The candidates that cover most ``utility`` ``[N]`` (ELP_net, measured or predicted)."""
    coverage = Coverage.build(utility, *described(pool))
    chosen, gain = greedy_coverage(coverage, pool.k, pool.ties)
    return Choice(list(chosen), gain, "every other candidate is predicted to teach nothing")
