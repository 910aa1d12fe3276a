"""Cohen's kappa against scikit-learn's, its ends, and games as units."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from teachable import stats


def kappa(one, two, games=None, **changes) -> stats.Interval:
    return stats.cohen_kappa(one, two, games or list(range(len(one))), seed=1, repetitions=300, **changes)


def test_is_scikit_learn_s() -> None:
    rng = np.random.default_rng(0)
    one = rng.integers(1, 7, size=200)
    two = np.clip(one + rng.integers(-2, 3, size=200), 1, 6)
    assert kappa(one, two).point == pytest.approx(cohen_kappa_score(one, two))
    linear = cohen_kappa_score(one, two, weights="linear")  # over neighbouring whole numbers, all of which occur
    assert kappa(one, two, disagreement="linear").point == pytest.approx(linear)


def test_within_one_by_hand() -> None:
    """Pairs (1,1) (1,2) (3,1) (3,3): one of four is more than one apart; by chance (1/2)(1/2) + (1/2)(1/2)."""
    got = kappa([1, 1, 3, 3], [1, 2, 1, 3], disagreement="within_one")
    assert got.point == pytest.approx(1 - 0.25 / (0.5 * 0.25 + 0.5 * 0.5))


@pytest.mark.parametrize("disagreement", ["exact", "within_one", "linear"])
def test_one_who_is_right_and_one_who_guesses(disagreement: str) -> None:
    rng = np.random.default_rng(3)
    truth, guess = rng.integers(1, 9, size=(2, 3000))
    assert kappa(truth, truth, disagreement=disagreement).point == 1.0
    got = kappa(truth, guess, disagreement=disagreement)
    assert abs(got.point) < 0.05
    assert got.low < 0 < got.high


def test_games_are_the_units() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, size=40)
    said = np.where(rng.random(40) < 0.7, truth, 1 - truth)
    one, two = np.repeat(truth, 25), np.repeat(said, 25)
    wide = kappa(one, two, [f"g{i // 25}" for i in range(1000)])
    narrow = kappa(one, two)
    assert wide.point == narrow.point
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
    assert (wide.n, wide.clusters) == (1000, 40)


def test_where_chance_agrees_fully_there_is_no_kappa() -> None:
    assert np.isnan(kappa([1, 1, 1], [1, 1, 1]).point)
    with pytest.raises(stats.StatsError, match="unknown disagreement 'quadratic'"):
        kappa([1, 2], [1, 2], disagreement="quadratic")
    with pytest.raises(stats.StatsError, match="no observation"):
        kappa([], [])
