"""The logical inputs of figures and tables, and how a module asks for them.

A figure never meets a path: it is handed ``data``, a mapping from the names in :data:`INPUTS` to a Polars
frame or to the value of a JSON file. The helpers here fetch from that mapping and raise :class:`PaperError`,
which names the input and the field, where something is missing. Nothing is ever filled in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from teachable.errors import TeachableError

Data = Mapping[str, Any]
"""Logical input name -> ``pl.DataFrame`` (Parquet) or ``dict``/``list`` (JSON)."""

WORDS = "words"
"""The name by which an item whose ``ABOUT`` says ``words: True`` finds its world's vocabulary in ``data``."""


class PaperError(TeachableError):
    """A figure, table or criterion lacks an input, or the input lacks what it needs."""


class Undefined(PaperError):
    """The numbers were measured, but none is defined on these data (a correlation without variation, say).

    A figure of such numbers says so in place of a picture; what was never measured stays an error.
    """


@dataclass(frozen=True, slots=True)
class Input:
    """One logical input.

    ``path`` is where the workflow keeps it, relative to the results directory. ``schema`` is the name of its
    schema in :mod:`teachable.tables`, or ``None`` for JSON and for the few tables that are read as they are.
    ``holds`` says which rows or keys the paper looks for.
    """

    path: str
    schema: str | None
    holds: str

    @property
    def kind(self) -> str:
        """``table`` (Parquet) or ``json``."""
        return "json" if self.path.endswith(".json") else "table"


INPUTS: dict[str, Input] = {
    "labeled": Input("phase1/labeled_snapshots.parquet", "LABELED", "one row a labelled snapshot"),
    "thresholds": Input(
        "phase1/thresholds.json", None, "U and L_local, each {low, high}; counts {Q1..Q4}; method; measure"
    ),
    "label_metrics": Input(
        "phase1/label_metrics.parquet",
        "METRICS",
        "model base, panel labeled; made by teachable.paper.label_metrics: means, shares and correlations "
        "of the labels, by all, winnable, quadrant, family",
    ),
    "skills": Input(
        "phase1/skills.parquet",
        "SKILLS",
        "one row a quadrant (and all) and skill or kind of skill; made by teachable.paper.skills",
    ),
    "advice": Input("phase0/advice.parquet", "ADVICE", "one row a snapshot"),
    "episodes": Input("phase0/episodes.parquet", "EPISODES", "every episode of the rollouts"),
    "splits": Input("phase0/splits.json", None, "games by split"),
    "restore_check": Input("phase0/restore_check.json", None, "fraction, verified, total"),
    "microtraining": Input("phase1b/microtraining.parquet", "MICROTRAINING", "one row a snapshot and format"),
    "cpt_correlation": Input(
        "phase1b/cpt_correlation.json",
        None,
        "overall {spearman, pearson, spearman_L_local, partial_spearman_ELP_given_L: interval}, per_quadrant {Q: "
        "{spearman, pearson}}, utility {Q}, utility_Q1_minus_Q2, median_net_gain, mean_net_gain, mean_placebo_gain: "
        "each an interval, of nulls where it is not defined",
    ),
    "examples": Input("phase2/examples.parquet", "EXAMPLES", "one row a training example and run"),
    "budget": Input("phase2/budget.parquet", "BUDGET", "one row a run, quadrant and format"),
    "training_summary": Input(
        "phase2/training_summary.json",
        None,
        "runs {run: {examples, tokens, steps, seconds, loss_first, loss_last, adapter, sha256, probe_shift}}",
    ),
    "metrics": Input(
        "phase3/metrics.parquet",
        "METRICS",
        "metric success, repeat_rate, loop_rate, wasted_rate, escape_latency, efficiency; model base and every run; "
        "panel test | failure | retention; group all | Q1..Q4 | family",
    ),
    "contrasts": Input(
        "phase3/contrasts.parquet",
        "CONTRASTS",
        "metric success; <run>-vs-base on test, failure, retention; on failure also <Q>_<format>-vs-<Q>_demo (group "
        "Q), best_format-vs-demo (group all, Q), transfer_diagonal_minus_off and transfer_diagonal_minus_off_<format>",
    ),
    "transfer": Input("phase3/transfer.parquet", "TRANSFER", "16 cells for each of demo, contrast, hint, mean"),
    "mechanistic": Input(
        "phase3/mechanistic.parquet",
        "MECHANISTIC",
        "metric success_from_state | first_action_correct | expert_prob_shift | probe_state_accuracy | "
        "probe_goal_accuracy (and probe_state_chance, probe_goal_chance); by all | quadrant | elp_bin | route",
    ),
    "checkpoints": Input(
        "phase3/checkpoints.parquet",
        "METRICS",
        "metric success, panel retention, group all; model base and <run>@<checkpoint> (first | middle | last)",
    ),
    "drift": Input("phase3/drift.parquet", "DRIFT", "one row a run, checkpoint and snapshot"),
    "drift_metrics": Input(
        "phase3/drift_metrics.parquet",
        "METRICS",
        "panel drift, model <run>@<checkpoint>; made by teachable.paper.drift_metrics: ELP_net, spearman_base, "
        "route_agreement",
    ),
    "predictions": Input("phase4/predictions.parquet", "PREDICTIONS", "held-out predictions"),
    "predictor_metrics": Input(
        "phase4/metrics.parquet",
        "PREDICTOR_METRICS",
        "method predictor | tier1 | tier2 | random | entropy | L_local | UxL | oracle_features; metric ndcg | "
        "precision (k), spearman, r2, mae, macro_f1, accuracy, ece; paired differences as method 'predictor - "
        "entropy', metric ndcg_difference; smaller train_size for sample efficiency",
    ),
    "calibration": Input("phase4/calibration.parquet", "CALIBRATION", "one row a method, target and bin"),
    "importance": Input("phase4/importance.parquet", "IMPORTANCE", "one row a target, metric and group of features"),
    "confusion": Input("phase4/confusion.parquet", "CONFUSION", "one row a cell"),
    "cost": Input("phase4/cost.parquet", "COST", "one row a method"),
    "selection": Input("phase5/sets.parquet", "SELECTION", "one row a run and chosen snapshot"),
    "selection_metrics": Input(
        "phase5/metrics.parquet",
        "METRICS",
        "metric success; model base and S_*; panel test | failure | retention; group all",
    ),
    "selection_contrasts": Input(
        "phase5/contrasts.parquet",
        "CONTRASTS",
        "metric success; S_*_k*-vs-base, and against random, entropy and the plain variant of the same k; "
        "test | failure | retention",
    ),
    "criteria": Input("criteria.json", None, "the list that teachable.paper.criteria makes"),
}


