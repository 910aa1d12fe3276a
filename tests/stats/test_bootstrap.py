"""The cluster bootstrap: coverage, agreement with known results, determinism, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as distributions

from teachable import stats
from teachable.stats import core


def clustered(rng: np.random.Generator, games: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Observations with a common part for each game and unequal games; the true mean is 0."""
    sizes = rng.integers(1, 9, size=games)
    clusters = np.repeat(np.arange(games), sizes)
    return rng.normal(0, spread, games)[clusters] + rng.normal(0, 0.5, len(clusters)), clusters


@pytest.mark.parametrize(
    ("method", "games", "low", "high"),
    [("percentile", 50, 0.91, 0.975), ("bca", 50, 0.91, 0.98), ("expanded", 12, 0.90, 0.985)],
)
def test_the_interval_covers_the_truth_as_often_as_it_says(method, games, low, high):
    trials = 400
    hits = 0
    for trial in range(trials):
        values, clusters = clustered(np.random.default_rng([5, trial]), games)
        interval = stats.cluster_bootstrap(values, clusters, seed=trial, repetitions=400, method=method)
        hits += interval.low <= 0 <= interval.high
    assert low <= hits / trials <= high


def test_ignoring_the_clusters_would_cover_far_too_seldom():
    hits = 0
    for trial in range(200):
        values, _ = clustered(np.random.default_rng([6, trial]), 40)
        interval = stats.cluster_bootstrap(values, np.arange(len(values)), seed=trial, repetitions=300)
        hits += interval.low <= 0 <= interval.high
    assert hits / 200 < 0.8


def test_a_statistic_that_resampling_inflates_needs_the_centred_interval():
    values, clusters = clustered(np.random.default_rng(4), 40)
    values = values - values.mean()
    plain, centred = (
        stats.cluster_bootstrap(values, clusters, lambda rows: abs(rows.mean()), seed=2, method=method)
        for method in ("percentile", "centred")
    )
    assert plain.low > plain.point
    assert centred.low <= centred.point <= centred.high
    assert centred.high - centred.low == pytest.approx(plain.high - plain.low)


def test_few_clusters_need_the_expanded_interval():
    values, clusters = clustered(np.random.default_rng(1), 8)
    plain = stats.cluster_bootstrap(values, clusters, seed=1, method="percentile")
    wide = stats.cluster_bootstrap(values, clusters, seed=1, method="expanded")
    assert wide.low < plain.low
    assert wide.high > plain.high


def test_the_fast_mean_is_the_slow_mean():
    values, clusters = clustered(np.random.default_rng(2), 15)
    fast = stats.cluster_bootstrap(values, clusters, seed=3, repetitions=200)
    slow = stats.cluster_bootstrap(values, clusters, lambda rows: rows.mean(), seed=3, repetitions=200)
    assert (fast.low, fast.high, fast.point) == pytest.approx((slow.low, slow.high, slow.point))


def test_single_observation_clusters_agree_with_scipy():
    values = np.random.default_rng(3).exponential(size=60)
    for method, peer in (("percentile", "percentile"), ("bca", "BCa")):
        ours = stats.cluster_bootstrap(values, np.arange(60), seed=4, repetitions=20_000, method=method)
        theirs = distributions.bootstrap(
            (values,), np.mean, n_resamples=20_000, method=peer, rng=np.random.default_rng(5)
        ).confidence_interval
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_the_standard_error_of_independent_rows_is_the_textbook_one():
    values = np.random.default_rng(4).normal(size=40)
    assert stats.cluster_standard_error(values, np.arange(40)) == pytest.approx(distributions.sem(values))


def test_the_bootstrap_spread_agrees_with_the_robust_standard_error():
    values, clusters = clustered(np.random.default_rng(5), 60)
    interval = stats.cluster_bootstrap(values, clusters, seed=6, repetitions=8000)
    width = (interval.high - interval.low) / (2 * distributions.norm.ppf(0.975))
    assert width == pytest.approx(stats.cluster_standard_error(values, clusters), rel=0.06)


def test_a_ratio_is_not_the_mean_of_ratios():
    interval = stats.cluster_ratio([1, 9], [10, 10], ["a", "b"], seed=0)
    assert interval.point == 0.5
    assert (interval.low, interval.high) == pytest.approx((0.1, 0.9))


