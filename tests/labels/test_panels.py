from __future__ import annotations

import polars as pl
import pytest
from configured import section
from hypothesis import given, settings
from hypothesis import strategies as st

from teachable import tables
from teachable.errors import TableError
from teachable.labels import make_panels, split_tasks
from teachable.terms import QUADRANTS

COLUMNS = ["snapshot_id", "task_id", "family", "quadrant", "ELP_net", "step"]


def frame(rows: list[tuple[int, int]]) -> pl.DataFrame:
    """Labelled snapshots from (task number, quadrant index)."""
    data = [
        (f"s{i:03d}", f"t{task}", ("easy", "hard")[task % 2], QUADRANTS[q], ((i * 37) % 100) / 100, i % 9)
        for i, (task, q) in enumerate(rows)
    ]
    made = pl.DataFrame(data, schema=COLUMNS, orient="row").cast({"ELP_net": pl.Float64, "step": pl.Int64})
    return made.with_columns(source=pl.lit("student"))


def panels_of(**changes):
    plain = {"held_out": 0.3, "failure_per_quadrant": 100, "validation_per_quadrant": 50, "drift": 200}
    return section("panels", **plain | changes)


rows = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 3)), min_size=1, max_size=60)


@settings(max_examples=60)
@given(rows=rows, seed=st.integers(0, 5), forced=st.sets(st.integers(0, 15), max_size=3))
def test_no_game_is_on_two_sides_and_panels_keep_to_theirs(rows, seed, forced) -> None:
    labeled = frame(rows)
    held = {f"t{t}" for t in forced}
    panels = make_panels(labeled, panels_of(drift=10, failure_per_quadrant=3), run_seed=seed, held_out_tasks=held)
    tables.conform(panels, tables.PANELS)
    assert panels.group_by("task_id").agg(pl.col("side").n_unique())["side"].max() == 1
    train = panels.filter(panel="train")
    assert (train["side"] == "train").all()
    assert (panels.filter(pl.col("panel") != "train")["side"] == "held_out").all()
    assert not set(train["task_id"]) & held
    both = panels.filter(pl.col("panel").is_in(["train", "held_out"]))
    assert sorted(both["snapshot_id"]) == sorted(labeled["snapshot_id"])
    assert not panels.select("panel", "snapshot_id").is_duplicated().any()
    shuffled = make_panels(
        labeled.sample(fraction=1.0, shuffle=True, seed=1),
        panels_of(drift=10, failure_per_quadrant=3),
        run_seed=seed,
        held_out_tasks=sorted(held),
    )
    assert panels.equals(shuffled)


@settings(max_examples=60)
@given(
    tasks=st.lists(st.integers(0, 3), min_size=8, max_size=30),
    seed=st.integers(0, 5),
    share=st.sampled_from([0.1, 0.3, 0.5]),
)
def test_every_quadrant_has_both_sides_where_two_games_have_it(tasks, seed, share) -> None:
    labeled = frame([(i, q) for i, q in enumerate(tasks)])
    sides = split_tasks(labeled, share, run_seed=seed)
    for index, _ in enumerate(QUADRANTS):
        mine = {sides[f"t{i}"] for i, q in enumerate(tasks) if q == index}
        assert len(mine) == min(2, tasks.count(index))


def test_shares_are_close_to_what_was_asked() -> None:
    labeled = frame([(i % 60, (i * 7 + i // 60) % 4) for i in range(240)])
    sides = split_tasks(labeled, 0.3, run_seed=0)
    side = labeled.with_columns(side=pl.col("task_id").replace_strict(sides))
    shares = side.group_by("quadrant").agg((pl.col("side") == "held_out").mean().alias("share"))
    assert shares["share"].to_list() == pytest.approx([0.3] * 4, abs=0.06)


def test_panels_are_stratified_and_no_game_dominates() -> None:
    labeled = frame([(i % 40 if i % 3 else 0, (i * 5 + i // 40) % 4) for i in range(400)])
    panels = make_panels(
        labeled, panels_of(held_out=0.5, failure_per_quadrant=8, validation_per_quadrant=4, drift=20), run_seed=1
    )
    failure = panels.filter(panel="failure")
    assert failure.group_by("quadrant").len().sort("quadrant")["len"].to_list() == [8, 8, 8, 8]
    assert failure.group_by("quadrant", "task_id").len()["len"].max() <= 2
    assert len(panels.filter(panel="drift")) == 20
    assert set(panels.filter(panel="drift")["quadrant"]) == set(QUADRANTS)
    assert len(panels.filter(panel="validation")) == 16


def test_the_drift_panel_has_every_tercile_of_gain_and_of_step() -> None:
    """Nine strata a quadrant, cut at a third and two thirds; a panel of 36 takes one snapshot of each."""
    rows = [
        (f"{q}/{gain}/{step}", f"t{gain}{step}{q}", "easy", q, gain / 10, step, "student")
        for q in QUADRANTS
        for gain in range(9)
        for step in range(9)
    ]
    labeled = pl.DataFrame(rows, schema=[*COLUMNS, "source"], orient="row")
    tasks = labeled["task_id"].unique().to_list()
    made = make_panels(labeled, panels_of(drift=36), run_seed=3, held_out_tasks=tasks)
    drift = made.filter(panel="drift").join(labeled.drop("task_id", "quadrant"), on="snapshot_id")

    def third(column: str) -> pl.Expr:
        low, high = labeled[column].quantile(1 / 3, "linear"), labeled[column].quantile(2 / 3, "linear")
        return (pl.col(column) > low).cast(pl.Int8) + (pl.col(column) > high).cast(pl.Int8)

    strata = drift.select("quadrant", gain=third("ELP_net"), step=third("step"))
    assert strata.height == strata.n_unique() == 36


def test_snapshots_without_a_quadrant_are_in_no_panel() -> None:
    labeled = frame([(i, i % 4) for i in range(12)]).with_columns(
        quadrant=pl.when(pl.col("snapshot_id") != "s003").then("quadrant")
    )
    assert "s003" not in make_panels(labeled, panels_of(), run_seed=0)["snapshot_id"]


def test_labels_without_any_quadrant_are_refused() -> None:
    labeled = frame([(i, i % 4) for i in range(12)]).with_columns(quadrant=pl.lit(None, pl.String))
    with pytest.raises(TableError, match="12 have a patch test and none has a quadrant"):
        make_panels(labeled, panels_of(), run_seed=0)


def test_expert_failures_are_on_a_side_but_in_no_panel() -> None:
    labeled = frame([(task, q) for task in range(12) for q in range(4)])
    labeled = labeled.with_columns(source=pl.when(pl.col("step") % 2 == 0).then(pl.lit("expert")).otherwise("source"))
    panels = make_panels(labeled, panels_of(failure_per_quadrant=3, validation_per_quadrant=3, drift=5), run_seed=1)
    expert = set(labeled.filter(source="expert")["snapshot_id"])
    sides = panels.filter(pl.col("panel").is_in(["train", "held_out"]))["snapshot_id"]
    others = panels.filter(pl.col("panel").is_in(["failure", "validation", "drift"]))["snapshot_id"]
    assert expert <= set(sides)
    assert len(others)
    assert not expert & set(others)
