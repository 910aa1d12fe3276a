"""The whole of phase 4 on small data, as a stage calls it."""

from __future__ import annotations

import polars as pl
import pytest

from predictor.synthetic import hidden_states, labeled
from teachable import tables
from teachable.predictor import Bootstrap, PredictorError, Settings, feature_set, run_study
from teachable.worlds.textworld.words import WORDS

SMALL = Settings(families=("ridge",), folds=2, inner_folds=2, components=3, penalties=(30.0,))


@pytest.fixture(scope="module")
def study():
    frame = labeled(games=10, each=3)
    return run_study(
        feature_set(frame, WORDS, hidden_states(frame)),
        frame,
        ks=[3, 5, 1000],
        shares=[0.5, 1.0],
        bootstrap=Bootstrap(seed=1, repetitions=50),
        seed=1,
        settings=SMALL,
        held_out=["game-000", "game-001"],
        repeats=2,
    )


def test_every_table_conforms(study):
    for name, schema in (
        ("predictions", tables.PREDICTIONS),
        ("metrics", tables.PREDICTOR_METRICS),
        ("calibration", tables.CALIBRATION),
        ("importance", tables.IMPORTANCE),
        ("confusion", tables.CONFUSION),
        ("cost", tables.COST),
    ):
        frame = getattr(study, name)
        assert not frame.is_empty()
        assert tables.conform(frame, schema).equals(frame)


def test_every_method_and_rival_is_there_once_for_each_snapshot(study):
    rows = study.predictions.filter(pl.col("target") == "ELP_net")
    methods = {
        "predictor", "tier1", "tier2", "oracle_features", "random", "entropy", "L_local", "UxL"
    }  # fmt: skip
    assert set(rows["method"]) == methods
    assert (rows.group_by("method").len()["len"] == 30).all()
    assert not rows.select(pl.struct("method", "snapshot_id").is_duplicated().any()).item()
    assert set(rows.filter(pl.col("task_id") == "game-000")["fold"]) == {2}


def test_metrics_hold_levels_differences_and_the_curve_without_twins(study):
    keys = ["method", "target", "metric", "k", "train_size"]
    assert not study.metrics.select(pl.struct(keys).is_duplicated().any()).item()
    sizes = study.metrics.filter((pl.col("method") == "predictor") & (pl.col("metric") == "ndcg"))["train_size"]
    assert sizes.n_unique() == 2
    assert "predictor - entropy" in study.metrics["method"].to_list()
    assert set(study.metrics["k"].drop_nulls()) == {3, 5}
    assert study.metrics["interval_method"].str.starts_with("cluster_bootstrap").all()


def test_without_hidden_states_the_predictor_is_tier_1():
    frame = labeled(games=8, each=3)
    study = run_study(
        feature_set(frame, WORDS),
        frame,
        ks=[3],
        shares=[],
        bootstrap=Bootstrap(1, 20),
        seed=1,
        settings=SMALL,
        repeats=1,
    )
    assert "tier2" not in study.predictions["method"].to_list()
    assert set(study.importance["tier"]) == {"tier1"}


def test_too_few_labels_for_any_k_are_refused():
    frame = labeled(games=4, each=2)
    with pytest.raises(PredictorError, match=r"8 snapshots have an ELP_net"):
        run_study(feature_set(frame, WORDS), frame, ks=[50], shares=[], bootstrap=Bootstrap(1, 20), seed=1)
