"""Shift of a distribution: what is known is found, what is none is chance, and games are the units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as distributions

from teachable import stats
from teachable.stats.shift import BINS, quantile_bins, stability_index


def games(count: int, each: int) -> list[str]:
    return [f"g{i // each:03d}" for i in range(count)]


def test_the_index_by_hand() -> None:
    """Counts 10, 10 against 15, 5, each with half an observation more."""
    p, q = np.array([10.5, 10.5]) / 21, np.array([15.5, 5.5]) / 21
    expected = float(((q - p) * np.log(q / p)).sum())
    assert stability_index(np.array([10.0, 10.0]), np.array([15.0, 5.0])) == pytest.approx(expected)
    assert stability_index(np.array([3.0, 7.0]), np.array([3.0, 7.0])) == 0
    assert np.isnan(stability_index(np.array([0.0, 0.0]), np.array([3.0, 7.0])))


def test_bins_are_those_of_the_reference() -> None:
    assert quantile_bins(np.arange(1, 101, dtype=float)).tolist() == list(range(10, 100, 10))
    assert quantile_bins(np.array([0.0] * 95 + [1.0] * 5)).tolist() == [0.0], "one cut: nought, and more"
    assert len(quantile_bins(np.random.default_rng(0).normal(size=500))) == BINS - 1


def test_a_shift_is_found_and_its_distance_is_scipy_s() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=120), rng.normal(0.9, 1, size=90)
    got = stats.distribution_shift(one, two, games(120, 3), games(90, 3), seed=1, repetitions=400)
    known = distributions.ks_2samp(one, two)
    assert (got.distance, got.p) == (known.statistic, known.pvalue)
    assert got.p_clusters < 0.01
    assert got.stability.point > got.chance
    assert got.stability.low < got.stability.point < got.stability.high
    assert (got.stability.n, got.stability.clusters) == (210, 40)
    assert got == stats.distribution_shift(one, two, games(120, 3), games(90, 3), seed=1, repetitions=400)


def test_what_a_game_repeats_is_no_evidence() -> None:
    """Ten copies of each of eight games' values: 160 observations look like a shift, eight games do not."""
    rng = np.random.default_rng(5)
    small, wrong = 0, 0
    for seed in range(40):
        one, two = (np.repeat(rng.normal(size=8), 10) for _ in range(2))
        got = stats.distribution_shift(one, two, games(80, 10), games(80, 10), seed=seed, repetitions=199)
        wrong += got.p < 0.05
        small += got.p_clusters < 0.05
    assert wrong > 20, "taken as independent, most of these are a shift"
    assert small <= 6, "by games, about one in twenty is"


def test_chance_is_exceeded_in_about_one_of_twenty() -> None:
    rng = np.random.default_rng(2)
    over = 0
    for _ in range(400):
        one, two = rng.normal(size=200), rng.normal(size=150)
        bins = quantile_bins(one)
        counts = [np.bincount(np.searchsorted(bins, v), minlength=len(bins) + 1).astype(float) for v in (one, two)]
        over += stability_index(*counts) > distributions.chi2.ppf(0.95, len(bins)) * (1 / 200 + 1 / 150)
    assert 5 <= over <= 40


def test_the_interval_of_an_index_does_not_end_below_nought() -> None:
    rng = np.random.default_rng(7)
    for _ in range(10):
        one, two = rng.normal(size=(2, 24))
        got = stats.distribution_shift(one, two, games(24, 4), games(24, 4), seed=1, repetitions=200).stability
        assert 0 <= got.low <= got.high
        assert got.method.startswith("cluster_bootstrap_centred")


def test_one_game_has_no_interval_and_bad_input_is_refused() -> None:
    got = stats.distribution_shift([1.0, 2.0], [3.0], ["g", "g"], ["g"], seed=1, repetitions=50)
    assert got.distance == 1.0
    assert np.isnan([got.stability.low, got.p_clusters]).all()
    with pytest.raises(stats.StatsError, match=r"3 clusters are given for 2 \+ 2"):
        stats.distribution_shift([1.0, 2.0], [3.0, 4.0], ["g", "g"], ["g"], seed=1)
    with pytest.raises(stats.StatsError, match="missing or infinite"):
        stats.distribution_shift([1.0, np.nan], [3.0], ["g", "g"], ["g"], seed=1)


def test_benjamini_hochberg_by_hand() -> None:
    got = stats.benjamini_hochberg([0.01, 0.04, np.nan, 0.03])
    assert got[[0, 1, 3]] == pytest.approx([0.03, 0.04, 0.04])
    assert np.isnan(got[2])
    assert stats.benjamini_hochberg([]).size == 0
