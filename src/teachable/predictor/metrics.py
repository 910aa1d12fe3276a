"""How good the predictions are: tables of metrics with cluster-bootstrap intervals, drawn by task.

Every function takes PREDICTIONS and gives a table of :mod:`teachable.tables`. Rows without a truth do not count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable import stats
from teachable.predictor import scores
from teachable.predictor.errors import PredictorError
from teachable.predictor.ranking import Statistic, difference, ndcg, precision
from teachable.predictor.sets import Floats
from teachable.seeds import integer
from teachable.tables import CALIBRATION, CONFUSION, COST, METHOD_INTERVAL, PREDICTOR_METRICS, conform, empty

RANKED = "ELP_net"
LEARNED = ("predictor", "tier1", "tier2", "oracle_features")
BINS = 10


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are made."""

    seed: int
    repetitions: int = stats.REPETITIONS
    level: float = 0.95

    def interval(
        self, statistic: Statistic, codes: NDArray[np.int64], *, method: stats.Method = stats.METHOD
    ) -> stats.Interval:
        """The interval of a statistic of cluster weights. All statistics share the draws of this seed."""
        groups = int(codes.max()) + 1
        return stats.bootstrap_weighted(
            statistic,
            groups=groups,
            n=len(codes),
            seed=self.seed,
            level=self.level,
            repetitions=self.repetitions,
            method=method,
            width=4 * math.ceil(len(codes) / groups),
        )


@dataclass(frozen=True, slots=True)
class Numbers:
    """Predicted and true numbers of one method and target, with the cluster of each row."""

    snapshot_id: list[str]
    task_id: list[str]
    score: Floats
    truth: Floats
    codes: NDArray[np.int64]


def numbers(predictions: pl.DataFrame, method: str, target: str) -> Numbers | None:
    """The rows of a method and target that have score and truth, by snapshot; ``None`` if there are none."""
    rows = predictions.filter(
        (pl.col("method") == method)
        & (pl.col("target") == target)
        & pl.col("score").is_not_null()
        & pl.col("truth").is_not_null()
    ).sort("snapshot_id")
    if rows.is_empty():
        return None
    tasks = rows["task_id"].to_list()
    return Numbers(
        rows["snapshot_id"].to_list(),
        tasks,
        rows["score"].to_numpy().astype(np.float64),
        rows["truth"].to_numpy().astype(np.float64),
        stats.cluster_codes(tasks, len(tasks))[0],
    )


def interval_columns(interval: stats.Interval) -> dict[str, Any]:
    """The columns of METHOD_INTERVAL, in which ``method`` is left to the name of the predictor."""
    return {"interval_method" if name == "method" else name: value for name, value in interval.row().items()}


def ranking_statistic(rows: Numbers, method: str, metric: str, k: int) -> Statistic:
    """NDCG@k or Precision@k of a method.

    ``random`` is judged as all scores tied, which is the expectation over random orders: chance is a level,
    not a draw.
    """
    make = {"ndcg": ndcg, "precision": precision}[metric]
    score = np.zeros_like(rows.score) if method == "random" else rows.score
    return make(score, rows.truth, rows.codes, k)


