"""Studies with a known truth through the product's statistics: the small form of benchmarks/calibration.py."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from configured import section

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from calibration import NULLS, coverage, rates  # noqa: E402
from simulated_study import Result, study  # noqa: E402
from simulated_world import DEAD_ENDS, NOTHING, Size, planted  # noqa: E402

from teachable.config.load import load_config, read_yaml  # noqa: E402

Found = dict[tuple[str, str], list[Result]]
STRONG = planted(1.5)
STEADY = ("rate", "contrast, failure", "contrast, test", "transfer entry", "training effect", "ratio")


@pytest.fixture(scope="module")
def found() -> Found:
    """Monte Carlo labels of few episodes, some forty held-out games, one training."""
    raw = read_yaml(ROOT / "workflow_config.yaml")
    size = replace(
        Size.of(load_config(raw, preset="pilot"), "small"),
        games=110,
        snapshots=220,
        tests=40,
        panels=section("panels", "pilot", held_out=0.5, failure_per_quadrant=20, validation_per_quadrant=20),
    )
    asked = ((NOTHING, 6), (STRONG, 3))
    made = {
        ("small", truth.name): [study(size, truth, n, repetitions=200) for n in range(many)] for truth, many in asked
    }
    made["small", DEAD_ENDS.name] = [
        study(replace(size, games=300, snapshots=900), DEAD_ENDS, 1, repetitions=100, parts=("labels",))
    ]
    return made


def share(found: Found, world: str, criterion: str) -> float:
    return next(one.passed for one in rates(found) if (one.world, one.criterion) == (world, criterion))


def covered(found: Found) -> float:
    rows = coverage({key: results for key, results in found.items() if key[1] == NOTHING.name}, STEADY)
    known = [row.truth for row in rows if row.truth is not None]
    assert len(known) == len(STEADY)
    return sum(known) / len(known)


def test_intervals_hold_the_truth_and_narrower_ones_would_not(found: Found) -> None:
    assert 0.89 <= covered(found) <= 0.995
    narrow: Found = {}
    for key, results in found.items():
        narrow[key] = [
            Result(
                [
                    row
                    if row["low"] is None
                    else row | {end: row["point"] + 0.6 * (row[end] - row["point"]) for end in ("low", "high")}
                    for row in result.rows
                ]
            )
            for result in results
        ]
    assert covered(narrow) < 0.87


def test_where_there_is_nothing_nothing_is_found(found: Found) -> None:
    nulls = [one for one in rates(found) if NOTHING.name in NULLS.get(one.criterion, ()) and one.world == NOTHING.name]
    assert len(nulls) >= 25
    assert sum(one.passed for one in nulls) / len(nulls) <= 0.1
    for criterion in ("quadrants_L_local", "heterogeneity", "transfer", "training_gain", "patch_test", "predictor_L"):
        assert share(found, NOTHING.name, criterion) <= 1 / 6, criterion


def test_what_is_planted_is_found(found: Found) -> None:
    for criterion in (
        "quadrants_L_local",
        "heterogeneity",
        "content_gain",
        "training_gain",
        "transfer",
        "predictor_ndcg",
    ):
        assert share(found, STRONG.name, criterion) >= 2 / 3, criterion


def test_dead_ends_are_no_teachability(found: Found) -> None:
    """The corrected maximum is larger where success is in reach, although no patch does anything."""
    (result,) = found["small", DEAD_ENDS.name]
    contrast = next(row for row in result.rows if row["name"] == "ELP_net_debiased, high_L_minus_low_L")
    assert contrast["low"] > 0, "else this test shows nothing"
    assert share(found, DEAD_ENDS.name, "heterogeneity") == 0
