"""Gradients for selection by influence: of which snapshots, and what the choice makes of them."""

from __future__ import annotations

import polars as pl
import pytest

from teachable import tables
from teachable.config.model import Lora
from teachable.pipeline.influence import slopes
from teachable.selection.select import select
from teachable.student import Student

from .test_stage import panels

LORA = Lora(rank=2, alpha=4, dropout=0.0, gradient_checkpointing=False, compile=False)


@pytest.fixture(scope="module")
def few(frame) -> pl.DataFrame:
    return frame.filter(pl.col("task_id") < "game-009")


def sides(frame: pl.DataFrame) -> dict[str, str]:
    return {task: "held_out" if int(task[-3:]) % 3 == 0 else "train" for task in frame["task_id"].unique()}


def test_only_what_may_be_chosen_has_a_gradient_and_the_choice_reads_them(few, student: Student) -> None:
    frame = few.with_columns(
        (pl.col("snapshot_id") != "s001-0").alias("advice_valid"),
        (pl.col("snapshot_id") == "s001-1").alias("unwinnable"),
    )
    split = panels(frame, sides(frame))
    made = slopes(student, frame, split, LORA, run_seed=3, dimensions=64)
    assert tables.conform(made, tables.GRADIENTS).equals(made)
    train = frame.filter(pl.col("task_id").replace_strict(sides(frame)) == "train")["snapshot_id"].to_list()
    assert made["snapshot_id"].to_list() == sorted(set(train) - {"s001-0", "s001-1"})
    assert (made["norm"] > 0).all()

    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=1)
    assert slopes(student, shuffled, split, LORA, run_seed=3, dimensions=64).equals(made)
    assert not slopes(student, frame, split, LORA, run_seed=4, dimensions=64).equals(made)

    pool = frame.filter(pl.col("snapshot_id").is_in(made["snapshot_id"].implode()))
    chosen = select("influence", pool, 5, seed=3, gradients=made).frame
    assert len(chosen) == 5
    assert chosen["score"].is_sorted(descending=True)
    assert chosen["score"].abs().max() <= 1 + 1e-9


def test_without_a_candidate_there_is_an_empty_table(few, student: Student) -> None:
    split = panels(few, sides(few)).clear()
    assert slopes(student, few, split, LORA, run_seed=3).equals(tables.empty(tables.GRADIENTS))
