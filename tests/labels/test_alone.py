"""Each label alone says what the labelled table says, from no more than it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from configured import section

from teachable import tables
from teachable.errors import TableError
from teachable.labels import label, leverage_alone, patch_test_alone, uncertainty_alone
from teachable.terms import CONDITIONS

from .frames import advice, estimates, full, snapshots

ROWS = [
    {"id": "a", "p": [0.7, 0.2, 0.1]},
    {"id": "b", "p": [0.4, 0.4, 0.2], "source": "expert"},
    {"id": "c", "p": [0.9, 0.1], "episode": "e-a", "step": 2, "kind": "interval"},
]
VALUES = {
    "a": full(0.2, 0.7, placebo=0.25, demo=0.6),
    "b": full(0.5, 0.5, hint=0.9),
    "c": {"policy": 0.3, "force": 0.6, "expert": 1.0},
}


def given(values: Mapping[str, Mapping[str, float | None]] = VALUES) -> tuple[pl.DataFrame, pl.DataFrame]:
    return snapshots(ROWS), estimates(values, se=0.1, net_se=0.05)


def labelled(**changes: Any) -> pl.DataFrame:
    found, values = given()
    return label(found, advice(["a", "b"]), values, section("labels", **changes))[0]


def only(values: pl.DataFrame, *quantities: str) -> pl.DataFrame:
    return values.filter(pl.col("quantity").is_in([f"p_{q}" for q in quantities]))


@pytest.mark.parametrize("measure", ["entropy", "margin"])
def test_uncertainty_needs_snapshots_alone_and_is_that_of_the_labels(measure: str) -> None:
    alone = uncertainty_alone(given()[0], measure=measure, topk=2)
    assert alone["snapshot_id"].to_list() == ["a", "b", "c"]
    assert alone["U"].equals(alone[measure].rename("U"))
    columns = ["snapshot_id", *tables.MEASURES, "U"]
    expected = labelled(uncertainty=measure, topk=2).select(columns)
    assert alone.filter(kind="failure").select(columns).equals(expected)


def test_leverage_needs_no_patch_and_is_that_of_the_labels() -> None:
    found, values = given()
    alone = leverage_alone(found, only(values, "policy", "force", "expert"))
    columns = ["snapshot_id", "L_local", "L_local_se", "L_upper", "L_upper_se", "gap", "profile", "d_expert", "d_force"]
    assert alone.filter(kind="failure").select(columns).equals(labelled().select(columns))
    assert alone["source"].to_list() == ["student", "expert", "student"], "setup A and B"
    assert alone["p_force_n"].to_list() == [8, 8, 8]


def test_the_patch_test_needs_no_leverage_and_is_that_of_the_labels() -> None:
    found, values = given()
    alone = patch_test_alone(found, only(values, *CONDITIONS))
    columns = ["snapshot_id", *(f"p_{c}" for c in CONDITIONS), "net_demo", "ELP_net", "ELP_net_debiased", "route"]
    assert alone.select(columns).equals(labelled().select(columns))
    assert alone["snapshot_id"].to_list() == ["a", "b"], "what was not tested has no row"
    assert alone["p_hint_n"].to_list() == [8, 8]


def test_rows_that_are_there_twice_are_refused() -> None:
    found, values = given()
    twice = pl.concat([found, found])
    for refused in (
        lambda: uncertainty_alone(twice, measure="entropy", topk=3),
        lambda: leverage_alone(twice, values),
        lambda: patch_test_alone(twice, values),
    ):
        with pytest.raises(TableError, match=r"snapshots: \['snapshot_id'\] is not unique"):
            refused()
    with pytest.raises(TableError, match=r"estimates: .* is not unique"):
        leverage_alone(found, pl.concat([values, values]))
    with pytest.raises(TableError, match="unknown quantities"):
        patch_test_alone(found, values.with_columns(quantity=pl.lit("p_rule")))


def test_nothing_estimated_is_an_empty_table() -> None:
    found, _ = given()
    assert leverage_alone(found, tables.empty(tables.ESTIMATES)).equals(tables.empty(tables.LEVERAGE))
    assert patch_test_alone(found, tables.empty(tables.ESTIMATES)).equals(tables.empty(tables.PATCH_TEST))


def test_cuts_by_hand_are_cuts() -> None:
    """`labels.thresholds: given` from the very tables that the medians were taken of."""
    found, values = given()
    by_hand = section("labels", thresholds="given", given_U=0.0, given_L=0.4)
    frame, thresholds = label(found, advice(["a", "b"]), values, by_hand)
    assert frame["quadrant"].to_list() == ["Q1", "Q2"]
    assert (thresholds["U"]["low"], thresholds["L_local"]["high"], thresholds["method"]) == (0.0, 0.4, "given")