def evaluate(
    predictions: pl.DataFrame,
    *,
    ks: Sequence[int],
    bootstrap: Bootstrap,
    untied: Sequence[str] | None = None,
    train_size: int | None = None,
) -> pl.DataFrame:
    """Every metric of every method (PREDICTOR_METRICS).

    * ELP_net, all methods: ``ndcg`` and ``precision`` at each k, ``spearman``. A k beyond the number of
      snapshots is left out.
    * Numbers, learned methods: ``r2``, ``mae``, ``spearman`` and ``ece`` (mean |outcome - prediction| over
      quantile bins).
    * Classes: ``accuracy``, ``macro_f1`` and ``ece`` of the class probabilities; for the route the same with
      ``_untied`` over the snapshots in ``untied``, those with a route that is not a tie. For the quadrant also
      ``leverage_balanced_accuracy``: whether its leverage side (Q1 and Q4 against Q2 and Q3) is told right, mean
      over both sides, chance 1/2. The other side is U, which is computed from the predictor's own inputs: to
      get it right says nothing, and a predictor that knows no leverage at all reaches half of the quadrants.

    ``train_size`` is written into the rows of learned methods: the number of labelled snapshots a model learned from.
    """
    rows: list[dict[str, Any]] = []
    pairs = predictions.select("method", "target").unique().sort("method", "target")
    for method, target in pairs.iter_rows():
        size = train_size if method in LEARNED else None
        add = _Adder(rows, method, target, size)
        found = numbers(predictions, method, target)
        if found is not None:
            _number_metrics(add, found, method, target, ks, bootstrap)
            continue
        classed = predictions.filter(
            (pl.col("method") == method)
            & (pl.col("target") == target)
            & pl.col("label").is_not_null()
            & pl.col("truth_label").is_not_null()
        ).sort("snapshot_id")
        if not classed.is_empty():
            _class_metrics(add, classed, "", bootstrap)
        if target == "route" and untied is not None:
            part = classed.filter(pl.col("snapshot_id").is_in(list(untied)))
            if not part.is_empty():
                _class_metrics(add, part, "_untied", bootstrap)
    return _metrics_frame(rows)


class _Adder:
    """Appends rows of PREDICTOR_METRICS."""

    def __init__(self, rows: list[dict[str, Any]], method: str, target: str, size: int | None) -> None:
        self.rows, self.head = rows, {"method": method, "target": target}
        self.size = size

    def __call__(self, metric: str, interval: stats.Interval, k: int | None = None) -> None:
        head = self.head | {"metric": metric, "k": k, "train_size": self.size}
        self.rows.append(head | interval_columns(interval))


def _number_metrics(
    add: _Adder, rows: Numbers, method: str, target: str, ks: Sequence[int], bootstrap: Bootstrap
) -> None:
    if target == RANKED:
        for k in sorted({k for k in ks if k <= len(rows.truth)}):
            for metric in ("ndcg", "precision"):
                statistic = ranking_statistic(rows, method, metric, k)
                add(metric, bootstrap.interval(statistic, rows.codes), k)
    add(
        "spearman",
        stats.correlation(
            rows.score,
            rows.truth,
            rows.task_id,
            kind="spearman",
            seed=bootstrap.seed,
            level=bootstrap.level,
            repetitions=bootstrap.repetitions,
        ),
    )
    if method in LEARNED:
        edges = _edges(rows.score)
        add("r2", bootstrap.interval(scores.r2(rows.score, rows.truth, rows.codes), rows.codes))
        add("mae", bootstrap.interval(scores.mae(rows.score, rows.truth, rows.codes), rows.codes))
        statistic = scores.binned_error(rows.score, rows.truth, edges, rows.codes)
        add("ece", error_interval(statistic, rows.codes, bootstrap))


def _class_metrics(add: _Adder, rows: pl.DataFrame, suffix: str, bootstrap: Bootstrap) -> None:
    label = np.asarray(rows["label"].to_list(), dtype=np.str_)
    truth = np.asarray(rows["truth_label"].to_list(), dtype=np.str_)
    codes = stats.cluster_codes(rows["task_id"].to_list(), len(rows))[0]
    add("accuracy" + suffix, bootstrap.interval(scores.accuracy(label, truth, codes), codes))
    add("macro_f1" + suffix, bootstrap.interval(scores.macro_f1(label, truth, codes), codes))
    if add.head["target"] == "quadrant":
        said, true = (np.isin(side, ("Q1", "Q4")) for side in (label, truth))
        add(
            "leverage_balanced_accuracy" + suffix,
            bootstrap.interval(scores.balanced_accuracy(said, true, codes), codes),
        )
    if rows["score"].null_count() == 0:
        right = (label == truth).astype(np.float64)
        confidence = rows["score"].to_numpy().astype(np.float64)
        statistic = scores.binned_error(confidence, right, np.linspace(0, 1, BINS + 1), codes)
        add("ece" + suffix, error_interval(statistic, codes, bootstrap))


