"""Closed forms against published numbers and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as distributions

from teachable import stats


@settings(max_examples=60)
@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.99))
def test_wilson_bounds_are_where_the_score_test_turns(case, level):
    successes, n = case
    ours = stats.wilson(successes, n, level=level)
    assert 0 <= ours.low <= ours.point <= ours.high <= 1
    for bound in (ours.low, ours.high):
        if 0 < bound < 1:
            z = (ours.point - bound) / math.sqrt(bound * (1 - bound) / n)
            assert 2 * distributions.norm.cdf(abs(z)) - 1 == pytest.approx(level, abs=1e-9)
    assert ours.row()["seed"] is None


def test_wilson_of_published_numbers():
    # Newcombe (1998), Statistics in Medicine 17: 81 of 263, 15 of 148, 0 of 20, 1 of 29, method 3.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for case, bounds in published.items():
        ours = stats.wilson(*case)
        assert (ours.low, ours.high) == pytest.approx(bounds, abs=5e-5)


def test_wilson_refuses_the_impossible():
    for case in ((3, 2), (0, 0), (-1, 5)):
        with pytest.raises(stats.StatsError):
            stats.wilson(*case)


def test_calibration_by_hand():
    predicted = [0.05, 0.05, 0.95, 0.95]
    assert stats.expected_calibration_error(predicted, [0, 0, 1, 1]) == pytest.approx(0.05)
    assert stats.expected_calibration_error(predicted, [1, 1, 0, 0]) == pytest.approx(0.95)
    curve = stats.reliability_curve(predicted, [0, 0, 1, 0], bins=10, strategy="uniform")
    assert curve.count.tolist() == [2, 2]
    assert curve.observed.tolist() == [0, 0.5]
    assert curve.low.tolist() == pytest.approx([0.0, 0.9])


def test_a_calibrated_forecast_has_a_small_error():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    assert stats.expected_calibration_error(p, rng.random(20_000) < p) < 0.02


@settings(max_examples=50)
@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=30),
    st.sampled_from(["uniform", "quantile"]),
    st.integers(1, 12),
)
def test_every_observation_is_in_one_bin(values, strategy, bins):
    curve = stats.reliability_curve(values, values, bins=bins, strategy=strategy)
    assert curve.count.sum() == len(values)
    assert curve.error == pytest.approx(0, abs=1e-9)
