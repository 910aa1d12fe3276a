"""The report of phase 1b finds what is there, calls confounding by its name, and stays valid JSON when data are few."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from configured import section
from scipy import stats as scipy_stats

from teachable import tables
from teachable.training.correlation import cpt_correlation

SETTINGS = section("statistics", repetitions=300)


def micro_frame(n: int, seed: int = 0, *, confounded: bool = False) -> pl.DataFrame:
    """ELP and gain related directly, or only through leverage; two snapshots a game."""
    rng = np.random.default_rng(seed)
    leverage = rng.normal(size=n)
    elp = leverage + 0.3 * rng.normal(size=n)
    gain = (leverage if confounded else elp) + 0.5 * rng.normal(size=n)
    rows = [
        {
            **dict.fromkeys(tables.MICROTRAINING),
            "snapshot_id": f"s{i:03d}",
            "task_id": f"t{i // 2:03d}",
            "quadrant": f"Q{i % 4 + 1}",
            "ELP_net": elp[i],
            "L_local": leverage[i],
            "delta_snapshot": gain[i],
            "delta_micro": gain[i] + (1.0 if i % 4 == 0 else 0.0),
        }
        for i in range(n)
    ]
    return pl.DataFrame(rows, schema=dict(tables.MICROTRAINING))


def labeled_frame(n: int) -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        {
            **dict.fromkeys(tables.LABELED),
            "snapshot_id": f"s{i}",
            "task_id": f"t{i}",
            "ELP_net": float(i),
            "ELP_net_debiased": float(i) - 1,
            **{f"net_{f}": float(i) - k for k, f in enumerate(("demo", "contrast", "hint"))},
            "placebo_gain": 0.1 * (-1) ** i,
        }
        for i in range(n)
    ]
    return pl.DataFrame(rows, schema=dict(tables.LABELED))


def test_points_are_those_of_scipy_and_json_holds_them() -> None:
    micro = micro_frame(120)
    got = cpt_correlation(micro, labeled_frame(11), SETTINGS, seed=1)
    x, y = micro["ELP_net"].to_numpy(), micro["delta_micro"].to_numpy()
    assert got["overall"]["spearman"]["point"] == pytest.approx(scipy_stats.spearmanr(x, y).statistic)
    assert got["overall"]["pearson"]["point"] == pytest.approx(scipy_stats.pearsonr(x, y).statistic)
    assert got["overall"]["spearman"]["clusters"] == 60
    assert got["median_net_gain"]["point"] == 5.0
    assert got["median_net_gain_debiased"]["point"] == 4.0
    assert got["mean_net_gain"]["point"] == 4.0
    assert got["mean_placebo_gain"]["point"] == pytest.approx(0.1 / 11)
    assert got["utility_Q1_minus_Q2"]["point"] > 0.5
    q1 = micro.filter(pl.col("quadrant") == "Q1")["delta_micro"].mean()
    assert got["utility"]["Q1"]["point"] == pytest.approx(q1), "Q1 is Q1"
    assert got["counts"]["per_quadrant"] == {"Q1": 30, "Q2": 30, "Q3": 30, "Q4": 30}
    json.dumps(got, allow_nan=False)


def test_what_leverage_explains_is_not_credited_to_elp() -> None:
    got = cpt_correlation(micro_frame(300, 1, confounded=True), labeled_frame(5), SETTINGS, seed=1)["overall"]
    assert got["spearman"]["low"] > 0.3
    partial = got["partial_spearman_ELP_given_L"]
    assert partial["low"] < 0.1
    assert abs(partial["point"]) < 0.15
    assert got["partial_spearman_L_given_ELP"]["low"] > 0.1


def test_too_little_data_is_null_and_says_how_little() -> None:
    got = cpt_correlation(micro_frame(3), labeled_frame(2), SETTINGS, seed=1)
    assert got["overall"]["spearman"]["point"] is None
    assert got["overall"]["spearman"]["n"] == 3
    assert got["per_quadrant"]["Q4"]["spearman"]["n"] == 0
    assert got["overall"]["spearman_similar"]["point"] is None
    json.dumps(got, allow_nan=False)
    nothing = cpt_correlation(micro_frame(3).head(0), labeled_frame(2), SETTINGS, seed=1)
    assert nothing["counts"]["snapshots"] == nothing["overall"]["spearman"]["n"] == 0
    json.dumps(nothing, allow_nan=False)


def test_constant_gains_are_null_not_zero() -> None:
    flat = micro_frame(20).with_columns(delta_micro=pl.lit(0.0))
    got = cpt_correlation(flat, labeled_frame(2), SETTINGS, seed=1)
    assert got["overall"]["spearman"]["point"] is None
    assert got["mean_delta_micro"]["point"] == 0.0
