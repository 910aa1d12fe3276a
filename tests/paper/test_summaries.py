"""The stored intervals of labels and of drift, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from teachable.evaluation.drift_metrics import drift_metrics
from teachable.evaluation.errors import EvaluationError
from teachable.labels.metrics import label_metrics

from .frames import labeled


def value(table: pl.DataFrame, metric: str, group: str = "all", model: str = "base"):
    rows = table.filter(metric=metric, group=group, model=model)
    assert len(rows) == 1, (metric, group, model)
    return rows.row(0, named=True)


def test_label_means_shares_and_contrast(data) -> None:
    known = data["labeled"].drop_nulls("quadrant")
    table = data["label_metrics"]
    assert value(table, "ELP_net")["point"] == pytest.approx(known["ELP_net"].mean())
    assert value(table, "ELP_net", "Q2")["n"] == len(known.filter(quadrant="Q2"))
    assert value(table, "ELP_net", "Q2")["clusters"] == known.filter(quadrant="Q2")["task_id"].n_unique()
    shares = [value(table, f"share_route_{kind}", "Q3")["point"] for kind in ("demo", "contrast", "hint")]
    assert sum(shares) == pytest.approx(1.0)
    high = known.filter(pl.col("quadrant").is_in(["Q1", "Q4"]))["ELP_net"].mean()
    low = known.filter(pl.col("quadrant").is_in(["Q2", "Q3"]))["ELP_net"].mean()
    assert value(table, "ELP_net", "high_L_minus_low_L")["point"] == pytest.approx(high - low)
    winnable = known.filter(pl.col("p_expert") >= 0.5)
    nets = winnable.select(pl.mean_horizontal("net_demo", "net_contrast", "net_hint")).to_series()
    assert value(table, "net_mean", "winnable")["point"] == pytest.approx(nets.mean())


def test_quadrants_cut_from_noise_are_not_apart() -> None:
    """Seven episodes a side and perhaps no leverage: cut by itself, noise alone makes L_local differ by .4."""
    rng = np.random.default_rng(1)
    frame = labeled(800)
    for truth in (0.0, 0.3, 0.6):
        share = rng.random(len(frame)) < 0.5  # half of the snapshots have the true leverage
        policy, force = rng.binomial(7, 0.3, len(frame)), rng.binomial(7, np.where(share, 0.3 + truth, 0.3))
        q = [(wins + 1) / 9 for wins in (policy, force)]
        made = frame.with_columns(
            L_local=(force - policy) / 7, L_local_se=np.sqrt(sum(p * (1 - p) / 7 for p in q)), advice_valid=True
        )
        high = pl.col("L_local") > pl.col("L_local").median()
        made = made.with_columns(quadrant=pl.when(high).then(pl.lit("Q1")).otherwise(pl.lit("Q2")))
        table = label_metrics(made, seed=1, repetitions=50)
        above = (made["quadrant"] == "Q1").to_numpy()
        true = truth * (share[above].mean() - share[~above].mean())
        assert value(table, "L_local", "high_L_minus_low_L")["point"] > true + 0.1
        assert value(table, "L_local_regressed", "high_L_minus_low_L")["point"] == pytest.approx(true, abs=0.08)


def test_label_metrics_do_not_depend_on_the_order_of_rows() -> None:
    frame = labeled(60)
    first = label_metrics(frame, seed=3, repetitions=20)
    assert first.equals(label_metrics(frame.reverse(), seed=3, repetitions=20))


def test_without_a_quadrant_there_is_no_label_metric() -> None:
    none = labeled(30).with_columns(quadrant=pl.lit(None, pl.String))
    assert label_metrics(none, seed=1, repetitions=10).is_empty()


def test_drift_of_labels_that_do_not_move(data) -> None:
    lab = data["labeled"].drop_nulls(["quadrant", "ELP_net"]).head(40)
    rows = (
        data["drift"]
        .filter(model="Q1_demo", checkpoint="first")
        .select("snapshot_id", "model", "checkpoint", "elp_bin")
    )
    rows = rows.join(lab.select("snapshot_id", "task_id", "quadrant", "ELP_net", "route"), on="snapshot_id")
    table = drift_metrics(rows, lab, seed=2, repetitions=30)
    model = "Q1_demo@first"
    assert value(table, "spearman_base", model=model)["point"] == pytest.approx(1.0)
    assert value(table, "route_agreement", model=model)["point"] == 1.0
    assert value(table, "ELP_net", model=model)["point"] == pytest.approx(value(table, "ELP_net")["point"])


def test_drift_of_strangers_is_refused(data) -> None:
    other = data["labeled"].with_columns(snapshot_id=pl.lit("x") + pl.col("snapshot_id"))
    with pytest.raises(EvaluationError, match="No snapshot"):
        drift_metrics(data["drift"], other, seed=1, repetitions=10)