def error_interval(statistic: Statistic, codes: NDArray[np.int64], bootstrap: Bootstrap) -> stats.Interval:
    """The interval of a calibration error: centred, for resampling inflates it, and cut at 0."""
    interval = bootstrap.interval(statistic, codes, method="centred")
    return replace(interval, low=max(0.0, interval.low)) if math.isfinite(interval.low) else interval


def _edges(score: Floats) -> Floats:
    edges = np.unique(np.quantile(score, np.linspace(0, 1, BINS + 1)))
    return edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])


def compare(
    predictions: pl.DataFrame,
    *,
    ks: Sequence[int],
    bootstrap: Bootstrap,
    method: str = "predictor",
    references: Sequence[str] = ("entropy", "random", "L_local", "UxL", "tier1", "tier2"),
    train_size: int | None = None,
) -> pl.DataFrame:
    """Paired differences in NDCG@k and Precision@k between a method and its rivals (PREDICTOR_METRICS).

    The method's column reads ``"predictor - entropy"``, the metric ``ndcg_difference`` or
    ``precision_difference``. Both are ranked within the same bootstrap draws, so the interval is that of the
    difference. Rivals without predictions are left out.

    With labels that nothing explains (60 data sets of 240 snapshots of 60 games, k = 25) the interval lay
    above 0 in 2 of 60 against random and 0 of 60 against entropy, and below it in 14 and 8: out-of-fold
    predictions lean below chance, because a model's mean is high just where its held-out fold is low. The
    error is on the safe side.
    """
    rows: list[dict[str, Any]] = []
    first = numbers(predictions, method, RANKED)
    if first is None:
        raise PredictorError(f"there are no predictions of {RANKED} by {method!r} to compare.")
    for reference in references:
        second = numbers(predictions, reference, RANKED)
        if second is None:
            continue
        if first.snapshot_id != second.snapshot_id:
            raise PredictorError(f"{method} and {reference} were not judged on the same snapshots.")
        add = _Adder(rows, f"{method} - {reference}", RANKED, train_size)
        for k in sorted({k for k in ks if k <= len(first.truth)}):
            for metric in ("ndcg", "precision"):
                a = ranking_statistic(first, method, metric, k)
                b = ranking_statistic(second, reference, metric, k)
                add(f"{metric}_difference", bootstrap.interval(difference(a, b), first.codes), k)
    return _metrics_frame(rows)


def _metrics_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, schema=dict(PREDICTOR_METRICS)), PREDICTOR_METRICS, "predictor metrics")


def calibration(predictions: pl.DataFrame, *, bootstrap: Bootstrap, bins: int = BINS) -> pl.DataFrame:
    """Reliability curves of the learned methods (CALIBRATION): mean outcome against mean prediction in bins.

    Quantile bins of a predicted number; uniform bins on [0, 1] of the probability of a predicted class, whose
    outcome is whether it was right. The interval is that of the bin's mean outcome.
    """
    rows: list[dict[str, Any]] = []
    pairs = predictions.filter(pl.col("method").is_in(LEARNED)).select("method", "target").unique()
    for method, target in pairs.sort("method", "target").iter_rows():
        part = predictions.filter(
            (pl.col("method") == method) & (pl.col("target") == target) & pl.col("score").is_not_null()
        ).sort("snapshot_id")
        classes = part["label"].null_count() == 0
        part = part.drop_nulls("truth_label" if classes else "truth")
        if part.is_empty():
            continue
        score = part["score"].to_numpy().astype(np.float64)
        outcome = ((part["label"] == part["truth_label"]).to_numpy() if classes else part["truth"].to_numpy()).astype(
            np.float64
        )
        tasks = np.asarray(part["task_id"].to_list(), dtype=object)
        edges = np.linspace(0, 1, bins + 1) if classes else np.unique(np.quantile(score, np.linspace(0, 1, bins + 1)))
        edges = edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])
        which = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, len(edges) - 2)
        for b in np.unique(which).tolist():
            here = which == b
            interval = stats.cluster_bootstrap(
                outcome[here],
                tasks[here],
                seed=integer(bootstrap.seed, method, target, b),
                level=bootstrap.level,
                repetitions=bootstrap.repetitions,
            )
            rows.append(
                {
                    "method": method,
                    "target": target,
                    "bin": b,
                    "bin_low": float(edges[b]),
                    "bin_high": float(edges[b + 1]),
                    "predicted": float(score[here].mean()),
                }
                | interval_columns(interval)
            )
    return conform(pl.DataFrame(rows, schema=dict(CALIBRATION)), CALIBRATION, "calibration")