def test_the_same_seed_gives_the_same_numbers_whatever_the_order_of_rows():
    values, clusters = clustered(np.random.default_rng(6), 20)
    names = np.array([f"game-{c}" for c in clusters])
    shuffle = np.random.default_rng(7).permutation(len(values))
    first = stats.cluster_bootstrap(values, names, seed=8)
    assert first == stats.cluster_bootstrap(values, names, seed=8)
    again = stats.cluster_bootstrap(values[shuffle], names[shuffle], seed=8)
    assert (again.low, again.high) == pytest.approx((first.low, first.high))
    assert first != stats.cluster_bootstrap(values, names, seed=9)


def test_the_block_size_does_not_change_the_draws():
    small = np.concatenate(list(core.cluster_draws(7, 50, 3, width=1 << 18)))
    assert np.array_equal(small, next(core.cluster_draws(7, 50, 3)))
    assert (small.sum(axis=1) == 7).all()


def test_one_game_has_a_point_but_no_interval():
    interval = stats.cluster_bootstrap([1.0, 0.0, 1.0], ["g", "g", "g"], seed=0)
    assert interval.point == pytest.approx(2 / 3)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.row()["low"] is None
    assert not interval.excludes_zero


def test_the_row_holds_the_columns_of_the_tables():
    row = stats.cluster_bootstrap([0.0, 1.0], ["a", "b"], seed=11).row()
    assert list(row) == ["point", "low", "high", "method", "repetitions", "seed", "clusters", "n"]
    assert (row["method"], row["seed"], row["clusters"], row["n"]) == (
        "cluster_bootstrap_expanded_95",
        11,
        2,
        2,
    )


@pytest.mark.parametrize("missing", [None, "", math.nan])
def test_a_missing_game_is_refused(missing):
    with pytest.raises(stats.StatsError, match="no cluster id"):
        stats.cluster_bootstrap([1.0, 2.0], np.array(["a", missing], dtype=object), seed=0)


@pytest.mark.parametrize(
    ("values", "message"), [([], "no observation"), ([1.0, math.nan], "missing"), ([1.0], "one id for each")]
)
def test_impossible_input_is_refused(values, message):
    with pytest.raises(stats.StatsError, match=message):
        stats.cluster_bootstrap(values, ["a", "b"] if len(values) != 0 else [], seed=0)


def test_unknown_options_are_refused():
    for options in ({"level": 1.5}, {"repetitions": 0}, {"method": "magic"}, {"statistic": "median"}):
        with pytest.raises(stats.StatsError):
            stats.cluster_bootstrap([1.0, 2.0], ["a", "b"], seed=0, **options)


@settings(max_examples=40)
@given(
    values=arrays(np.float64, 24, elements=st.floats(-100, 100)),
    clusters=arrays(np.int64, 24, elements=st.integers(0, 6)),
    scale=st.floats(0.1, 10),
    shift=st.floats(-50, 50),
)
def test_the_interval_holds_within_the_data_and_moves_with_it(values, clusters, scale, shift):
    base = stats.cluster_bootstrap(values, clusters, seed=1, repetitions=60)
    assert values.min() - 1e-9 <= base.point <= values.max() + 1e-9
    moved = stats.cluster_bootstrap(values * scale + shift, clusters, seed=1, repetitions=60)
    assert moved.point == pytest.approx(base.point * scale + shift, abs=1e-6)
    if base.clusters > 1:
        assert base.low <= base.high
        assert moved.low == pytest.approx(base.low * scale + shift, abs=1e-6)


def test_a_contrast_of_groups_is_the_difference_of_their_means():
    values = np.array([1.0, 2.0, 3.0, 10.0, 0.0])
    groups = ["a", "a", "b", "b", "c"]
    interval, p, error = stats.group_contrast(values, groups, list("vwxyz"), {"b": 1, "a": -1}, seed=0)
    assert interval.point == pytest.approx(5.0)
    assert interval.n == 4
    assert 0 < p < 1
    assert error > 0


def test_a_contrast_between_groups_keeps_its_level():
    rejected = covered = 0
    for trial in range(300):
        rng = np.random.default_rng([9, trial])
        values, clusters = clustered(rng, 30)
        groups = np.where(rng.random(len(values)) < 0.4, "x", "y")
        interval, p, _ = stats.group_contrast(values, groups, clusters, {"x": 1, "y": -1}, seed=trial, repetitions=300)
        rejected += p < 0.05
        covered += interval.low <= 0 <= interval.high
    assert 0.02 <= rejected / 300 <= 0.09
    assert 0.9 <= covered / 300 <= 0.98


def test_a_contrast_without_a_group_is_refused():
    with pytest.raises(stats.StatsError, match="Q9"):
        stats.group_contrast([1.0, 2.0], ["Q1", "Q2"], ["a", "b"], {"Q1": 1, "Q9": -1}, seed=0)
