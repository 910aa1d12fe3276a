"""Ranking metrics against scikit-learn and by hand, their intervals, and the tables made of them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from teachable.predictor import (
    Bootstrap,
    PredictorError,
    UnitCosts,
    baseline_predictions,
    calibration,
    compare,
    confusion,
    cost_table,
    cross_fit,
    evaluate,
    permutation_importance,
    sample_efficiency,
    scores,
)
from teachable.predictor import scores as score_statistics
from teachable.predictor.ranking import ndcg, precision
from teachable.tables import CALIBRATION, CONFUSION, COST, IMPORTANCE, PREDICTOR_METRICS, conform

ROUTES = ("demo", "contrast", "hint")
QUADRANTS = ("Q1", "Q2", "Q3", "Q4")
FAST = Bootstrap(seed=7, repetitions=200)


@pytest.fixture(scope="module")
def everything(fitted, features, frame, settings):
    parts = [fitted.predictions, baseline_predictions(features, frame, settings, seed=3)]
    parts += [
        cross_fit(features, frame, settings, seed=3, method=method, targets=["ELP_net"]).predictions
        for method in ("tier1", "tier2")
    ]
    return pl.concat(parts)


@pytest.fixture(scope="module")
def table(everything, frame):
    untied = frame.filter(~pl.col("route_tied"))["snapshot_id"].to_list()
    return evaluate(everything, ks=[10, 50, 10_000], bootstrap=FAST, untied=untied, train_size=225)


def value(table: pl.DataFrame, method: str, metric: str, k: int | None = None, target: str = "ELP_net") -> dict:
    rows = table.filter((pl.col("method") == method) & (pl.col("metric") == metric) & (pl.col("target") == target))
    rows = rows if k is None else rows.filter(pl.col("k") == k)
    assert len(rows) == 1
    return rows.row(0, named=True)


def at_sample(statistic, n: int) -> float:
    return float(statistic(np.ones((1, n)))[0])


@hypothesis_settings(max_examples=60)
@given(
    arrays(np.float64, 12, elements=st.integers(-3, 3).map(float)),
    arrays(np.float64, 12, elements=st.integers(-3, 3).map(float)),
    st.integers(1, 12),
)
def test_ndcg_is_that_of_scikit_learn_ties_included(score, truth, k):
    ours = at_sample(ndcg(score, truth, np.arange(12), k), 12)
    gain = np.maximum(truth, 0)
    if gain.max() == 0:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(sk.ndcg_score(gain[None], score[None], k=k))


def test_precision_by_hand():
    truth = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    codes = np.arange(5)
    assert at_sample(precision(truth, truth, codes, 2), 5) == 1
    assert at_sample(precision(-truth, truth, codes, 2), 5) == 0
    assert at_sample(precision(np.array([5.0, 1.0, 4.0, 0.0, 0.0]), truth, codes, 2), 5) == 0.5
    # All scores equal: chance, 2 of 5.
    assert at_sample(precision(np.zeros(5), truth, codes, 2), 5) == pytest.approx(0.4)
    # All truths equal: every choice of two is as good, and holds two fifths of the tie's room each.
    assert at_sample(precision(truth, np.ones(5), codes, 2), 5) == pytest.approx(0.4)


@hypothesis_settings(max_examples=40)
@given(
    arrays(np.float64, 8, elements=st.integers(0, 4).map(float)),
    arrays(np.float64, 8, elements=st.integers(-2, 4).map(float)),
    arrays(np.int64, 4, elements=st.integers(0, 3)),
    st.integers(1, 6),
)
def test_a_weighted_metric_is_the_metric_of_the_repeated_rows(score, truth, weights, k):
    codes = np.repeat(np.arange(4), 2)
    rows = np.repeat(np.arange(8), weights[codes])
    if len(rows) == 0:
        return
    for make in (ndcg, precision):
        weighted = make(score, truth, codes, k)(weights[None].astype(float))[0]
        plain = at_sample(make(score[rows], truth[rows], np.arange(len(rows)), k), len(rows))
        assert weighted == pytest.approx(plain, nan_ok=True)


def test_class_and_number_metrics_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.choice(["a", "b", "c"], 50)
    label = np.where(rng.random(50) < 0.6, truth, rng.choice(["a", "b", "c"], 50))
    codes = np.arange(50)
    f1 = at_sample(score_statistics.macro_f1(label, truth, codes), 50)
    assert f1 == pytest.approx(sk.f1_score(truth, label, average="macro"))
    accuracy = at_sample(score_statistics.accuracy(label, truth, codes), 50)
    assert accuracy == pytest.approx(sk.accuracy_score(truth, label))
    x, y = rng.normal(size=(2, 50))
    assert at_sample(score_statistics.r2(x, y, codes), 50) == pytest.approx(sk.r2_score(y, x))
    assert at_sample(score_statistics.mae(x, y, codes), 50) == pytest.approx(sk.mean_absolute_error(y, x))


def test_the_table_of_metrics_conforms_and_leaves_out_what_cannot_be(table):
    assert conform(table, PREDICTOR_METRICS).equals(table)
    assert set(table["k"].drop_nulls()) == {10, 50}
    assert set(table.filter(pl.col("train_size").is_not_null())["method"]) == {"predictor", "tier1", "tier2"}
    assert (table["clusters"] == 60).all()
    inside = table.filter(pl.col("low").is_not_null() & (pl.col("metric") != "ece"))
    assert (inside["low"] <= inside["high"]).all()


def test_the_predictor_beats_its_rivals_where_there_is_a_signal(table, everything):
    ranked = {m: value(table, m, "ndcg", 50)["point"] for m in ("predictor", "entropy", "random")}
    assert ranked["predictor"] > ranked["entropy"]
    assert ranked["predictor"] > ranked["random"] + 0.2
    differences = compare(everything, ks=[10, 50], bootstrap=FAST)
    gain = value(differences, "predictor - entropy", "ndcg_difference", 50)
    assert gain["low"] > 0
    assert gain["point"] == pytest.approx(ranked["predictor"] - ranked["entropy"])


def test_a_method_does_not_differ_from_itself(everything):
    rows = compare(everything, ks=[50], bootstrap=FAST, references=["predictor"])
    assert set(rows["point"]) == set(rows["low"]) == set(rows["high"]) == {0.0}


def test_chance_is_the_mean_over_random_rankings(frame, table):
    truth = frame["ELP_net"].to_numpy()
    rng = np.random.default_rng(0)
    for metric, make in (("ndcg", ndcg), ("precision", precision)):
        draws = [at_sample(make(rng.random(300), truth, np.arange(300), 50), 300) for _ in range(300)]
        assert value(table, "random", metric, 50)["point"] == pytest.approx(np.mean(draws), abs=0.01)


def test_the_majority_class_is_a_rival(table):
    majority = value(table, "majority", "macro_f1_untied", target="route")["point"]
    assert value(table, "predictor", "macro_f1_untied", target="route")["point"] > majority + 0.1
    assert value(table, "majority", "accuracy", target="quadrant")["point"] < 0.5


def test_a_snapshot_without_the_measurement_is_ranked_last(frame, features, settings):
    gone = frame["snapshot_id"][0]
    missing = frame.with_columns(
        pl.when(pl.col("snapshot_id") == gone).then(None).otherwise(pl.col("L_local")).alias("L_local")
    )
    rows = baseline_predictions(features, missing, settings, seed=3).filter(pl.col("method") == "L_local")
    assert rows["score"].is_finite().all()
    assert rows.sort("score")["snapshot_id"][0] == gone


def test_the_interval_of_a_calibration_error_holds_its_point(table):
    rows = table.filter(pl.col("metric") == "ece")
    assert ((rows["low"] <= rows["point"]) & (rows["point"] <= rows["high"])).all()
    assert (rows["low"] >= 0).all()


def test_comparing_on_other_snapshots_is_refused(everything):
    half = everything.filter((pl.col("method") != "entropy") | (pl.col("snapshot_id") < "s030"))
    with pytest.raises(PredictorError, match="same snapshots"):
        compare(half, ks=[10], bootstrap=FAST)
    with pytest.raises(PredictorError, match="no predictions"):
        compare(everything, ks=[10], bootstrap=FAST, method="magic")


def test_reliability_curves_count_every_snapshot_once(everything, fitted):
    rows = calibration(everything, bootstrap=FAST, bins=5)
    assert conform(rows, CALIBRATION).equals(rows)
    elp = rows.filter((pl.col("method") == "predictor") & (pl.col("target") == "ELP_net"))
    assert elp["n"].sum() == len(fitted.features)
    assert elp["predicted"].is_sorted()
    assert elp["point"][-1] > elp["point"][0]
    assert set(rows["method"]) == {"predictor", "tier1", "tier2"}


def test_confusion_counts_every_pair(everything, frame):
    rows = confusion(everything, labels={"route": ROUTES, "quadrant": QUADRANTS})
    assert conform(rows, CONFUSION).equals(rows)
    cells = rows.filter((pl.col("method") == "predictor") & (pl.col("target") == "quadrant"))
    assert len(cells) == 16
    assert cells["count"].sum() == len(frame)
    shares = cells.group_by("truth_label").agg(pl.col("share").sum())["share"]
    assert shares.to_list() == pytest.approx([1.0] * 4)


def test_importance_finds_the_informative_groups(fitted):
    rows = permutation_importance(fitted, bootstrap=FAST, k=50, repeats=3, targets=["ELP_net", "U"])
    assert conform(rows, IMPORTANCE).equals(rows)
    r2 = rows.filter((pl.col("target") == "ELP_net") & (pl.col("metric") == "r2"))
    drop = dict(zip(r2["group"], r2["point"], strict=True))
    assert drop["state"] > 0.05  # the hidden states that know
    assert drop["state"] > max(drop["goal"], drop["history"], drop["length"]) + 0.05
    uncertainty = rows.filter((pl.col("target") == "U") & (pl.col("group") == "uncertainty"))
    assert uncertainty["low"][0] > 0
    assert set(rows["tier"]) == {"tier1", "tier2"}


def test_more_labels_do_not_hurt(frame, features, settings):
    rows = sample_efficiency(
        features, frame, settings, shares=[0.1, 1.0], ks=[50], bootstrap=FAST, seed=3, method="tier2"
    )
    curve = rows.filter(pl.col("metric") == "spearman").sort("train_size")
    assert curve["train_size"].to_list()[1] == 225
    assert curve["train_size"].to_list()[0] < 50
    assert curve["point"][1] > curve["point"][0] - 0.02
    assert set(rows["n"]) == {len(frame)}


def test_the_cost_table_says_what_each_ranking_takes(table):
    rows = cost_table(table, UnitCosts(), labelled=225, k=50)
    assert conform(rows, COST).equals(rows)
    by_method = {row["method"]: row for row in rows.iter_rows(named=True)}
    assert by_method["entropy"]["student_passes"] == 1
    assert by_method["L_local"]["rollouts"] == 14
    assert by_method["oracle"]["rollouts"] == 26
    assert by_method["oracle"]["teacher_calls"] == 1
    assert by_method["predictor"]["labelled_once"] == 225
    assert "oracle_features" not in by_method
    assert by_method["predictor"]["point"] == value(table, "predictor", "ndcg", 50)["point"]


def test_knowing_only_uncertainty_is_chance_on_the_leverage_side() -> None:
    """U is an input: a predictor without any idea of leverage gets half of the quadrants, and no credit."""
    truth = np.array(["Q1", "Q2", "Q3", "Q4"] * 25)
    always_high = np.where(np.isin(truth, ("Q1", "Q2")), "Q1", "Q4")
    codes = np.arange(100) // 4
    high = np.isin(truth, ("Q1", "Q4"))
    one = np.ones((1, 25))
    assert scores.accuracy(always_high, truth, codes)(one)[0] == 0.5
    said = np.isin(always_high, ("Q1", "Q4"))
    assert scores.balanced_accuracy(said, high, codes)(one)[0] == 0.5
    assert scores.balanced_accuracy(high, high, codes)(one)[0] == 1.0
    few = high & (np.arange(100) < 8)  # four high ones among a hundred: saying "low" throughout is chance
    assert scores.balanced_accuracy(np.zeros(100, dtype=bool), few, codes)(one)[0] == 0.5
    assert np.isnan(scores.balanced_accuracy(said, np.ones(100, dtype=bool), codes)(one)[0])
