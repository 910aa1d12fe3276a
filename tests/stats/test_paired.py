"""Paired contrasts, the sign-flip test, detectable effects, and Holm's correction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as distributions

from teachable import stats


def test_a_shared_game_effect_cancels():
    rng = np.random.default_rng(0)
    games = np.repeat(np.arange(40), 3)
    common = rng.normal(0, 5, 40)[games]
    contrast = stats.paired_difference(common + 0.3, common, games, seed=1)
    assert contrast.interval.point == pytest.approx(0.3)
    assert contrast.interval.excludes_zero
    assert contrast.p_value < 0.01
    assert contrast.mde == pytest.approx(0, abs=1e-9)
    assert contrast.mean_a - contrast.mean_b == pytest.approx(0.3)


def test_models_that_are_the_same_differ_by_nothing():
    contrast = stats.paired_difference([0, 1, 1], [0, 1, 1], ["a", "b", "c"], seed=0)
    assert contrast.interval.point == 0
    assert contrast.p_value == 1
    assert not contrast.interval.excludes_zero


def test_the_row_has_nulls_where_nothing_is_defined():
    row = stats.paired_difference([1.0, 0.0], [0.0, 0.0], ["g", "g"], seed=0).row()
    assert row["low"] is None
    assert row["mde"] is None
    assert row["p_value"] == 1.0


def test_the_sign_flip_test_by_hand():
    # Five games, all in favour: only the pattern itself and its mirror are as extreme, 2 / 32.
    assert stats.sign_flip_test([1, 2, 3, 4, 5], list("abcde"), seed=0) == pytest.approx(2 / 32)
    # One game against: |1+2-3| = 0 is reached by every pattern.
    assert stats.sign_flip_test([1, 2, -3], list("abc"), seed=0) == 1


def test_the_sign_flip_test_agrees_with_scipy():
    data = np.random.default_rng(1).normal(0.3, 1, 12)
    peer = distributions.permutation_test(
        (data, np.zeros(12)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert stats.sign_flip_test(data, np.arange(12), seed=0) == pytest.approx(peer.pvalue)


def test_flips_take_whole_games():
    # Ten rows of one game are one piece of evidence, not ten.
    assert stats.sign_flip_test(np.ones(10), ["g"] * 10, seed=0) == 1
    assert stats.sign_flip_test(np.ones(10), np.arange(10), seed=0) < 0.01


def test_sampled_flips_agree_with_enumerated_ones(monkeypatch):
    data = np.random.default_rng(2).normal(0.4, 1, 13)
    exact = stats.sign_flip_test(data, np.arange(13), seed=0)
    monkeypatch.setattr("teachable.stats.paired.EXACT_CLUSTERS", 0)
    sampled = stats.sign_flip_test(data, np.arange(13), seed=0, repetitions=20_000)
    assert sampled == pytest.approx(exact, abs=0.015)


def test_the_level_of_the_test_holds_with_clusters():
    rejected = 0
    for trial in range(400):
        rng = np.random.default_rng([3, trial])
        games = np.repeat(np.arange(25), rng.integers(1, 6, 25))
        difference = rng.normal(0, 1, 25)[games] + rng.normal(0, 0.3, len(games))
        rejected += stats.sign_flip_test(difference, games, seed=trial, repetitions=400) < 0.05
    assert 0.02 <= rejected / 400 <= 0.085


def test_the_detectable_effect_is_found_four_times_in_five():
    games = np.repeat(np.arange(30), 4)
    spread = math.sqrt(1 + 0.25 / 4)
    effect = stats.minimum_detectable_effect(spread / math.sqrt(30), 30)
    found = 0
    for trial in range(400):
        rng = np.random.default_rng([4, trial])
        difference = effect + rng.normal(0, 1, 30)[games] + rng.normal(0, 0.5, 120)
        found += stats.sign_flip_test(difference, games, seed=trial, repetitions=400) < 0.05
    assert 0.73 <= found / 400 <= 0.87


def test_holm_by_hand():
    # Holm (1979) on 0.01, 0.04, 0.03, 0.005: 4 x 0.005, 3 x 0.01, 2 x 0.03, then not below the one before.
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert len(stats.holm([])) == 0


def test_holm_leaves_what_was_not_tested():
    adjusted = stats.holm([math.nan, 0.02, 0.5])
    assert math.isnan(adjusted[0])
    assert adjusted[1:] == pytest.approx([0.04, 0.5])
    with pytest.raises(stats.StatsError):
        stats.holm([1.2])


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_order_and_stays_between_bonferroni_and_raw(p):
    adjusted = stats.holm(p)
    raw = np.array(p)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, raw * len(p)) + 1e-12).all()
    order = np.argsort(raw, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_unpaired_lengths_are_refused():
    with pytest.raises(stats.StatsError, match="b has 1"):
        stats.paired_difference([1.0, 2.0], [1.0], ["a", "b"], seed=0)
