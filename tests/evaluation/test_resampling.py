"""Many columns at once give what ``teachable.stats`` gives one at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachable import stats
from teachable.evaluation.resampling import Games, Resampling
from teachable.stats.paired import EXACT_CLUSTERS

SETTINGS = Resampling(repetitions=300)


def same(a: float, b: float) -> bool:
    return a == pytest.approx(b, abs=1e-12) or (math.isnan(a) and math.isnan(b))


def difference(drawn: Games, a: np.ndarray, b: np.ndarray, seeds: int = 1) -> list:
    """Success of models a and b, ``[N, C]`` or ``[seeds, N, C]``."""
    a, b = (np.broadcast_to(v, (seeds, *v.shape[-2:])).copy() for v in (a, b))
    ones = np.ones_like(a)
    return drawn.differences((a, ones), (b, ones), [("a", "b")] * a.shape[2], {"a": seeds, "b": seeds})


@given(seed=st.integers(0, 10_000), games=st.integers(2, 20), columns=st.integers(1, 4))
@settings(max_examples=25)
def test_ratios_equal_the_single_statistic(seed: int, games: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = [f"g{i}" for i in [*range(games), *rng.integers(0, games, 30)]]
    top = rng.random((len(clusters), columns))
    bottom = rng.integers(1, 5, top.shape).astype(float)
    drawn = Games.draw(clusters, 7, SETTINGS)
    for c, interval in enumerate(drawn.ratios(top, bottom)):
        single = stats.cluster_ratio(top[:, c], bottom[:, c], clusters, seed=7, repetitions=300)
        assert all(same(getattr(interval, k), getattr(single, k)) for k in ("point", "low", "high"))
        assert interval.method == single.method
        assert (interval.clusters, interval.n) == (single.clusters, single.n)


@given(seed=st.integers(0, 10_000), games=st.integers(2, 30))
@settings(max_examples=25)
def test_differences_equal_the_paired_contrast(seed: int, games: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = [f"g{i}" for i in [*range(games), *rng.integers(0, games, 30)]]
    a, b = rng.integers(0, 2, (2, len(clusters), 1)).astype(float)
    drawn = Games.draw(clusters, 5, SETTINGS)
    ((interval, p_value, mde),) = difference(drawn, a, b)
    single = stats.paired_difference(a[:, 0], b[:, 0], clusters, seed=5, repetitions=300)
    assert all(same(getattr(interval, k), getattr(single.interval, k)) for k in ("point", "low", "high"))
    if games <= EXACT_CLUSTERS:
        assert same(p_value, single.p_value)
    else:  # both sample 1,000 sign patterns, but not the same ones
        assert p_value == pytest.approx(single.p_value, abs=0.08)
    assert same(mde, single.mde)


def test_missing_slots_are_left_out_on_both_sides() -> None:
    clusters = ["a", "a", "b", "c"]
    a = np.array([[1.0], [np.nan], [1.0], [0.0]])
    b = np.array([[0.0], [1.0], [np.nan], [0.0]])
    drawn = Games.draw(clusters, 1, SETTINGS)
    ((interval, _, _),) = difference(drawn, a, b)
    assert interval.point == 0.5
    assert (interval.n, interval.clusters) == (2, 2)


def test_one_game_has_no_interval() -> None:
    drawn = Games.draw(["a", "a"], 1, SETTINGS)
    (interval,) = drawn.ratios(np.array([[1.0], [0.0]]), np.ones((2, 1)))
    assert interval.point == 0.5
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
