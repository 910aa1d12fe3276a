"""The model: recovers a signal, finds none where there is none, and never sees the games it is judged on."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from predictor.synthetic import hidden_states, labeled
from teachable import stats
from teachable.predictor import (
    PredictorError,
    Settings,
    baseline_predictions,
    cross_fit,
    feature_set,
    fit,
)
from teachable.predictor.fitted import quadrants
from teachable.predictor.learners import task_folds
from teachable.predictor.metrics import numbers
from teachable.predictor.model import prediction_rows
from teachable.tables import PREDICTIONS, conform
from teachable.worlds.textworld.words import WORDS


def rho(predictions: pl.DataFrame, target: str, method: str = "predictor") -> float:
    """Spearman correlation of predictions and truth."""
    rows = numbers(predictions, method, target)
    return stats.correlation(rows.score, rows.truth, rows.task_id, kind="spearman", seed=0, repetitions=1).point


def test_a_signal_is_recovered(fitted):
    assert rho(fitted.predictions, "ELP_net") > 0.6
    assert rho(fitted.predictions, "L_local") > 0.4
    assert rho(fitted.predictions, "U") > 0.95
    route = fitted.predictions.filter(pl.col("target") == "route")
    assert (route["label"] == route["truth_label"]).mean() > 0.6
    quadrant = fitted.predictions.filter(pl.col("target") == "quadrant")
    assert (quadrant["label"] == quadrant["truth_label"]).mean() > 0.6


@pytest.mark.parametrize("method", ["predictor", "tier2"])
def test_labels_that_nothing_explains_are_predicted_at_chance(method, settings):
    frame = labeled(games=80, signal=0.0, seed=5)
    rng = np.random.default_rng(0)
    noise = {part: rng.normal(size=(len(frame), 12)) for part in ("state", "goal", "history")}
    cross = cross_fit(
        feature_set(frame, WORDS, noise),
        frame,
        settings,
        seed=1,
        method=method,
        targets=["ELP_net", "L_upper", "route"],
    )
    for target in ("ELP_net", "L_upper"):
        assert abs(rho(cross.predictions, target, method)) < 0.15
    route = cross.predictions.filter(pl.col("target") == "route")
    majority = route["truth_label"].value_counts()["count"].max() / len(route)
    assert (route["label"] == route["truth_label"]).mean() < majority + 0.05


def test_shuffled_labels_lose_the_signal(frame, features, settings):
    order = np.random.default_rng(2).permutation(len(frame))
    shuffled = frame.with_columns(frame["ELP_net"][order.tolist()])
    cross = cross_fit(features, shuffled, settings, seed=1, method="tier1", targets=["ELP_net"])
    assert abs(rho(cross.predictions, "ELP_net", "tier1")) < 0.15


def test_every_snapshot_is_predicted_once_by_a_model_of_other_games(fitted, frame):
    rows = fitted.predictions.filter(pl.col("target") == "ELP_net")
    assert conform(fitted.predictions, PREDICTIONS).equals(fitted.predictions)
    assert sorted(rows["snapshot_id"].to_list()) == sorted(frame["snapshot_id"].to_list())
    assert rows.group_by("task_id").agg(pl.col("fold").n_unique())["fold"].max() == 1
    for i, model in enumerate(fitted.models):
        # A model refitted on the other folds alone, from scratch, gives the same predictions.
        inside = fitted.fold != i
        assert not set(fitted.features.task_id[inside]) & set(fitted.features.task_id[~inside])
        assert model.projection.means["state"] == pytest.approx(
            fitted.features.embeddings["state"][inside].mean(axis=0)
        )


def test_labels_of_a_fold_cannot_change_its_predictions(frame, features, settings, fitted):
    fold = dict(zip(fitted.features.snapshot_id.tolist(), fitted.fold.tolist(), strict=True))
    tested = [name for name, f in fold.items() if f == 2]
    here = pl.col("snapshot_id").is_in(tested)
    spoiled = frame.with_columns(
        pl.when(here).then(99.0).otherwise(pl.col(name)).alias(name) for name in ("ELP_net", "p_policy")
    )
    again = cross_fit(features, spoiled, settings, seed=3, targets=["ELP_net"])
    pick = (pl.col("fold") == 2) & (pl.col("target") == "ELP_net")
    assert np.allclose(
        again.predictions.filter(pick)["score"].to_numpy(),
        fitted.predictions.filter(pick)["score"].to_numpy(),
    )


def test_the_evaluation_side_is_never_learned_from(frame, features, settings):
    outside = [f"game-{i:03d}" for i in range(0, 60, 4)]
    options = {"seed": 3, "method": "tier1", "targets": ["ELP_net"], "held_out": outside}
    cross = cross_fit(features, frame, settings, **options)
    here = pl.col("task_id").is_in(outside)
    rows = cross.predictions
    assert set(rows.filter(here)["fold"]) == {settings.folds}
    assert set(rows.filter(~here)["fold"]) == set(range(settings.folds))
    spoiled = frame.with_columns(pl.when(here).then(99.0).otherwise(pl.col("ELP_net")).alias("ELP_net"))
    again = cross_fit(features, spoiled, settings, **options)
    assert rows["score"].to_list() == again.predictions["score"].to_list()
    majority = baseline_predictions(features, frame, settings, seed=3, held_out=outside)
    assert set(majority.filter(here)["fold"]) == {settings.folds}


def test_the_order_of_rows_changes_nothing(frame, settings):
    order = np.random.default_rng(1).permutation(len(frame)).tolist()
    first = cross_fit(feature_set(frame, WORDS), frame, settings, seed=3, method="tier1", targets=["ELP_net"])
    second = cross_fit(
        feature_set(frame[order], WORDS), frame[order], settings, seed=3, method="tier1", targets=["ELP_net"]
    )
    assert first.predictions.equals(second.predictions)


def test_measured_quantities_reach_the_upper_bound_only(frame, features, settings, fitted):
    oracle = cross_fit(features, frame, settings, seed=3, method="oracle_features")
    assert set(oracle.predictions["target"]) == {"ELP_net", "route"}
    assert any(name.startswith("oracle.") for model in oracle.models for name in model.names)
    assert not any(name.startswith("oracle.") for model in fitted.models for name in model.names)
    assert rho(oracle.predictions, "ELP_net", "oracle_features") > rho(fitted.predictions, "ELP_net") - 0.05


def test_fit_on_one_side_predict_the_other(frame, features, settings):
    train = np.isin(features.task_id, [f"game-{i:03d}" for i in range(40)])
    model = fit(
        features.take(train),
        frame.filter(pl.Series(train)),
        settings,
        seed=1,
        tiers=["tier1"],
        targets=["ELP_net", "U", "L_local"],
    )
    rest = features.take(~train)
    rows = prediction_rows(model.predict(rest), rest, frame.filter(pl.Series(~train)), "predictor", None)
    assert rho(rows, "ELP_net") > 0.4
    assert rows["fold"].null_count() == len(rows)
    blind = prediction_rows(model.predict(rest), rest, None, "predictor", None)
    assert blind["truth"].null_count() == len(blind)
    assert blind["score"].to_list() == rows["score"].to_list()


def test_rows_without_a_target_are_not_learned_from(frame, features, settings):
    nothing = frame.with_columns(pl.lit(None, dtype=pl.Int64).alias("d_force"))
    model = fit(features, nothing, settings, seed=1, tiers=["tier1"], targets=["d_expert", "d_force"])
    assert set(model.fitted) == {"d_expert"}


def test_a_constant_target_or_a_single_class_is_no_failure(frame, features, settings):
    flat = frame.with_columns(pl.lit(0.25).alias("ELP_net"), pl.lit("demo").alias("route"))
    cross = cross_fit(features, flat, settings, seed=1, method="tier1", targets=["ELP_net", "route"])
    assert set(cross.predictions["score"]) == {0.25, 1.0}


def test_quadrants_are_those_of_the_protocol():
    high_u, high_l = np.array([True, True, False, False]), np.array([True, False, False, True])
    assert quadrants(high_u, high_l).tolist() == ["Q1", "Q2", "Q3", "Q4"]


@hypothesis_settings(max_examples=50)
@given(st.lists(st.integers(0, 12), min_size=8, max_size=60), st.integers(2, 5), st.integers(0, 99))
def test_folds_keep_games_whole_and_ignore_order(games, folds, seed):
    tasks = np.array([f"g{g}" for g in games])
    if len(set(games)) < folds:
        with pytest.raises(PredictorError, match="games cannot make"):
            task_folds(tasks, folds, seed)
        return
    fold = task_folds(tasks, folds, seed)
    assert set(fold) == set(range(folds))
    assert all(len(set(fold[tasks == task])) == 1 for task in set(tasks))
    order = np.random.default_rng(seed).permutation(len(tasks))
    assert np.array_equal(task_folds(tasks[order], folds, seed), fold[order])


def test_errors_say_what_is_wrong(frame, features, settings):
    with pytest.raises(PredictorError, match="unknown method"):
        cross_fit(features, frame, settings, seed=0, method="magic")
    with pytest.raises(PredictorError, match="no label"):
        cross_fit(features, frame.head(10), settings, seed=0)
    with pytest.raises(PredictorError, match="different tasks"):
        cross_fit(features, frame.with_columns(pl.lit("other").alias("task_id")), settings, seed=0)
    with pytest.raises(PredictorError, match="twice"):
        cross_fit(features, pl.concat([frame, frame]), settings, seed=0)
    with pytest.raises(PredictorError, match="hidden states"):
        cross_fit(feature_set(frame, WORDS), frame, settings, seed=0, method="tier2")
    with pytest.raises(PredictorError, match="unknown learners"):
        Settings(families=("oracle",))


def test_boosting_takes_part(frame, settings):
    small = labeled(games=20, each=4)
    cross = cross_fit(
        feature_set(small, WORDS, hidden_states(small)),
        small,
        Settings(families=("boosting",), folds=2, inner_folds=2, rounds=15),
        seed=1,
        targets=["ELP_net", "route"],
    )
    assert {model.fitted["ELP_net"].name for model in cross.models} == {"boosting"}
    assert cross.predictions["score"].is_finite().all()
