"""Choosing a fixed budget of snapshots to train on: the methods, under one interface.

``select`` ranks the candidates by a method and takes the first k. Every method is deterministic given its
seed, and never takes a snapshot twice. The two that judge by success of others (``eef_failures``, ``eef_error``) take
fewer than k rather than snapshots they have no reason for; the shortfall is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable.predictor.coverage import Coverage, greedy_coverage
from teachable.predictor.errors import PredictorError
from teachable.predictor.expected_error import Surrogate, greedy_error_reduction, standardised
from teachable.predictor.sets import FeatureSet, Floats
from teachable.seeds import stream
from teachable.tables import SELECTION, conform
from teachable.training.matrix import selection_name

METHODS = (
    "random",
    "entropy",
    "predictor",
    "predictor_diverse",
    "oracle",
    "oracle_diverse",
    "eef_failures",
    "eef_error",
)
PREDICTED = ("predictor", "predictor_diverse", "eef_error")  # these need a predictor
VALIDATION = 0.3  # share of the training-side games on which expected error reduction judges
NEEDS = (
    "snapshot_id",
    "task_id",
    "episode_id",
    "step",
    "source",
    "prefix",
    "entropy",
    "ELP_net",
    "route",
    "suggested_action",
)


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen snapshots (SELECTION, best first), how many of the k are missing, and why."""

    frame: pl.DataFrame
    shortfall: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores ``[N]`` of the candidates, which of them may be taken, and why others may not."""

    score: Floats
    eligible: NDArray[np.bool_]
    reason: str = ""


def candidates(labeled: pl.DataFrame, *, source: str | None = None) -> pl.DataFrame:
    """The snapshots of a pool that can be trained on, by id: valid advice, a route, no state twice.

    Two snapshots of one task with the same commands before them are the same decision; the first id stays.
    ``source`` keeps student or expert snapshots only.
    """
    missing = [name for name in NEEDS if name not in labeled.columns]
    if missing:
        raise PredictorError(f"the candidates lack the columns {missing}: give the labelled snapshots.")
    pool = labeled.filter(pl.col("route").is_not_null()).sort("snapshot_id")
    if "advice_valid" in pool.columns:
        pool = pool.filter(pl.col("advice_valid").fill_null(False))
    if source is not None:
        pool = pool.filter(pl.col("source") == source)
    # A list is no key for uniqueness everywhere, its text is.
    key = pl.col("prefix").list.join("\n").alias("_prefix")
    return pool.with_columns(key).unique(["task_id", "_prefix"], keep="first", maintain_order=True).drop("_prefix")


def select(
    method: str,
    labeled: pl.DataFrame,
    k: int,
    *,
    seed: int,
    draws: int = 1,
    predictions: pl.DataFrame | None = None,
    features: FeatureSet | None = None,
) -> Selection:
    """The ``k`` snapshots a method would train on, as rows of SELECTION for the run ``S_<method>_k<k>``.

    ``labeled`` (columns of LABELED) holds the pool: give the training side only. The methods:

    * ``random``: uniform; ``draws`` of them, one for every training of the run.
    * ``entropy``: the student's entropy, highest first.
    * ``predictor``: predicted ELP_net, from ``predictions`` (PREDICTIONS; they must be out-of-fold for the
      pool).
    * ``oracle``: the measured ELP_net.
    * ``predictor_diverse``, ``oracle_diverse``: the same weighed against what is already covered, see
      :class:`~teachable.predictor.coverage.Coverage`. Need ``features`` of the pool.
    * ``eef_failures``: exploring expert failures, see :func:`rank_expert_failures`. Takes expert snapshots
      only; all other methods student snapshots only, as far as the pool tells them apart.
    * ``eef_error``: expected error reduction, see
      :func:`~teachable.predictor.expected_error.greedy_error_reduction`. Needs ``predictions`` (predicted
      utility) and ``features`` of the pool. The error is that on a seeded share of the pool's own games, which
      give no candidate then: held-out games have no say.

    All are trained on as plain demonstrations. Ties are broken by a seeded order, not by the names of snapshots.
    """
    if method not in METHODS:
        raise PredictorError(f"unknown selection method {method!r}: use one of {list(METHODS)}.")
    if k < 1:
        raise PredictorError(f"a selection needs k of at least 1, but is {k}.")
    pool = candidates(labeled, source="expert" if method == "eef_failures" else "student")
    if pool.is_empty():
        kind = "expert" if method == "eef_failures" else "student"
        return _finish(method, pool, [], np.empty(0), k, f"the pool has no {kind} snapshot with valid advice")
    if method in PREDICTED and predictions is not None and predictions.is_empty():
        return _finish(method, pool, [], np.empty(0), k, "too few snapshots are labelled to learn a predictor from")
    ties = stream(seed, "selection", method).permutation(len(pool))
    if method == "random":
        parts = []
        for draw in range(1, draws + 1):
            order = stream(seed, "selection", method, draw).permutation(len(pool))[:k].tolist()
            parts.append(_finish(method, pool, order, np.ones(len(order)), k, "", draw=draw))
        return Selection(pl.concat([part.frame for part in parts]), parts[0].shortfall, parts[0].reason)
    nothing = "every other candidate is predicted to teach nothing"
    if method == "eef_error":
        if pool["task_id"].n_unique() < 2:
            return _finish(method, pool, [], np.empty(0), k, "the pool is of one game, which leaves none to judge by")
        pool, surrogate = _surrogate(pool, predictions, features, seed)
        chosen, gain = greedy_error_reduction(surrogate, k, ties[: len(pool)])
        return _finish(method, pool, chosen, gain, k, nothing)
    if method.endswith("_diverse"):
        oracle = method.startswith("oracle")
        utility = _floats(pool["ELP_net"]) if oracle else predicted_utility(pool, predictions)
        chosen, gain = greedy_coverage(_coverage(pool, utility, features), k, ties)
        return _finish(method, pool, chosen, gain, k, nothing)
    ranking = _ranking(method, pool, labeled, predictions)
    order = np.lexsort((ties, -ranking.score))
    order = order[ranking.eligible[order]][:k]
    return _finish(method, pool, order.tolist(), ranking.score[order], k, ranking.reason)


def _ranking(
    method: str,
    pool: pl.DataFrame,
    labeled: pl.DataFrame,
    predictions: pl.DataFrame | None,
) -> Ranking:
    everyone = np.ones(len(pool), dtype=np.bool_)
    if method == "entropy":
        return Ranking(_floats(pool["entropy"]), everyone)
    if method == "oracle":
        return Ranking(_floats(pool["ELP_net"]), everyone)
    if method == "predictor":
        return Ranking(predicted_utility(pool, predictions), everyone)
    return rank_expert_failures(pool, labeled)


def rank_expert_failures(pool: pl.DataFrame, labeled: pl.DataFrame) -> Ranking:
    """The score of *exploring expert failures* (Lan et al. 2025, arXiv:2504.13145) for expert snapshots.

    The method takes the failed episodes of an expert, lets the student play on from states along them, and
    keeps the expert's actions that lead to states from where the student succeeds; actions whose simulation
    shows no success are masked out as potentially harmful. Here the simulations are the measured ones:
    ``p_policy`` at a snapshot (the student plays on from there) and ``p_force`` (the student plays on after
    the expert's action). Two pieces of evidence that the expert's action at s was beneficial:

    * the step itself: ``p_force(s) - p_policy(s)``;
    * the segment it opens: ``p_policy(s') - p_policy(s)`` for the next snapshot s' of the same expert
      episode, spread over the segment's steps.

    The score is the larger one. A snapshot is eligible when it is positive and the student did succeed in
    simulation after it (``p_force`` or ``p_policy(s')`` above 0).
    """
    along = (
        labeled.filter(pl.col("source") == "expert")
        .select("episode_id", "step", "p_policy")
        .unique(["episode_id", "step"], keep="first", maintain_order=True)
        .sort("episode_id", "step")
        .with_columns(
            pl.col("p_policy").shift(-1).over("episode_id").alias("_next"),
            (pl.col("step").shift(-1).over("episode_id") - pl.col("step")).alias("_length"),
        )
        .select("episode_id", "step", "_next", "_length")
    )
    rows = pool.join(along, on=["episode_id", "step"], how="left", maintain_order="left")
    policy, force = _floats(rows["p_policy"]), _floats(rows["p_force"])
    after = _floats(rows["_next"])
    length = np.maximum(1.0, np.nan_to_num(_floats(rows["_length"]), nan=1.0))
    step = np.nan_to_num(force - policy, nan=-np.inf)
    segment = np.nan_to_num((after - policy) / length, nan=-np.inf)
    succeeded = (np.nan_to_num(force) > 0) | (np.nan_to_num(after) > 0)
    score = np.maximum(step, segment)
    return Ranking(score, (score > 0) & succeeded, "no other expert action was followed by a success of the student")


def predicted_utility(pool: pl.DataFrame, predictions: pl.DataFrame | None) -> Floats:
    """Predicted ELP_net ``[N]`` of candidates, from the rows of the method ``predictor``."""
    if predictions is None:
        raise PredictorError("this selection needs the predictor's predictions of the candidates.")
    rows = predictions.filter((pl.col("method") == "predictor") & (pl.col("target") == "ELP_net"))
    if rows["snapshot_id"].is_duplicated().any():
        raise PredictorError("a snapshot has two predictions of ELP_net: give one set of predictions.")
    found = pool.select("snapshot_id").join(
        rows.select("snapshot_id", "score"), on="snapshot_id", how="left", maintain_order="left"
    )
    absent = found.filter(pl.col("score").is_null())
    if len(absent):
        raise PredictorError(
            f"{len(absent)} candidates have no prediction, e.g. {absent['snapshot_id'][0]}: "
            "predict the whole pool first."
        )
    return _floats(found["score"])


def _surrogate(
    pool: pl.DataFrame,
    predictions: pl.DataFrame | None,
    features: FeatureSet | None,
    seed: int,
) -> tuple[pl.DataFrame, Surrogate]:
    """The candidates, and the surrogate that judges them on the other games of the pool."""
    if features is None:
        raise PredictorError("expected error reduction needs the features of the candidates.")
    games = pool["task_id"].unique().sort()
    drawn = stream(seed, "selection", "validation").permutation(len(games))[: max(1, round(VALIDATION * len(games)))]
    judges = pl.col("task_id").is_in(games[drawn.tolist()].implode())
    target, pool = pool.filter(judges), pool.filter(~judges)
    utility = predicted_utility(pool, predictions)
    error = 1.0 - _floats(target["p_policy"])
    known = np.isfinite(error)
    if not known.any():
        raise PredictorError("expected error reduction needs p_policy of the validation snapshots; none is known.")
    judged = _rows_of(features, target.filter(pl.Series(known)))
    return pool, Surrogate.build(_rows_of(features, pool), utility, judged, error[known])


def _coverage(pool: pl.DataFrame, utility: Floats, features: FeatureSet | None) -> Coverage:
    if features is None:
        raise PredictorError("a diverse selection needs the features of the candidates.")
    states, _ = standardised(_rows_of(features, pool), _rows_of(features, pool))
    return Coverage.build(utility, pool["suggested_action"].fill_null("").to_list(), states)


def _rows_of(features: FeatureSet, frame: pl.DataFrame) -> FeatureSet:
    place = {name: i for i, name in enumerate(features.snapshot_id.tolist())}
    absent = [name for name in frame["snapshot_id"].to_list() if name not in place]
    if absent:
        raise PredictorError(f"{len(absent)} snapshots have no features, e.g. {absent[0]}: make the features again.")
    return features.take([place[name] for name in frame["snapshot_id"].to_list()])


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)


def _finish(
    method: str, pool: pl.DataFrame, rows: list[int], score: Floats, k: int, reason: str, draw: int | None = None
) -> Selection:
    chosen = pool[rows]
    frame = pl.DataFrame(
        {
            "run": [selection_name(method, k)] * len(rows),
            "draw": [draw] * len(rows),
            "method": [method] * len(rows),
            "snapshot_id": chosen["snapshot_id"].to_list(),
            "rank": list(range(1, len(rows) + 1)),
            "score": np.asarray(score, dtype=np.float64).tolist(),
            "format": ["demo"] * len(rows),
        },
        schema=dict(SELECTION),
    )
    shortfall = k - len(rows)
    if shortfall and len(rows) == len(pool) and len(pool):
        reason = f"the pool has only {len(pool)} distinct snapshots with valid advice"
    return Selection(conform(frame, SELECTION, "selection"), shortfall, reason if shortfall else "")
