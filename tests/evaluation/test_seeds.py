"""Training seeds are sampled as games are: points, intervals, p-values and detectable effects know of both."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from teachable import terms
from teachable.evaluation import summary
from teachable.evaluation.entries import Entries, Entry
from teachable.evaluation.outcomes import Outcomes, line_up
from teachable.evaluation.resampling import Games, Resampling
from teachable.evaluation.transfer import DIAGONAL, PERMUTED, best_format, permuted_labels

from .frames import episode, failure_panel, frame, labels

SETTINGS = Resampling(repetitions=1000)
CELLS = ["base", *(run.name for run in terms.matrix()), "C_replay"]


def trainings(success: np.ndarray, model: str = "B1_uniform") -> list[dict]:
    """Episodes of a run: ``success[seeds, games]``."""
    return [
        episode(model, f"t{g}", bool(won), snapshot=f"t{g}/s", train_seed=s + 1)
        for s, row in enumerate(success)
        for g, won in enumerate(row)
    ]


def test_the_point_is_the_mean_over_seeds_and_base_serves_them_all() -> None:
    games = 6
    tuned = np.zeros((3, games))
    tuned[0, :3] = tuned[1, :1] = 1
    rows = [episode("base", f"t{g}", g == 5, snapshot=f"t{g}/s") for g in range(games)]
    labeled = labels({f"t{g}/s": "Q1" for g in range(games)})
    got = summary.summarise(frame(rows + trainings(tuned)), labeled, SETTINGS, seed=1)
    one = got.contrasts.filter(contrast="B1_uniform-vs-base", group="all", metric="success").row(0, named=True)
    assert one["point"] == pytest.approx((3 + 1 + 0) / 18 - 1 / 6)
    assert (one["n"], one["clusters"]) == (games, games)
    assert one["method"] == "games_and_3_seeds_bootstrap_95"
    level = got.metrics.filter(model="B1_uniform", group="all", metric="success").row(0, named=True)
    assert (level["point"], level["n"]) == (pytest.approx(4 / 18), 18)
    base = got.metrics.filter(model="base", group="all", metric="success").row(0, named=True)
    assert base["method"] == "wilson_95"


def test_one_training_that_succeeds_does_not_make_an_effect_certain() -> None:
    """One of three trainings wins every game, two none: over games alone the effect would be certain."""
    games = 30
    tuned = np.zeros((3, games))
    tuned[0] = 1
    rows = [episode("base", f"t{g}", False, snapshot=f"t{g}/s") for g in range(games)]
    got = summary.summarise(
        frame(rows + trainings(tuned)), labels({f"t{g}/s": "Q1" for g in range(games)}), SETTINGS, seed=1
    )
    one = got.contrasts.filter(contrast="B1_uniform-vs-base", group="all", metric="success").row(0, named=True)
    assert one["point"] == pytest.approx(1 / 3)
    assert one["low"] < 0 < one["high"]
    assert one["p_value"] > 0.3
    assert one["mde"] > 1, "two degrees of freedom and a standard error of a third"


def test_equal_trainings_are_as_one() -> None:
    rng = np.random.default_rng(0)
    games = [f"g{i}" for i in range(20)]
    a, b = (rng.integers(0, 2, (1, 20, 1)).astype(float) for _ in range(2))
    drawn = Games.draw(games, 3, SETTINGS)
    ones = np.ones_like(a)
    ((one, p, mde),) = drawn.differences((a, ones), (b, ones), [("a", "b")], {"a": 1, "b": 1})
    thrice, three = np.repeat(a, 3, axis=0), np.repeat(ones, 3, axis=0)
    pad = np.concatenate([b, np.full((2, 20, 1), np.nan)])
    ((same, p3, mde3),) = drawn.differences((thrice, three), (pad, three), [("a", "b")], {"a": 3, "b": 1})
    assert (same.point, same.low, same.high) == pytest.approx((one.point, one.low, one.high))
    assert mde3 == pytest.approx(mde)
    assert p3 >= p


@pytest.mark.parametrize("between", [0.0, 0.1])
def test_intervals_cover_and_tests_reject_at_their_level(between: float) -> None:
    """Two runs of three seeds without a true difference, 400 times over; both ways to a contrast agree."""
    games, copies, per, count = 40, 400, 2, 3
    rng = np.random.default_rng(1)
    names = [f"g{i}" for i in range(games) for _ in range(per)]
    level = np.clip(0.4 + rng.normal(0, 0.3, (games, copies)), 0, 1).repeat(per, axis=0)

    def play() -> np.ndarray:
        chance = [np.clip(level + rng.normal(0, between, copies), 0, 1) for _ in range(count)]
        return np.stack([rng.random(level.shape) < c for c in chance]).astype(float)

    a, b = play(), play()
    drawn = Games.draw(names, 5, Resampling(repetitions=600))
    pairs = [(f"a{c}", f"b{c}") for c in range(copies)]
    counts = {name: count for pair in pairs for name in pair}
    found = drawn.differences((a, np.ones_like(a)), (b, np.ones_like(b)), pairs, counts)
    covered = np.mean([interval.low <= 0 <= interval.high for interval, _, _ in found])
    rejected = np.mean([p <= 0.05 for _, p, _ in found])
    slack = 3 * math.sqrt(0.05 * 0.95 / copies)
    assert 0.95 - slack <= covered <= 0.95 + slack
    assert rejected <= 0.05 + slack
    models = tuple(name for pair in pairs for name in pair)
    both = np.stack([a, b], axis=3).reshape(count, len(names), -1)
    outcomes = Outcomes(
        "failure",
        models,
        (count,) * len(models),
        pl.DataFrame({"task_id": names}),
        {"success": both},
        {"success": np.ones_like(both)},
    )
    entries = [Entry.change(x, y, np.ones(len(names), dtype=bool)) for x, y in pairs]
    for (one, p, mde), (other, q, effect) in zip(
        found, Entries.of(outcomes, drawn, entries).combine(np.eye(copies)), strict=True
    ):
        assert (one.point, one.low, one.high) == pytest.approx((other.point, other.low, other.high), abs=1e-6)
        assert (p, mde) == pytest.approx((q, effect), abs=0.02)


def test_seed_weights_sum_to_one_and_have_the_variance_of_a_mean() -> None:
    drawn = Games.draw([f"g{i}" for i in range(4)], 1, Resampling(repetitions=20_000))
    weights = drawn.seed_weights("Q1_demo", 3)
    assert weights.sum(axis=1) == pytest.approx(1)
    values = np.array([0.1, 0.4, 0.7])
    assert np.var(weights @ values) == pytest.approx(values.var(ddof=1) / 3, rel=0.05)
    assert not np.array_equal(weights, drawn.seed_weights("Q2_demo", 3)), "models are trained independently"
    assert (drawn.seed_weights("base", 1) == 1).all()


def test_permuted_labels_stay_within_blocks_of_one_size() -> None:
    games = ["a", "a", "b", "b", "c", "d", "d", "d"]
    truth = np.arange(8)
    drawn = permuted_labels(truth, games, 500, np.random.default_rng(0))
    assert all(sorted(row) == list(truth) for row in drawn)
    assert (drawn[:, 4] == 4).all(), "the only game with one snapshot keeps its label"
    assert {frozenset(row[:2]) for row in drawn} == {frozenset({0, 1}), frozenset({2, 3})}, "games move whole"
    assert {frozenset(row[5:]) for row in drawn} == {frozenset({5, 6, 7})}
    assert len({tuple(row[:4]) for row in drawn}) == 8


def test_the_permutation_finds_matched_training_and_rejects_at_its_level() -> None:
    quiet = Resampling(repetitions=400)

    def p_value(effect: float, seed: int) -> tuple[float, dict]:
        rng = np.random.default_rng(seed)
        easier = {"Q1": 0.3, "Q2": 0.1, "Q3": 0.0, "Q4": 0.2}  # a column that is easier is no transfer
        episodes, labeled = failure_panel(
            CELLS, 12, lambda m, q, g: bool(rng.random() < 0.3 + (m != "base") * easier[q] + effect * m.startswith(q))
        )
        rows = summary.summarise(episodes, labeled, quiet, seed=seed).contrasts
        return rows.filter(contrast=PERMUTED)["p_value"][0], rows.filter(contrast=DIAGONAL).row(0, named=True)

    p, main = p_value(0.4, 1)
    assert p < 0.01
    assert main["low"] > 0
    nulls = [p_value(0.0, seed)[0] for seed in range(30)]
    assert np.mean([p <= 0.05 for p in nulls]) <= 0.2
    assert 0.2 < float(np.mean(nulls)) < 0.8


@pytest.mark.parametrize("count", [1, 3])
def test_intervals_cover_with_few_games(count: int) -> None:
    """The failure panel of preset pilot has about seven games; plain percentiles cover 84 % there."""
    games, copies, per = 7, 600, 8
    rng = np.random.default_rng(2)
    names = [f"g{i}" for i in range(games) for _ in range(per)]

    def play(by_game: np.ndarray) -> np.ndarray:
        chance = np.clip(0.4 + by_game, 0.02, 0.98).repeat(per, axis=0)
        return (rng.random((count, *chance.shape)) < chance).astype(float)

    a, b = (play(rng.normal(0, 0.15, (games, copies))) for _ in range(2))
    drawn = Games.draw(names, 5, Resampling(repetitions=600))
    pairs = [(f"a{c}", f"b{c}") for c in range(copies)]
    counts = {name: count for pair in pairs for name in pair}
    found = drawn.differences((a, np.ones_like(a)), (b, np.ones_like(b)), pairs, counts)
    covered = np.mean([interval.low <= 0 <= interval.high for interval, _, _ in found])
    assert 0.91 <= covered <= 0.985
    assert np.mean([interval.low > 0 for interval, _, _ in found]) <= 0.05


def test_a_format_is_not_chosen_for_the_luck_of_its_training() -> None:
    """Formats are alike, but every training is lucky or not on all games at once: what is chosen must not gain."""
    quiet = Resampling(repetitions=50)
    gains, never = [], 0
    for trial in range(25):
        rng = np.random.default_rng(trial)
        luck = {(run.name, s): rng.normal(0, 0.2) for run in terms.cells() for s in (1, 2, 3)}
        quadrants = {f"g{g:02d}/{q}": q for g in range(12) for q in terms.QUADRANTS}
        rows = [episode("base", n[:3], bool(rng.random() < 0.5), snapshot=n) for n in quadrants]
        rows += [
            episode(model, n[:3], bool(rng.random() < 0.5 + more), snapshot=n, train_seed=s)
            for (model, s), more in luck.items()
            for n in quadrants
        ]
        outcomes = line_up(frame(rows), "failure", quadrants)
        (row,) = (one for one in best_format(outcomes, quiet, seed=trial) if one["group"] == "all")
        gains.append(row["point"])
        never += row["low"] > 0
    error = float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
    assert abs(np.mean(gains)) <= 3 * error
    assert error < 0.02, "choosing by luck would gain .06 and more"
    assert never <= 3
