"""Criteria judge the stored numbers, on both sides of every threshold, and say why one cannot be measured."""

from __future__ import annotations

import copy
import json

import polars as pl
import pytest

from teachable.paper import CRITERIA_INPUTS
from teachable.paper.criteria import criteria, verdicts


def by_id(entries):
    return {entry["id"]: entry for entry in entries}


def test_every_hypothesis_is_judged_and_the_list_is_json(data) -> None:
    entries = criteria(data)
    assert {entry["hypothesis"] for entry in entries} == {"health", *(f"H{i}" for i in range(1, 8))}
    assert len({entry["id"] for entry in entries}) == len(entries)
    json.dumps(entries, allow_nan=False)
    for entry in entries:
        assert entry["passed"] in (True, False), entry
        assert bool(entry["advice"]) is (entry["passed"] is False)


def test_declared_inputs_suffice(data) -> None:
    assert criteria({name: data[name] for name in CRITERIA_INPUTS}) == criteria(data)


def test_without_inputs_nothing_is_measured_and_each_names_what_it_lacks() -> None:
    entries = criteria({})
    assert all(entry["passed"] is None and entry["value"] is None for entry in entries)
    assert all(entry["advice"].startswith("Not measurable: The input '") for entry in entries)
    assert verdicts(entries) == {"passed": 0, "failed": 0, "not_measurable": len(entries)}


def test_the_band_of_the_student_is_only_for_the_builtin_one(data) -> None:
    assert "student_success" in by_id(criteria(data))
    assert "student_success" not in by_id(criteria(data, builtin_student=False))


@pytest.mark.parametrize(("point", "main", "stretch"), [(0.29, False, False), (0.3, True, False), (0.5, True, True)])
def test_correlation_thresholds(point: float, main: bool, stretch: bool, data) -> None:
    stored = copy.deepcopy(data["cpt_correlation"])
    stored["overall"]["spearman"]["point"] = point
    found = by_id(criteria({"cpt_correlation": stored}))
    assert found["patch_test"]["passed"] is main
    assert found["patch_test_stretch"]["passed"] is stretch


def test_an_undefined_correlation_is_not_a_fail(data) -> None:
    stored = copy.deepcopy(data["cpt_correlation"])
    stored["overall"]["spearman"] |= {"point": None, "low": None, "high": None}
    entry = by_id(criteria({"cpt_correlation": stored}))["patch_test"]
    assert entry["passed"] is None
    assert "spearman" in entry["advice"]


@pytest.mark.parametrize(("point", "low", "passed"), [(0.12, -0.01, False), (0.06, 0.01, True), (0.06, -0.01, False)])
def test_transfer_needs_certainty_whatever_its_size(point: float, low: float, passed: bool, data) -> None:
    rows = data["contrasts"].with_columns(
        point=pl.when(contrast="transfer_diagonal_minus_off").then(point).otherwise("point"),
        low=pl.when(contrast="transfer_diagonal_minus_off").then(low).otherwise("low"),
    )
    assert by_id(criteria({"contrasts": rows}))["transfer"]["passed"] is passed


def test_retention_is_the_worst_run_with_its_interval_turned(data) -> None:
    rows = data["contrasts"].filter(panel="retention", group="all", reference="base", metric="success")
    worst = rows.sort("point").row(0, named=True)
    entry = by_id(criteria(data))["retention"]
    assert entry["value"] == pytest.approx(-worst["point"])
    assert (entry["low"], entry["high"]) == pytest.approx((-worst["high"], -worst["low"]))


@pytest.mark.parametrize(
    ("criterion", "group"), [("heterogeneity", "high_L_minus_low_L"), ("content_gain", "winnable")]
)
def test_a_maximum_over_formats_is_not_enough(criterion: str, group: str, data) -> None:
    """Patches that only scatter have a largest gain above 0, and none on average."""
    rows = data["label_metrics"]
    assert by_id(criteria({"label_metrics": rows}))[criterion]["passed"]
    here = (pl.col("metric") == "net_mean") & (pl.col("group") == group)
    uncertain = rows.with_columns(low=pl.when(here).then(-0.01).otherwise("low"))
    assert by_id(criteria({"label_metrics": uncertain}))[criterion]["passed"] is False


def test_the_median_gain_needs_the_mean_of_formats_too(data) -> None:
    stored = copy.deepcopy(data["cpt_correlation"])
    assert by_id(criteria({"cpt_correlation": stored}))["median_net_gain"]["passed"]
    stored["mean_net_gain"]["low"] = -0.001
    assert by_id(criteria({"cpt_correlation": stored}))["median_net_gain"]["passed"] is False


def test_one_adapter_like_base_fails(data) -> None:
    summary = copy.deepcopy(data["training_summary"])
    summary["runs"]["Q3_hint"]["probe_shift"] = 0.0
    entry = by_id(criteria({"training_summary": summary}))["adapters"]
    assert (entry["value"], entry["passed"]) == (13.0, False)


def test_one_snapshot_that_does_not_restore_fails(data) -> None:
    entry = by_id(criteria({"restore_check": {"fraction": 0.999, "verified": 999, "total": 1000}}))["restore"]
    assert entry["passed"] is False


def test_quadrants_need_thirty(data) -> None:
    counts = {"counts": {"Q1": 30, "Q2": 29, "Q3": 31}}
    found = by_id(criteria({"thresholds": counts}))
    assert [found[f"snapshots_Q{i}"]["passed"] for i in range(1, 5)] == [True, False, True, False]
