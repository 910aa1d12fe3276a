"""From snapshots, advice and estimated success probabilities to the labelled table: one pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from teachable import tables
from teachable.errors import TableError
from teachable.labels.depth import recovery_depth
from teachable.labels.estimated import check_unique, wide
from teachable.labels.leverage import with_leverage
from teachable.labels.measures import measures
from teachable.labels.patch_test import with_patch_test
from teachable.labels.quadrants import Cut, cut, quadrant
from teachable.terms import FORMATS, QUADRANTS

if TYPE_CHECKING:
    from teachable.config.model import Labels

NOISY = 0.5  # share of snapshots within two standard errors of the cut of L_local above which the cut cuts noise


def label(
    snapshots: pl.DataFrame,
    advice: pl.DataFrame,
    estimates: pl.DataFrame,
    settings: Labels,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The labelled failure snapshots (schema LABELED, sorted by id), and the thresholds with their counts.

    The *labelled set*, over which the thresholds are taken and which alone gets quadrants, are the failure
    snapshots with valid advice and with p_policy and p_force. A failure snapshot with invalid advice keeps
    its row, with null patch-test columns and quadrant; one without estimates (an engine fault) likewise, and one at
    which the world has no expert although the task can still be won (counted as ``no_expert`` and only there).
    Interval snapshots have no row: they serve recovery depth. Snapshots of expert failures (setup B, ``source``
    expert) get the quadrants of the student's cuts and take no part in these, nor in any count or mean, unless
    ``settings.setup_b`` is together: then they are of the student's set like any other.

    Raises TableError when a table contradicts another: duplicated ids or estimates, estimates of unknown
    quantities, failure snapshots without an advice row.
    """
    check_unique(snapshots, ["snapshot_id"], "snapshots")
    check_unique(advice, ["snapshot_id"], "advice")
    values = wide(estimates)
    failures = snapshots.filter(pl.col("kind") == "failure")
    missing = failures.join(advice, on="snapshot_id", how="anti")
    if len(missing):
        raise TableError(
            f"advice: {len(missing)} failure snapshots have no row, e.g. {missing['snapshot_id'][0]}. An "
            "invalid answer has a row too; run the advice stage again."
        )
    depth = recovery_depth(
        snapshots.select("snapshot_id", "episode_id", "step").join(
            values.select("snapshot_id", "p_expert", "p_force"), on="snapshot_id", how="left"
        )
    )
    frame = (
        failures.join(_advice_columns(advice), on="snapshot_id", how="left")
        .join(measures(failures, settings.topk), on="snapshot_id", how="left")
        .join(values, on="snapshot_id", how="left")
        .join(depth, on="snapshot_id", how="left")
        .sort("snapshot_id")
    )
    frame = with_patch_test(with_leverage(frame))
    frame = frame.with_columns(
        pl.when("advice_valid").then(pl.col(c)).alias(c)
        for c in (
            *(f"{kind}_{m}" for kind in ("raw", "net") for m in FORMATS),
            *("placebo_gain", "ELP_net", "ELP_raw", "ELP_net_debiased", "route", "route_tied"),
        )
    ).with_columns(U=pl.col(settings.uncertainty))
    member = pl.col("advice_valid") & pl.col("U").is_not_null() & pl.col("L_local").is_not_null()
    labelled = frame.filter(member)
    members = pl.lit(True) if settings.setup_b == "together" else pl.col("source").ne_missing("expert")
    own = labelled.filter(members)  # expert failures (setup B) are cut where these are
    u_cut = cut(own["U"].to_numpy(), settings.thresholds, settings.given_U)
    l_cut = cut(own["L_local"].to_numpy(), settings.thresholds, settings.given_L)
    frame = frame.with_columns(quadrant=pl.when(member).then(quadrant(pl.col("U"), pl.col("L_local"), u_cut, l_cut)))
    students = frame.filter(members)
    cells = dict(
        students.filter(pl.col("quadrant").is_not_null())
        .group_by("quadrant")
        .agg(n=pl.len(), U=pl.col("U").mean(), L_local=pl.col("L_local").mean())
        .rows_by_key("quadrant", named=True, unique=True)
    )
    alone = pl.col("expert_action").is_null() & ~pl.col("unwinnable").fill_null(True)
    near_l = _near(own, "L_local", l_cut)
    thresholds = {
        "method": settings.thresholds,
        "measure": settings.uncertainty,
        "U": {**_ends(u_cut), **_spread(own["U"])},
        "L_local": {**_ends(l_cut), **_spread(own["L_local"]), "within_two_errors_of_cut": near_l},
        "noisy": bool(near_l is not None and near_l > NOISY),
        "rule": "high is strictly above `high`, low is at or below `low`",
        "counts": {q: int(cells[q]["n"]) if q in cells else 0 for q in QUADRANTS},
        "means": {q: {axis: cells[q][axis] for axis in ("U", "L_local")} if q in cells else None for q in QUADRANTS},
        "labelled": len(own),
        "between_cuts": len(own) - sum(int(cell["n"]) for cell in cells.values()),
        "advice_invalid": int(students.filter(~alone, ~pl.col("advice_valid")).height),
        "without_estimates": int(students.filter(~alone, pl.col("L_local").is_null()).height),
        "no_expert": int(students.filter(alone).height),
        "failure_snapshots": len(students),
        "interval_snapshots": len(snapshots) - len(failures),
    }
    return tables.conform(frame.select(list(tables.LABELED)), tables.LABELED, "labeled_snapshots"), thresholds


def sets(labeled: pl.DataFrame, settings: Labels) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The student's set and the rest of setup B, two tables LABELED that share no row: the expert's failures are in the
    second, or, where ``settings.setup_b`` is together, in the first, and the second is empty."""
    if settings.setup_b == "together":
        return labeled, labeled.clear()
    expert = pl.col("source") == "expert"
    return labeled.filter(~expert), labeled.filter(expert)


def _spread(values: pl.Series) -> dict[str, float | None]:
    """Standard deviation and quartiles over the labelled set."""
    return {
        "sd": _number(values.std()),
        "q25": _number(values.quantile(0.25, "linear")),
        "q50": _number(values.median()),
        "q75": _number(values.quantile(0.75, "linear")),
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _ends(at: Cut | None) -> dict[str, float | None]:
    return {"low": None, "high": None} if at is None else {"low": at.low, "high": at.high}


def _near(own: pl.DataFrame, column: str, at: Cut | None) -> float | None:
    """Share of the labelled set within two standard errors of a cut; U is exact and has none. A snapshot whose
    standard error is 0 is near only a cut that it meets exactly."""
    if own.is_empty() or at is None:
        return None
    value, error = pl.col(column), pl.col(f"{column}_se").fill_null(0.0)
    distance = pl.min_horizontal((value - at.low).abs(), (value - at.high).abs())
    return _number(own.select((distance <= 2 * error).mean()).item())


def _advice_columns(advice: pl.DataFrame) -> pl.DataFrame:
    return advice.select(
        *("snapshot_id", "expert_action", "suggested_action", "error_type", "confidence", "unwinnable"),
        advice_valid=pl.col("valid").fill_null(False),
    )