def confusion(predictions: pl.DataFrame, *, labels: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Counts of predicted against true classes (CONFUSION), for all of ``labels[target]``, zeros included."""
    known = predictions.drop_nulls(["label", "truth_label"])
    parts = []
    for method, target in known.select("method", "target").unique().sort("method", "target").iter_rows():
        rows = known.filter((pl.col("method") == method) & (pl.col("target") == target))
        names = list(labels[target])
        for truth in names:
            here = rows.filter(pl.col("truth_label") == truth)
            for label in names:
                count = int((here["label"] == label).sum())
                parts.append(
                    {
                        "method": method,
                        "target": target,
                        "truth_label": truth,
                        "label": label,
                        "count": count,
                        "share": count / len(here) if len(here) else None,
                    }
                )
    return conform(pl.DataFrame(parts, schema=dict(CONFUSION)), CONFUSION, "confusion")


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """What labelling one snapshot takes, as configured or measured; episodes unless said otherwise."""

    policy_episodes: float = 7
    force_episodes: float = 7
    expert_episodes: float = 2
    condition_episodes: float = 10  # all five conditions together
    embedding_passes: float = 3  # parts embedded for tier 2


def cost_table(
    metrics: pl.DataFrame,
    units: UnitCosts,
    *,
    labelled: int,
    k: int,
) -> pl.DataFrame:
    """What each method costs for one snapshot of the pool, beside its NDCG@k (COST).

    The predictor needs ``labelled`` snapshots once, and then what its features take; ``oracle`` is the full
    labelling of every snapshot, which ranks perfectly by definition.
    Methods without a metric at ``k`` are left out.
    """
    leverage = units.policy_episodes + units.force_episodes
    passes = units.embedding_passes
    full = leverage + units.expert_episodes
    table: dict[str, tuple[float, float, float, int]] = {
        # method: student passes, rollouts, teacher calls, snapshots labelled once
        "random": (0, 0, 0, 0),
        "entropy": (1, 0, 0, 0),
        "tier1": (1, 0, 0, labelled),
        "tier2": (passes, 0, 0, labelled),
        "predictor": (1 + passes, 0, 0, labelled),
        "L_local": (0, leverage, 0, 0),
        "UxL": (1, leverage, 0, 0),
        "oracle_features": (1 + passes, full + 2 * units.condition_episodes / 5, 0, labelled),
        "oracle": (1, full + units.condition_episodes, 1, 0),
    }
    perfect = stats.Interval(1.0, 1.0, 1.0, "by_definition", 0, None, 0, 0)
    rows = []
    for method, (student, rollouts, teacher, once) in table.items():
        found = metrics.filter(
            (pl.col("method") == method)
            & (pl.col("target") == RANKED)
            & (pl.col("metric") == "ndcg")
            & (pl.col("k") == k)
        )
        if method == "oracle":
            interval = interval_columns(perfect)
        elif found.is_empty():
            continue
        else:
            interval = found.select(list(METHOD_INTERVAL)).row(0, named=True)
        rows.append(
            {
                "method": method,
                "student_passes": float(student),
                "rollouts": float(rollouts),
                "teacher_calls": float(teacher),
                "labelled_once": once,
                "k": k,
                **interval,
            }
        )
    return conform(pl.DataFrame(rows, schema=dict(COST)), COST, "cost") if rows else empty(COST)
