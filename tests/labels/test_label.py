from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest
from configured import section
from hypothesis import given
from hypothesis import strategies as st

from teachable import tables
from teachable.errors import TableError, TeachableError
from teachable.labels import (
    cut,
    excess_of_maximum,
    expected_excess,
    recovery_depth,
    uncertainty,
    with_leverage,
)
from teachable.labels import label as label_with
from teachable.labels.label import sets
from teachable.terms import QUADRANTS

from .frames import advice, estimates, full, snapshots


def label(snapshots, advice, estimates, settings=None):
    return label_with(snapshots, advice, estimates, settings or section("labels"))


# ---------------------------------------------------------------- uncertainty


def test_measures_by_hand() -> None:
    found = uncertainty(np.log([0.5, 0.25, 0.25]), ["take red apple", "b", "c"], "take red apple", topk=3)
    assert found["entropy"] == pytest.approx(1.5 * math.log(2))
    assert found["entropy_normalised"] == pytest.approx(1.5 * math.log(2) / math.log(3))
    assert found["margin"] == pytest.approx(0.25)
    assert found["topk_spread"] == pytest.approx(0.25)
    assert found["effective_actions"] == pytest.approx(2**1.5)
    assert found["logp_chosen"] == pytest.approx(math.log(0.5) / 3)
    assert set(found) == set(tables.MEASURES)


def test_measures_at_the_edges() -> None:
    one = uncertainty([0.0], ["a"], "a")
    expected = {
        "entropy": 0,
        "entropy_normalised": 0,
        "margin": 1,
        "topk_spread": 1,
        "effective_actions": 1,
        "logp_chosen": 0,
    }
    assert one == expected
    sure = uncertainty([0.0, -np.inf], ["a", "b"], "a")
    assert (sure["entropy"], sure["margin"], sure["topk_spread"]) == (0, 1, 1)
    for logp, commands, chosen in (
        ([], [], "a"),
        ([0.0], ["a", "b"], "a"),
        ([np.nan], ["a"], "a"),
        ([0.0], ["a"], "z"),
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            uncertainty(logp, commands, chosen)


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=20), st.floats(-5, 5))
def test_measures_have_their_ranges_and_ignore_the_scale(weights, shift) -> None:
    p = np.array(weights) / sum(weights)
    commands = [str(i) for i in range(len(p))]
    found = uncertainty(np.log(p) + shift, commands, "0")
    assert 0 <= found["entropy"] <= math.log(len(p)) + 1e-9
    assert 0 <= found["entropy_normalised"] <= 1 + 1e-9
    assert 0 <= found["margin"] <= found["topk_spread"] + 1e-12 <= 1 + 1e-9
    assert 1 - 1e-9 <= found["effective_actions"] <= len(p) + 1e-9
    assert found["logp_chosen"] == pytest.approx(math.log(p[0]))


# ---------------------------------------------------------------- leverage


@pytest.mark.parametrize(
    ("policy", "force", "expert", "profile"),
    [
        (0.8, 0.9, 1.0, "C_deadend"),  # L_upper 0.2, whatever L_local
        (0.1, 0.9, 1.0, "A_bottleneck"),
        (0.1, 0.2, 1.0, "B_trajectory"),
        (0.1, 0.35, 1.0, "mixed"),
        (0.1, 0.6, 1.0, "mixed"),  # L_local 0.5, gap 0.4
        (0.0, 0.3, 0.5, "mixed"),  # L_local exactly 0.3 is not above
        (0.0, 0.0, 0.3, "B_trajectory"),  # L_upper exactly 0.3 is not below
        (0.0, 0.0, 0.0, "C_deadend"),
    ],
)
def test_profiles(policy, force, expert, profile) -> None:
    row = _leverage(policy, force, expert)
    assert row["profile"] == profile
    assert row["L_local"] == pytest.approx(force - policy)
    assert row["L_upper"] == pytest.approx(expert - policy)
    assert row["gap"] == pytest.approx(expert - force)


