"""Intervals and p-values by game hold what they say, on worlds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teachable.predictor.trust import Conformal, Known, quantile, weights


def drawn(rng, games):
    """Residuals of games of 1 to 8 alike snapshots: the larger, the further off."""
    size = rng.integers(1, 9, games)
    game = np.repeat(np.arange(games), size)
    return (rng.normal(0, 0.1 * size, games)[game] + rng.normal(0, 0.02, len(game))), game


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_a_new_games_snapshot_is_held_as_often_as_asked(level):
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        residual, game = drawn(rng, 41)
        known = game < 40
        predicted = np.zeros(len(game))
        band = Conformal(predicted[known], residual[known], game[known], np.empty(0))
        low, high = band.interval(np.zeros(1), level, (-9.0, 9.0))
        new = residual[~known][0]
        held.append(low[0] <= new <= high[0])
    assert level - 0.05 < np.mean(held) < level + 0.09


def test_rows_counted_as_if_independent_would_hold_too_few():
    """The reason for weights by game: few games with many snapshots must not decide alone."""
    game = np.array([0] * 90 + list(range(1, 11)))
    residual = np.array([0.0] * 90 + [1.0] * 10)
    assert quantile(residual, game, 0.8) == 1.0
    assert quantile(residual, np.arange(100), 0.8) == 0.0


def test_too_few_games_for_a_level_tell_nothing():
    band = Conformal.of(np.zeros(5), np.array([0.1, 0.2, 0.0, -0.1, 0.3]), np.arange(5))
    assert [end[0] for end in band.interval(np.zeros(1), 0.9, (-1.0, 1.0))] == [-1.0, 1.0]
    low, high = band.interval(np.zeros(1), 0.4, (-1.0, 1.0))
    assert -1.0 < low[0] < high[0] < 1.0


def test_a_bin_of_small_residuals_has_a_narrower_interval():
    rng = np.random.default_rng(2)
    predicted = np.repeat([0.0, 0.8], 100) + rng.uniform(0, 0.01, 200)
    truth = predicted + rng.normal(0, np.repeat([0.01, 0.3], 100))
    band = Conformal.of(predicted, truth, np.arange(200))
    low, high = band.interval(np.array([0.0, 0.8]), 0.9, (-1.0, 1.0))
    assert high[0] - low[0] < 0.1 < high[1] - low[1]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_games_weigh_the_same_and_leave_one_share(games):
    game = np.asarray(games)
    weight = weights(game)
    k = len(set(games))
    for one in set(games):
        assert weight[game == one].sum() == pytest.approx(1 / (k + 1))


def test_p_values_of_what_is_known_are_no_smaller_than_chance():
    rng = np.random.default_rng(3)
    low = []
    for _ in range(300):
        distance, game = drawn(rng, 60)
        known = game < 59
        span = Known(np.zeros(1), np.ones(1), np.eye(1), np.abs(distance[known]), game[known])
        low.append(span.chance(np.abs(distance[~known][:1]))[0] <= 0.05)
    assert np.mean(low) < 0.08
    assert span.chance(np.array([1e9]))[0] == pytest.approx(1 / 60)
    assert span.chance(np.array([0.0]))[0] == pytest.approx(1.0)
