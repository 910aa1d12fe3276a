"""Drift of features: what moved is found by its name, what did not is not, and one game is no evidence."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from teachable import tables
from teachable.evaluation.feature_drift import feature_drift
from teachable.evaluation.resampling import Resampling

SETTINGS = Resampling(repetitions=300)
NAMES = ["uncertainty.entropy", "commands.count", "trail.step", "tokens.never"]
WIDTH = 6


def failures(model: str, games: int, *, entropy: float = 0.0, state: float = 0.0, seed: int = 0) -> pl.DataFrame:
    """Two failures a game, ``FAILURE_FEATURES``: entropy and the first direction of the state are moved."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(2 * games):
        own = {"model": model, "snapshot_id": f"g{i // 2:02d}/{model}@{i % 2}", "task_id": f"g{i // 2:02d}"}
        counts = [float(rng.normal(entropy)), float(rng.integers(3, 9)), float(rng.integers(8)), 0.0]
        rows.append({**own, "part": "tier1", "names": NAMES, "vector": counts})
        for part in ("state", "goal", "history"):
            vector = rng.normal(size=WIDTH) * np.array([3.0, 1, 1, 1, 1, 1])
            vector[0] += state * (part == "state")
            rows.append({**own, "part": part, "names": None, "vector": vector.tolist()})
    return pl.DataFrame(rows, schema=dict(tables.FAILURE_FEATURES))


def labelled(games: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """FEATURES of the training side's snapshots and of some of the held-out side, and PANELS."""
    train = failures("base", games, seed=9).with_columns(("train-" + pl.col("snapshot_id", "task_id")).name.keep())
    known = pl.concat([train, failures("base", 4, seed=8)])
    features = known.rename({"snapshot_id": "item_id"}).with_columns(success=pl.lit(None, pl.Float64))
    panels = pl.DataFrame(
        [{"panel": "failure", "side": "held_out", "task_id": f"g{i:02d}", "order": i} for i in range(games)],
        schema={**dict(tables.PANELS)},
    )
    return features.select(list(tables.FEATURES)), panels


def test_what_moved_is_found_by_name_and_tier() -> None:
    features, panels = labelled(30)
    both = pl.concat([failures("base", 30), failures("Q1_demo", 30, entropy=2.0, state=8.0, seed=1)])
    got = tables.conform(feature_drift(both, features, panels, SETTINGS, seed=1), tables.FEATURE_DRIFT, "got")
    certain = set(got.filter(pl.col("q_value_games") <= 0.05)["feature"])
    assert {"uncertainty.entropy", "state.pc01"} <= certain
    assert not certain & {"commands.count", "trail.step", "goal.pc01", "history.pc01"}
    assert "tokens.never" not in got["feature"], "what never varies is no test"
    row = got.filter(feature="uncertainty.entropy").row(0, named=True)
    assert row["point"] > row["chance"]
    assert row["mean_model"] - row["mean_base"] == pytest.approx(2.0, abs=0.5)
    assert (row["n_base"], row["n_model"], row["n"], row["clusters"], row["tier"]) == (60, 60, 120, 30, 1)
    assert got.filter(feature="state.pc01")["tier"][0] == 2
    for plain, adjusted in (("p_value", "q_value"), ("p_value_games", "q_value_games")):
        assert (got[adjusted] >= got[plain] - 1e-12).all()


def test_nothing_moves_where_nothing_did() -> None:
    features, panels = labelled(30)
    flagged = tests = 0
    for seed in range(1, 9):
        both = pl.concat([failures("base", 30, seed=2 * seed), failures("Q1_demo", 30, seed=2 * seed + 1)])
        got = feature_drift(both, features, panels, SETTINGS, seed=seed)
        flagged += got.filter(pl.col("q_value_games") <= 0.05).height
        tests += got.height
    assert flagged <= 0.02 * tests


def test_two_runs_share_the_base_and_are_corrected_apart() -> None:
    features, panels = labelled(12)
    one = pl.concat([failures("base", 12), failures("Q1_demo", 12, entropy=1.0, seed=1)])
    two = pl.concat([failures("base", 12), failures("Q2_demo", 12, seed=2)])
    got = feature_drift(pl.concat([one, two]), features, panels, SETTINGS, seed=1)
    alone = pl.concat([feature_drift(part, features, panels, SETTINGS, seed=1) for part in (one, two)])
    assert got.equals(alone)


def test_without_failures_of_either_there_is_nothing_to_compare() -> None:
    features, panels = labelled(6)
    assert feature_drift(failures("base", 6), features, panels, SETTINGS, seed=1).is_empty()
    assert feature_drift(failures("Q1_demo", 6), features, panels, SETTINGS, seed=1).is_empty()
    assert feature_drift(tables.empty(tables.FAILURE_FEATURES), features, panels, SETTINGS, seed=1).is_empty()
    one = pl.concat([failures("base", 1), failures("Q1_demo", 1, seed=1)])
    assert feature_drift(one, features, panels, SETTINGS, seed=1)["q_value_games"].null_count() > 0