def test_errors_of_leverage_use_the_shared_episodes_where_known() -> None:
    assert _leverage(0.1, 0.2, 1.0)["L_local_se"] == pytest.approx(0.05)
    assert _leverage(0.1, 0.2, 1.0, diff=0.01)["L_local_se"] == 0.01
    empty = _leverage(None, 0.2, 1.0)
    assert (empty["L_local"], empty["profile"]) == (None, None)


def _leverage(policy, force, expert, diff=None) -> dict:
    row = {"p_policy": policy, "p_force": force, "p_expert": expert}
    errors = {"p_policy_se": 0.03, "p_force_se": 0.04, "p_expert_se": 0.0}
    differences = {"force_diff_se": diff, "expert_diff_se": None}
    data = row | errors | differences
    frame = pl.DataFrame([data], schema=dict.fromkeys(data, pl.Float64))
    return with_leverage(frame).row(0, named=True)


# ---------------------------------------------------------------- patch test


def one(values: dict[str, float], se: float = 0.0, **settings: object) -> dict:
    frame, _ = label(
        snapshots([{"id": "s"}]), advice(["s"]), estimates({"s": values}, se), section("labels", **settings)
    )
    return frame.row(0, named=True)


def test_patch_test_by_hand() -> None:
    row = one(full(policy=0.3, placebo=0.25, demo=0.5, contrast=0.6, hint=0.2))
    assert row["raw_demo"] == pytest.approx(0.2)
    assert row["raw_contrast"] == pytest.approx(0.3)
    assert row["net_contrast"] == pytest.approx(0.35)
    assert row["net_hint"] == pytest.approx(-0.05)
    assert row["placebo_gain"] == pytest.approx(-0.05)
    assert row["ELP_net"] == pytest.approx(0.35)
    assert row["ELP_raw"] == pytest.approx(0.3)
    assert (row["route"], row["route_tied"]) == ("contrast", False)
    assert row["ELP_net_debiased"] == row["ELP_net"]  # no error, nothing to correct


@pytest.mark.parametrize(
    ("demo", "contrast", "hint", "route", "tied"),
    [
        (0.5, 0.5, 0.5, "demo", True),
        (0.4, 0.5, 0.5, "contrast", True),
        (0.1 + 0.2, 0.3, 0.1, "demo", True),
        (0.3, 0.1 + 0.2, 0.1, "demo", True),  # rounding is no better arm
        (0.5, 0.505, 0.1, "contrast", True),
        (0.5, 0.52, 0.1, "contrast", False),
        (0.0, 0.0, 0.02, "hint", False),
    ],
)
def test_routes_and_ties(demo, contrast, hint, route, tied) -> None:
    row = one(full(demo=demo, contrast=contrast, hint=hint))
    assert (row["route"], row["route_tied"]) == (route, tied)


def test_the_expected_excess_of_equal_arms_is_that_of_order_statistics() -> None:
    three = expected_excess(np.zeros((1, 3)), np.ones((1, 3)))
    assert three[0] == pytest.approx(3 / (2 * math.sqrt(math.pi)), abs=1e-4)
    two = expected_excess(np.zeros((1, 2)), np.full((1, 2), 2.0))
    assert two[0] == pytest.approx(2 / math.sqrt(math.pi), abs=1e-4)
    assert expected_excess(np.array([[0.0, 5.0, -5.0]]), np.full((1, 3), 0.1))[0] == pytest.approx(0, abs=1e-4)
    assert expected_excess(np.array([[0.1, 0.2, 0.3]]), np.zeros((1, 3)))[0] == 0
    assert expected_excess(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)


@given(
    st.lists(st.tuples(*[st.floats(-1, 1)] * 3, *[st.floats(0, 0.5)] * 3), min_size=1, max_size=4),
)
def test_the_expected_excess_agrees_with_drawing(rows) -> None:
    data = np.array(rows)
    x, s = data[:, :3], data[:, 3:]
    found = expected_excess(x, s)
    z = np.random.default_rng(0).standard_normal((20_000, 1, 3))
    drawn = (x + s * z).max(axis=2).mean(axis=0) - x.max(axis=1)
    assert found == pytest.approx(np.maximum(drawn, 0), abs=0.02)
    assert (found >= 0).all()


