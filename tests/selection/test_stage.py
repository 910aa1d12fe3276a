"""The stage that chooses: what lies on the held-out side has no say in it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from teachable import tables
from teachable.predictor.sets import to_table
from teachable.selection import METHODS
from teachable.stages import select

from .test_select import gradients


@pytest.fixture(scope="module")
def sides(frame) -> dict[str, str]:
    return {task: "held_out" if int(task[-3:]) % 3 == 0 else "train" for task in frame["task_id"].unique()}


def panels(frame: pl.DataFrame, sides: dict[str, str]) -> pl.DataFrame:
    rows = [
        {
            "panel": sides[task],
            "side": sides[task],
            "snapshot_id": name,
            "task_id": task,
            "quadrant": quadrant,
            "order": 0,
        }
        for name, task, quadrant in frame.select("snapshot_id", "task_id", "quadrant").iter_rows()
    ]
    return pl.DataFrame(rows, schema=dict(tables.PANELS))


def chosen(
    method: str,
    labeled: pl.DataFrame,
    predictions: pl.DataFrame,
    features: pl.DataFrame,
    split: pl.DataFrame,
    gradients: pl.DataFrame,
) -> pl.DataFrame:
    expert = labeled.with_columns(
        source=pl.lit("expert"),
        snapshot_id=pl.col("snapshot_id") + "/expert",
        episode_id=pl.col("episode_id") + "/expert",
    )
    own = labeled.with_columns(source=pl.lit("student"))
    return select.run(predictions, features, own, expert, split, gradients, seed=3, method=method, k=8, draws=2)


@pytest.mark.parametrize("method", METHODS)
def test_the_held_out_side_has_no_say(method, frame, features, fitted, sides) -> None:
    split = panels(frame, sides)
    table, predictions, slopes = to_table(features), fitted.predictions, gradients(features)
    first = chosen(method, frame, predictions, table, split, slopes)
    held_out = pl.col("task_id").is_in([task for task, side in sides.items() if side == "held_out"])
    rng = np.random.default_rng(0)

    def other(old: pl.DataFrame, *columns: str) -> pl.DataFrame:
        values = {c: pl.Series(c, rng.uniform(size=len(old))) for c in columns}
        return old.with_columns(pl.when(held_out).then(values[c]).otherwise(c).alias(c) for c in columns)

    second = chosen(
        method,
        other(frame, "ELP_net", "entropy", "U", "L_local", "p_policy", "p_force"),
        other(predictions, "score"),
        table.with_columns(
            pl.when(held_out).then(pl.col("vector").list.eval(pl.element() * 7 + 1)).otherwise("vector").alias("vector")
        ),
        split,
        slopes.with_columns(
            pl.when(held_out).then(pl.col("vector").list.eval(pl.element() * -3)).otherwise("vector").alias("vector")
        ),
    )
    assert len(first) > 0
    assert second.equals(first)
    train = {name for name, task in frame.select("snapshot_id", "task_id").iter_rows() if sides[task] == "train"}
    assert {name.removesuffix("/expert") for name in first["snapshot_id"]} <= train