@dataclass(frozen=True, slots=True)
class Interval:
    """A stored estimate: ``low`` and ``high`` are NaN where no interval could be made, ``mde`` where the smallest
    effect that would be seen is not stored with it."""

    point: float
    low: float
    high: float
    n: int
    clusters: int
    mde: float = math.nan

    @classmethod
    def of(cls, row: Mapping[str, Any], name: str = "interval") -> Interval:
        """From a row or JSON object with the columns of ``tables.INTERVAL``; raises PaperError without a point."""
        if not isinstance(row, Mapping) or row.get("point") is None:
            raise PaperError(f"{name} holds no point estimate: run the stage that makes it again.")

        def end(key: str) -> float:
            value = row.get(key)
            return math.nan if value is None else float(value)

        return cls(
            end("point"), end("low"), end("high"), int(row.get("n") or 0), int(row.get("clusters") or 0), end("mde")
        )

    @classmethod
    def maybe(cls, row: Mapping[str, Any] | None) -> Interval | None:
        """As :meth:`of`, but ``None`` where the quantity was not defined (its stored point is null)."""
        return cls.of(row) if row and row.get("point") is not None else None

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside of the interval; false where there is none."""
        return self.low > 0 or self.high < 0

    @property
    def detectable(self) -> float:
        """The smallest true effect that a test at 5 % would find with 80 % power: as stored, else from the width
        of the 95 % interval, ``(z_.975 + z_.8) / (2 z_.975)`` of it."""
        return (1.95996 + 0.84162) / (2 * 1.95996) * (self.high - self.low) if math.isnan(self.mde) else self.mde

    def text(self, digits: int = 2, *, signed: bool = False) -> str:
        """``0.12 [0.05, 0.20]``; the point alone where there is no interval."""
        point = number(self.point, digits, signed=signed)
        if math.isnan(self.low) or math.isnan(self.high):
            return point
        return f"{point} [{number(self.low, digits)}, {number(self.high, digits)}]"


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """``value`` with a true minus sign and without a negative zero."""
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    if float(text) == 0:
        text = f"{0:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def where(name: str) -> str:
    """How an error names an input: ``'labeled' (results/phase1/labeled_snapshots.parquet)``."""
    return f"'{name}' (results/{INPUTS[name].path})" if name in INPUTS else f"'{name}'"


def words(data: Data) -> Any:
    """The world's :class:`~teachable.worlds.words.Words`. Raises PaperError when they were not handed over."""
    if WORDS not in data:
        raise PaperError(f"Input {WORDS!r} is missing: the vocabulary of the world, by `world_name` of the stage.")
    return data[WORDS]


def frame(data: Data, name: str, *columns: str) -> pl.DataFrame:
    """The table ``name`` of ``data``; raises PaperError when it is absent, empty or lacks a column."""
    value = data.get(name)
    if value is None:
        raise PaperError(f"The input {where(name)} is missing: run the stage that makes it.")
    if not isinstance(value, pl.DataFrame):
        raise PaperError(f"The input {where(name)} should be a table, but is a {type(value).__name__}.")
    missing = [column for column in columns if column not in value.columns]
    if missing:
        raise PaperError(f"The input {where(name)} lacks the columns {missing}: it was made by another version.")
    if value.is_empty():
        raise Undefined(f"The input {where(name)} has no row: the stage that makes it found nothing to measure.")
    return value