def truths(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Success probabilities of three arms [size, 3], by the kind of snapshot."""
    base = rng.uniform(0.1, 0.7, size)
    made = {"equal": np.repeat(base[:, None], 3, axis=1)}
    for gain in (0.1, 0.25, 0.5):
        made[f"one +{gain}"] = made["equal"].copy()
        made[f"one +{gain}"][np.arange(size), rng.integers(0, 3, size)] += gain
    made["all +0.3"] = made["equal"] + 0.3
    for sd in (0.1, 0.2):
        made[f"spread {sd}"] = made["equal"] + rng.normal(0, sd, (size, 3))
    for low, high in ((0.01, 0.1), (0.9, 0.99)):
        made[f"equal in {low} {high}"] = np.repeat(rng.uniform(low, high, size)[:, None], 3, axis=1)
    made["one +0.5 of low"] = made["equal in 0.01 0.1"] + np.array([0.5, 0, 0])
    return {kind: np.clip(chance, 0.01, 0.99) for kind, chance in made.items()}


def monte_carlo_label(chance: np.ndarray, placebo: np.ndarray, n: int, rng: np.random.Generator) -> pl.DataFrame:
    """The labelled table of snapshots with ``chance`` [N, 3] and ``placebo`` [N], from n episodes a condition."""
    columns = {"policy": placebo, "force": placebo, "expert": placebo, "base": placebo, "placebo": placebo}
    columns |= dict(zip(("demo", "contrast", "hint"), chance.T, strict=True))
    drawn = {c: rng.binomial(n, p) / n for c, p in columns.items()}
    ids = [f"s{i:05d}" for i in range(len(chance))]
    values = {i: {c: float(p[k]) for c, p in drawn.items()} for k, i in enumerate(ids)}
    error = ((pl.col("value") * n + 1) / (n + 2)).pipe(lambda q: (q * (1 - q) / n).sqrt())
    rows = estimates(values).with_columns(estimator=pl.lit("monte_carlo"), n=pl.lit(n, pl.Int64), se=error)
    rows = rows.with_columns(net_se=pl.col("se") * math.sqrt(2)).cast(dict(tables.ESTIMATES))  # type: ignore[arg-type]
    return label(snapshots([{"id": i} for i in ids]), advice(ids), rows)[0]


@pytest.mark.parametrize("n", [2, 3, 7])
def test_the_debiased_elp_is_within_two_hundredths_of_the_truth_on_average(n) -> None:
    rng = np.random.default_rng(100 + n)
    plain, left = {}, {}
    for kind, chance in truths(rng, 3000).items():
        placebo = rng.uniform(0.1, 0.7, len(chance))
        true = chance.max(axis=1) - placebo
        frame = monte_carlo_label(chance, placebo, n, rng)
        plain[kind] = float((frame["ELP_net"].to_numpy() - true).mean())
        left[kind] = float((frame["ELP_net_debiased"].to_numpy() - true).mean())
    assert np.mean(list(plain.values())) > 0.05, "there is a bias to take off"
    assert abs(np.mean(list(left.values()))) <= 0.02
    assert abs(np.mean(list(left.values())[:7])) <= 0.02, "nor does it hang on students who never or always win"
    assert max(map(abs, left.values())) < 0.12
    assert abs(left["equal in 0.01 0.1"]) < 0.05, "arms that all fail are not corrected below their truth"


def test_the_excess_vanishes_with_the_error_and_is_exact_for_binomials() -> None:
    arms = np.array([[0.3, 0.3, 0.3], [0.2, 0.5, 0.9], [0.0, 0.0, 1.0]])
    trees = np.full(arms.shape, np.nan)
    assert excess_of_maximum(arms, np.zeros(arms.shape), trees).tolist() == [0, 0, 0]
    sizes = [excess_of_maximum(arms, np.full(arms.shape, e), trees).max() for e in (0.2, 0.02, 0.002)]
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[2] < 0.002
    assert excess_of_maximum(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
    # equal arms of 2, 2 and 3 episodes, by enumeration
    number, p = np.array([2.0, 2.0, 3.0]), 0.5
    found = excess_of_maximum(np.full((1, 3), p), np.full((1, 3), 0.3), number[None, :])[0]
    weights = {
        wins: math.prod(math.comb(int(n), k) * p**k * (1 - p) ** (n - k) for n, k in zip(number, wins, strict=True))
        for wins in itertools.product(range(3), range(3), range(4))
    }
    expected = sum(w * max(k / n for k, n in zip(wins, number, strict=True)) for wins, w in weights.items())
    assert found == pytest.approx(expected - p)


# ---------------------------------------------------------------- quadrants


def four() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """One snapshot for each corner: entropy high or low, L_local high or low."""
    unsure, sure = [0.5, 0.5], [0.99, 0.01]
    rows = [("hh", unsure, 0.9), ("hl", unsure, 0.2), ("ll", sure, 0.2), ("lh", sure, 0.9)]
    return (
        snapshots([{"id": i, "p": p} for i, p, _ in rows]),
        advice([i for i, _, _ in rows]),
        estimates({i: full(policy=0.1, force=force) for i, _, force in rows}),
    )


@pytest.mark.parametrize("method", ["median", "given"])
def test_q2_is_uncertain_without_leverage_and_q4_sure_with_leverage(method) -> None:
    settings = section("labels", thresholds=method, given_U=0.3, given_L=0.4)
    frame, thresholds = label(*four(), settings)
    found = dict(frame.select("snapshot_id", "quadrant").iter_rows())
    assert found == {"hh": "Q1", "hl": "Q2", "ll": "Q3", "lh": "Q4"}
    assert thresholds["counts"] == dict.fromkeys(QUADRANTS, 1)
    assert thresholds["labelled"] == 4


def test_high_is_strictly_above_the_threshold() -> None:
    snaps = snapshots([{"id": i} for i in "abc"])
    frame, thresholds = label(snaps, advice(list("abc")), estimates({i: full() for i in "abc"}))
    assert frame["quadrant"].to_list() == ["Q3"] * 3
    assert thresholds["U"]["high"] == pytest.approx(math.log(2))


def test_leverage_from_sevenths_is_not_split_by_rounding() -> None:
    values = {
        "a": full(policy=2 / 7, force=3 / 7),
        "b": full(policy=0.0, force=1 / 7),
        "c": full(policy=4 / 7, force=5 / 7),
    }
    frame, _ = label(snapshots([{"id": i} for i in "abc"]), advice(list("abc")), estimates(values))
    assert frame["L_local"].n_unique() == 1
    assert frame["quadrant"].to_list() == ["Q3"] * 3


def test_percentiles_leave_the_middle_out() -> None:
    ids = [f"s{i:02d}" for i in range(30)]
    p = np.linspace(0.51, 0.99, 30)
    snaps = snapshots([{"id": i, "p": [x, 1 - x]} for i, x in zip(ids, p, strict=True)])
    values = {i: full(policy=0.0, force=0.03 * k) for k, i in enumerate(ids)}
    frame, thresholds = label(snaps, advice(ids), estimates(values), section("labels", thresholds="percentiles"))
    assert 0 < frame["quadrant"].null_count() < 30
    assert thresholds["between_cuts"] == frame["quadrant"].null_count()
    assert sum(thresholds["counts"].values()) + thresholds["between_cuts"] == 30
    # the 33rd and the 67th percentile of 0.03 k, k = 0 ... 29
    assert thresholds["L_local"]["low"] == pytest.approx(0.03 * 0.33 * 29)
    assert thresholds["L_local"]["high"] == pytest.approx(0.03 * 0.67 * 29)
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    low, high = sorted(entropy)[9:11], sorted(entropy)[19:21]  # 9.57 and 19.43 in between
    assert thresholds["U"]["low"] == pytest.approx(low[0] + 0.57 * (low[1] - low[0]))
    assert thresholds["U"]["high"] == pytest.approx(high[0] + 0.43 * (high[1] - high[0]))
    # U falls and L_local rises with k: the first ten are Q2, the last ten Q4
    assert frame.sort("snapshot_id")["quadrant"].to_list() == ["Q2"] * 10 + [None] * 10 + ["Q4"] * 10


def test_thresholds_come_from_the_labelled_set_only() -> None:
    snaps, adv, est = four()
    extra = snapshots([{"id": "zz", "p": [0.6, 0.4]}, {"id": "zi", "kind": "interval"}, {"id": "zf"}])
    more = pl.concat([est, estimates({"zz": full(force=1.0), "zi": full()})])
    frame, thresholds = label(
        pl.concat([snaps, extra]), pl.concat([adv, advice(["zz", "zi", "zf"], invalid=["zz"])]), more
    )
    _, plain = label(snaps, adv, est)
    assert (thresholds["U"], thresholds["L_local"]) == (plain["U"], plain["L_local"])
    assert frame["snapshot_id"].to_list() == ["hh", "hl", "lh", "ll", "zf", "zz"]
    invalid = frame.row(5, named=True)
    assert (invalid["quadrant"], invalid["ELP_net"], invalid["route"]) == (None, None, None)
    assert invalid["L_local"] == pytest.approx(0.8)
    faulty = frame.row(4, named=True)
    assert (faulty["quadrant"], faulty["p_policy"], faulty["profile"]) == (None, None, None)
    counted = {
        k: thresholds[k] for k in ("advice_invalid", "without_estimates", "interval_snapshots", "failure_snapshots")
    }
    assert counted == {
        "advice_invalid": 1,
        "without_estimates": 1,
        "interval_snapshots": 1,
        "failure_snapshots": 6,
    }


def test_the_result_fits_the_schema_and_ignores_row_order() -> None:
    snaps, adv, est = four()
    frame, thresholds = label(snaps, adv, est)
    tables.conform(frame, tables.LABELED)
    again, same = label(snaps.reverse(), adv.reverse(), est.sample(fraction=1.0, shuffle=True, seed=2))
    assert frame.equals(again)
    assert thresholds == same


def test_contradicting_tables_are_refused() -> None:
    snaps, adv, est = four()
    with pytest.raises(TableError, match="no row"):
        label(snaps, adv.head(2), est)
    with pytest.raises(TableError, match="unique"):
        label(snaps, adv, pl.concat([est, est]))
    with pytest.raises(TableError, match="unknown"):
        label(snaps, adv, est.with_columns(quantity=pl.lit("p_magic")))
    with pytest.raises(TeachableError, match="given"):
        cut(np.array([1.0]), "given")


def test_without_a_valid_label_there_are_neither_cuts_nor_quadrants() -> None:
    snaps, _, est = four()
    names = snaps["snapshot_id"].to_list()
    labeled, thresholds = label(snaps, advice(names, invalid=names), est)
    assert labeled["quadrant"].is_null().all()
    assert thresholds["U"]["low"] is None
    assert thresholds["counts"] == dict.fromkeys(("Q1", "Q2", "Q3", "Q4"), 0)
    assert thresholds["noisy"] is False


# ---------------------------------------------------------------- recovery depth


def test_depth_by_hand() -> None:
    expert = {0: 1.0, 2: 0.5, 4: 0.4, 5: 0.1, 7: 0.0}
    force = {0: 0.4, 2: 0.4, 4: 0.6, 5: 0.2, 7: 0.2}
    points = pl.DataFrame(
        {
            "snapshot_id": [f"s{t}" for t in expert] + ["other"],
            "episode_id": ["e"] * 5 + ["f"],
            "step": [*expert, 9],
            "p_expert": [*expert.values(), 0.2],
            "p_force": [*force.values(), 0.2],
        }
    )
    for frame in (points, points.reverse()):
        found = {row["snapshot_id"]: row for row in recovery_depth(frame).to_dicts()}
        assert [found[f"s{t}"]["d_expert"] for t in expert] == [0, 0, 2, 3, 5]
        assert [found[f"s{t}"]["d_force"] for t in expert] == [None, None, 0, 1, 3]
        assert [found[f"s{t}"]["d_expert_bin"] for t in expert] == ["0", "0", "2", "3+", "3+"]
        assert found["other"]["d_expert"] is None
        assert found["other"]["d_expert_bin"] is None


def test_interval_snapshots_give_failures_their_depth() -> None:
    snaps = snapshots(
        [{"id": "f", "episode": "e", "step": 5}, {"id": "i0", "kind": "interval", "episode": "e", "step": 2}]
    )
    values = {"f": full(force=0.4, expert=0.4), "i0": {"policy": 0.1, "force": 0.7, "expert": 0.2}}
    frame, _ = label(snaps, advice(["f", "i0"]), estimates(values))
    row = frame.row(0, named=True)
    assert (row["d_force"], row["d_force_bin"], row["d_expert"]) == (3, "3+", None)


def test_expert_failures_are_cut_where_the_students_are_and_count_nowhere() -> None:
    rng = np.random.default_rng(4)
    own = [{"id": f"s{i:02d}", "p": rng.dirichlet(np.ones(4))} for i in range(20)]
    expert = [{"id": f"x{i:02d}", "source": "expert", "p": [0.97, 0.01, 0.01, 0.01]} for i in range(30)]
    values = {row["id"]: full(policy=rng.uniform(0, 0.5), force=rng.uniform(0.5, 1)) for row in own}
    values |= {row["id"]: full(policy=0.0, force=1.0) for row in expert}
    both = [*own, *expert]
    mixed, cuts = label(snapshots(both), advice([row["id"] for row in both]), estimates(values))
    alone, own_cuts = label(
        snapshots(own),
        advice([row["id"] for row in own]),
        estimates({row["id"]: values[row["id"]] for row in own}),
    )
    assert mixed.filter(source="student").equals(alone)
    assert cuts == own_cuts, "to the last digit: setup B is nowhere in them"
    assert set(mixed.filter(source="expert")["quadrant"]) == {"Q4"}
    first, second = sets(mixed, section("labels"))
    assert first.equals(alone)
    assert set(second["source"]) == {"expert"}


def test_expert_failures_enter_the_students_set_where_that_is_asked_for() -> None:
    rows = [{"id": f"s{i}", "p": [0.7 - 0.02 * i, 0.1, 0.1, 0.1 + 0.02 * i]} for i in range(12)]
    rows = [{**row, "source": "expert" if i % 3 == 0 else "student"} for i, row in enumerate(rows)]
    values = {row["id"]: full(policy=0.1, force=0.1 + 0.07 * i) for i, row in enumerate(rows)}
    given = snapshots(rows), advice([row["id"] for row in rows]), estimates(values)
    together, cuts = label(*given, section("labels", setup_b="together"))
    as_students, plain = label(
        snapshots([{**row, "source": "student"} for row in rows]), advice([row["id"] for row in rows]), given[2]
    )
    assert cuts == plain, "counted, cut and averaged as if all were the student's"
    assert together.drop("source").equals(as_students.drop("source"))
    assert label(*given)[1]["labelled"] == 8
    first, second = sets(together, section("labels", setup_b="together"))
    assert first.equals(together)
    assert second.is_empty()
    assert second.schema == first.schema


def test_thresholds_say_how_much_lies_at_the_cut() -> None:
    """Forty snapshots with hardly any leverage and ten with much: a median cut divides noise, and it is said."""
    rng = np.random.default_rng(1)
    force = [*rng.normal(0.3, 0.01, 40).clip(0, 1), *rng.uniform(0.8, 1.0, 10)]
    rows = [{"id": f"s{i:02d}"} for i in range(50)]
    values = {row["id"]: full(policy=0.3, force=float(f)) for row, f in zip(rows, force, strict=True)}
    frame, cuts = label(snapshots(rows), advice([row["id"] for row in rows]), estimates(values, se=0.02))
    error = frame["L_local_se"].to_numpy()
    near = np.abs(frame["L_local"].to_numpy() - cuts["L_local"]["high"]) <= 2 * error
    assert cuts["L_local"]["within_two_errors_of_cut"] == pytest.approx(near.mean())
    assert cuts["noisy"]
    assert cuts["L_local"]["sd"] == pytest.approx(frame["L_local"].std())
    for quadrant, part in frame.drop_nulls("quadrant").group_by("quadrant"):
        assert cuts["means"][quadrant[0]]["L_local"] == pytest.approx(part["L_local"].mean())
    spread = {row["id"]: full(policy=0.3, force=float(f)) for row, f in zip(rows, np.linspace(0, 1, 50), strict=True)}
    _, clear = label(snapshots(rows), advice([row["id"] for row in rows]), estimates(spread, se=0.02))
    assert not clear["noisy"]
