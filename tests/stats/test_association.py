"""Correlations against scipy and brute force, partial correlation, and reliability."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as distributions

from teachable import stats


@settings(max_examples=50)
@given(
    arrays(np.float64, (15, 2), elements=st.integers(-4, 4).map(float)),
    st.sampled_from(["pearson", "spearman"]),
)
def test_the_point_is_that_of_scipy(data, kind):
    x, y = data.T
    ours = stats.correlation(x, y, np.arange(15), kind=kind, seed=0, repetitions=1).point
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert math.isnan(ours)
    else:
        peer = {"pearson": distributions.pearsonr, "spearman": distributions.spearmanr}[kind]
        assert ours == pytest.approx(peer(x, y).statistic, abs=1e-9)


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_the_vectorised_draws_are_those_of_a_loop(kind):
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 12, 50)
    x = rng.integers(0, 6, 50).astype(float)
    y = x + rng.normal(0, 2, 50).round()
    peer = {"pearson": distributions.pearsonr, "spearman": distributions.spearmanr}[kind]
    slow = stats.cluster_bootstrap(
        np.stack([x, y], axis=1),
        clusters,
        lambda rows: peer(rows[:, 0], rows[:, 1]).statistic,
        seed=3,
        repetitions=150,
    )
    fast = stats.correlation(x, y, clusters, kind=kind, seed=3, repetitions=150)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high))


def test_the_interval_of_a_correlation_covers_it():
    hits = 0
    for trial in range(200):
        rng = np.random.default_rng([1, trial])
        clusters = np.repeat(np.arange(50), 3)
        shared = rng.normal(size=(50, 2))[clusters] + rng.normal(size=(150, 2))
        x, y = shared[:, 0], 0.5 * shared[:, 0] + math.sqrt(0.75) * shared[:, 1]
        interval = stats.correlation(x, y, clusters, seed=trial, repetitions=300, method="bca")
        hits += interval.low <= 0.5 <= interval.high
    assert 0.89 <= hits / 200 <= 0.985


def test_partial_correlation_is_that_of_the_residuals():
    rng = np.random.default_rng(2)
    z = rng.normal(size=(80, 2))
    x = z @ [1.0, -2.0] + rng.normal(size=80)
    y = z @ [0.5, 1.0] + rng.normal(size=80)
    design = np.column_stack([np.ones(80), z])
    residuals = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y)]
    ours = stats.partial_correlation(x, y, z, np.arange(80), kind="pearson", seed=0, repetitions=1).point
    assert ours == pytest.approx(distributions.pearsonr(*residuals).statistic)


def test_the_partial_rank_correlation_by_its_formula():
    rng = np.random.default_rng(3)
    x, y, z = rng.normal(size=(3, 40))
    y = y + x**3
    rho = distributions.spearmanr(np.stack([x, y, z], axis=1)).statistic
    expected = (rho[0, 1] - rho[0, 2] * rho[1, 2]) / math.sqrt((1 - rho[0, 2] ** 2) * (1 - rho[1, 2] ** 2))
    ours = stats.partial_correlation(x, y, z, np.arange(40), seed=0, repetitions=50)
    assert ours.point == pytest.approx(expected)
    assert ours.low <= expected <= ours.high


def test_a_common_cause_explains_a_correlation_away():
    rng = np.random.default_rng(4)
    cause = rng.normal(size=400)
    x, y = cause + rng.normal(size=(2, 400))
    games = np.arange(400)
    assert stats.correlation(x, y, games, seed=0, kind="spearman").low > 0.3
    assert abs(stats.partial_correlation(x, y, cause, games, seed=0).point) < 0.12


def test_a_covariate_that_is_x_leaves_nothing():
    x, y = np.random.default_rng(5).normal(size=(2, 30))
    assert math.isnan(stats.partial_correlation(x, y, x, np.arange(30), seed=0).point)
    twice = np.stack([y, y], axis=1) + np.random.default_rng(6).normal(size=(30, 1))
    assert math.isfinite(stats.partial_correlation(x, y, twice, np.arange(30), seed=0).point)


def test_reliability_steps_up_to_the_full_length():
    rng = np.random.default_rng(17)
    items, repeats, noise = 600, 8, 2.0
    values = rng.normal(size=(items, 1)) + rng.normal(0, noise, size=(items, repeats))
    expected = 1 / (1 + noise**2 / repeats)
    halves = stats.reliability_of_halves(
        values[:, :4].mean(1), values[:, 4:].mean(1), np.arange(items), seed=0, repetitions=100
    )
    assert halves.point == pytest.approx(expected, abs=0.08)


def test_noise_is_not_reliable():
    values = np.random.default_rng(8).normal(size=(300, 2))
    interval = stats.reliability_of_halves(*values.T, np.arange(300), seed=0, repetitions=200)
    assert interval.low <= 0 <= interval.high


def test_spearman_brown_by_hand():
    assert stats.spearman_brown(np.array([0.5, -0.2, 0.0])) == pytest.approx([2 / 3, -0.2, 0.0])


def test_errors_say_what_is_wrong():
    with pytest.raises(stats.StatsError, match="kendall"):
        stats.correlation([1.0, 2.0], [1.0, 2.0], ["a", "b"], kind="kendall", seed=0)
    with pytest.raises(stats.StatsError, match="y has 1"):
        stats.correlation([1.0, 2.0], [1.0], ["a", "b"], seed=0)


def test_a_difference_of_correlations_is_paired() -> None:
    """Two predictors that share most of their noise: their intervals overlap, their difference is sure."""
    rng = np.random.default_rng(0)
    games = np.repeat(np.arange(60), 4)
    y = rng.normal(size=240)
    good = y + rng.normal(size=240)
    worse = good + rng.normal(size=240)
    ids = [f"g{g}" for g in games]
    one, two = (stats.correlation(x, y, ids, kind="spearman", seed=1, repetitions=400) for x in (good, worse))
    gap = stats.spearman_difference(good, worse, y, ids, seed=1, repetitions=400)
    assert gap.point == pytest.approx(one.point - two.point)
    assert one.low < two.high, "the intervals overlap"
    assert gap.low > 0
    same = stats.spearman_difference(good, good, y, ids, seed=1, repetitions=400)
    assert (same.point, same.low, same.high) == (0.0, 0.0, 0.0)
    assert math.isnan(stats.spearman_difference(good, np.zeros(240), y, ids, seed=1).point)