def select(data: Data, name: str, **conditions: Any) -> pl.DataFrame:
    """Rows of the table ``name`` where each column equals a value or is one of a list.

    Raises PaperError, which repeats the conditions, when there is none.
    """
    rows = frame(data, name, *conditions)
    for column, wanted in conditions.items():
        test = pl.col(column).is_in(list(wanted)) if _many(wanted) else pl.col(column).eq_missing(pl.lit(wanted))
        rows = rows.filter(test)
    if rows.is_empty():
        asked = _said(conditions)
        panel = conditions.get("panel")
        if isinstance(panel, str) and panel_is_empty(data, name, panel):
            raise Undefined(
                f"The {panel} panel is empty in this run, so {where(name)} has nothing with {asked}. The report "
                "says why."
            )
        raise PaperError(
            f"The input {where(name)} has no row with {asked}: the stage that makes it did not measure it."
        )
    return rows


def panel_is_empty(data: Data, name: str, panel: str) -> bool:
    """Whether no model played ``panel``: nothing of it can be in the table ``name``, which is no fault of a stage."""
    rows = data[name]
    return isinstance(rows, pl.DataFrame) and "panel" in rows.columns and rows.filter(panel=panel).is_empty()


def intervals(data: Data, name: str, key: str | Sequence[str], **conditions: Any) -> dict[Any, Interval]:
    """Intervals of the selected rows by the value of ``key`` (a tuple of values for several columns).

    Rows without a point estimate are not measurable and are left out; PaperError when none is left.
    """
    keys = [key] if isinstance(key, str) else list(key)
    rows = select(data, name, **conditions)
    frame(data, name, *keys, "point", "low", "high", "n", "clusters")
    found: dict[Any, Interval] = {}
    for row in rows.iter_rows(named=True):
        if row["point"] is None:
            continue
        place = row[keys[0]] if isinstance(key, str) else tuple(row[k] for k in keys)
        if place in found:
            raise PaperError(f"The input {where(name)} has two rows for {place} with {conditions}: it should have one.")
        found[place] = Interval.of(row)
    if not found:
        reasons = sorted({m for m in (rows["method"] if "method" in rows.columns else []) if m and "undefined" in m})
        if reasons:
            raise Undefined(f"{where(name)}, {_said(conditions)}: {'; '.join(reasons)}.")
        raise Undefined(
            f"{where(name)} holds no defined estimate: {_said(conditions)}, {len(rows)} of {len(rows)} null."
        )
    return found


def record(data: Data, name: str, *keys: str) -> Any:
    """The value below ``keys`` in the JSON input ``name``; PaperError names the key that is not there."""
    if name not in data or data[name] is None:
        raise PaperError(f"The input {where(name)} is missing: run the stage that makes it.")
    value = data[name]
    for depth, key in enumerate(keys):
        if not isinstance(value, Mapping) or key not in value:
            raise PaperError(f"The input {where(name)} lacks {'.'.join(keys[: depth + 1])}.")
        value = value[key]
    return value


def labelled(data: Data, *columns: str) -> pl.DataFrame:
    """The snapshots of ``labeled`` that have a quadrant and, in every asked column, a value."""
    rows = frame(data, "labeled", "quadrant", "task_id", *columns).drop_nulls(["quadrant", *columns])
    if rows.is_empty():
        raise Undefined(f"The input {where('labeled')} has no snapshot with a quadrant and values of {list(columns)}.")
    return rows


def count_note(rows: pl.DataFrame, what: str = "snapshots") -> str:
    """``n = 420 snapshots in 96 games``."""
    games = rows["task_id"].n_unique()
    return f"n = {len(rows):,} {what} in {games:,} game{'s' if games != 1 else ''}"


def interval_note(items: Iterable[Interval], what: str = "observations") -> str:
    """The range of n and games over several intervals: ``n = 40 to 96 snapshots in 20 to 31 games``."""
    known = list(items)
    return f"n = {_range(i.n for i in known)} {what} in {_range(i.clusters for i in known)} games"


def ordered(found: Iterable[str], order: Sequence[str]) -> list[str]:
    """``found`` in the given order; what the order does not know comes last, by name."""
    names = set(found)
    return [name for name in order if name in names] + sorted(names - set(order))


def _range(values: Iterable[int]) -> str:
    known = sorted(values)
    return f"{known[0]:,}" if known[0] == known[-1] else f"{known[0]:,} to {known[-1]:,}"


def _said(conditions: Mapping[str, Any]) -> str:
    return ", ".join(f"{c} in {list(w)}" if _many(w) else f"{c} = {w}" for c, w in conditions.items())


def _many(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset, Iterator))
