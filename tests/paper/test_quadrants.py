"""Shares of the quadrants, and the table of headlines."""

from __future__ import annotations

import polars as pl
import pytest

from teachable import tables
from teachable.labels.shares import quadrant_shares
from teachable.paper import typeset

from .frames import labeled


def test_shares_by_hand() -> None:
    rows = labeled(8).with_columns(
        pl.Series("quadrant", ["Q1", "Q1", "Q2", "Q4", "Q4", "Q4", None, "Q3"]),
        pl.Series("expert_action", ["open door", "go east"] * 3 + [None, None], dtype=pl.String),
        pl.Series("source", ["student"] * 7 + ["expert"]),
        family=pl.Series(["easy"] * 4 + ["hard"] * 4),
    )
    found = quadrant_shares(rows, ["open", "fly"], lambda command: command.split()[0], seed=1, repetitions=20)
    share = {(g, m): p for g, m, p in found.select("group", "metric", "point").iter_rows()}
    assert {group for group, _ in share} == {"all", "easy", "hard", "skill=open"}, "nothing needs to fly"
    assert share["all", "share_Q1"] == pytest.approx(2 / 6)
    assert share["all", "share_Q3"] == 0, "an expert's failure counts nowhere"
    assert share["hard", "share_Q4"] == 1
    assert share["skill=open", "share_Q2"] == pytest.approx(1 / 3)
    for group in found["group"].unique():
        assert sum(value for (where, _), value in share.items() if where == group) == pytest.approx(1)
    whole = found.row(by_predicate=(pl.col("group") == "all") & (pl.col("metric") == "share_Q1"), named=True)
    assert (whole["n"], whole["clusters"]) == (6, 2)


def test_no_quadrant_is_an_empty_table() -> None:
    none = labeled(8).with_columns(quadrant=pl.lit(None, pl.String))
    assert quadrant_shares(none, [], str, seed=1, repetitions=20).equals(tables.empty(tables.METRICS))


def test_headlines_are_stored_numbers_and_gaps_stay_gaps(data) -> None:
    made = typeset.make("headlines", data)
    stored = data["contrasts"].filter(contrast="B1_uniform-vs-C_replay", group="all", panel="failure")
    row = made.filter(headline="Gain from failures, B1 uniform", control="replay alone").row(0, named=True)
    assert (row["value"], row["n"]) == (stored["point"][0], stored["n"][0])
    chosen = made.filter(control="choice by entropy").row(0, named=True)
    smallest = data["selection_contrasts"].filter(contrast="S_predictor_k8-vs-S_entropy_k8", panel="failure")
    assert chosen["value"] == smallest["point"][0]
    without = data["contrasts"].filter(pl.col("contrast") != "B1_uniform-vs-C_replay")
    gone = typeset.make("headlines", {**data, "contrasts": without})
    assert gone.height == made.height
    assert gone.filter(headline="Gain from failures, B1 uniform", control="replay alone")["value"].to_list() == [None]
