"""What a method chooses from, and its choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable.predictor.errors import PredictorError
from teachable.predictor.sets import FeatureSet, Floats
from teachable.seeds import stream

VALIDATION = 0.3
"""Share of the training-side games that judge, for methods that choose by what helps on other games."""

NEEDS = (
    "snapshot_id",
    "task_id",
    "episode_id",
    "step",
    "source",
    "entropy",
    "ELP_net",
    "route",
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Rows of the pool's candidates, best first, with their scores; why there are fewer than k, if there are.

    ``draw``: the training this choice serves, where a method makes another for each.
    """

    rows: list[int]
    score: Floats
    reason: str = ""
    draw: int | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates (columns of LABELED, by id), all there is to choose them by, and how many to choose.

    ``labeled`` is the whole training side, candidates or not; ``ties`` ``[N]`` a seeded order that breaks ties;
    ``gradients`` (GRADIENTS) are there for the methods that declare them.
    """

    method: str
    candidates: pl.DataFrame
    labeled: pl.DataFrame
    k: int
    seed: int
    ties: NDArray[np.int64]
    draws: int = 1
    predictions: pl.DataFrame | None = None
    features: FeatureSet | None = None
    gradients: pl.DataFrame | None = None

    def best(self, score: Floats, eligible: NDArray[np.bool_] | None = None, reason: str = "") -> Choice:
        """The k candidates of highest ``score`` ``[N]`` among those that are ``eligible``."""
        order = np.lexsort((self.ties, -score))
        if eligible is not None:
            order = order[eligible[order]]
        order = order[: self.k]
        return Choice(order.tolist(), score[order], reason)

    def measured(self, column: str, frame: pl.DataFrame | None = None) -> Floats:
        """A column of the candidates (or of ``frame``) as numbers ``[N]``; NaN where it is null."""
        return floats((self.candidates if frame is None else frame)[column])

    def predicted(self, frame: pl.DataFrame | None = None) -> Floats:
        """Predicted ELP_net ``[N]`` of the candidates (or of ``frame``), from the rows of the method ``predictor``."""
        if self.predictions is None:
            raise PredictorError("this selection needs the predictor's predictions of the candidates.")
        rows = self.predictions.filter((pl.col("method") == "predictor") & (pl.col("target") == "ELP_net"))
        if rows["snapshot_id"].is_duplicated().any():
            raise PredictorError("a snapshot has two predictions of ELP_net: give one set of predictions.")
        asked = (self.candidates if frame is None else frame).select("snapshot_id")
        found = asked.join(rows.select("snapshot_id", "score"), on="snapshot_id", how="left", maintain_order="left")
        absent = found.filter(pl.col("score").is_null())
        if len(absent):
            raise PredictorError(
                f"{len(absent)} candidates have no prediction, e.g. {absent['snapshot_id'][0]}: "
                "predict the whole pool first."
            )
        return floats(found["score"])

    def featured(self, frame: pl.DataFrame | None = None) -> FeatureSet:
        """The features of the candidates (or of ``frame``), in their order."""
        if self.features is None:
            raise PredictorError("this selection needs the features of the candidates.")
        place = {name: i for i, name in enumerate(self.features.snapshot_id.tolist())}
        names = (self.candidates if frame is None else frame)["snapshot_id"].to_list()
        absent = [name for name in names if name not in place]
        if absent:
            raise PredictorError(
                f"{len(absent)} snapshots have no features, e.g. {absent[0]}: make the features again."
            )
        return self.features.take([place[name] for name in names])

    def slopes(self, frame: pl.DataFrame | None = None) -> Floats:
        """Projected gradients ``[N, D]`` of the candidates (or of ``frame``), in their order; nats a token per unit of
        weight. Raises PredictorError where one has none."""
        if self.gradients is None:
            raise PredictorError("this selection needs the student's gradients: give those of the stage influence.")
        asked = (self.candidates if frame is None else frame).select("snapshot_id")
        rows = self.gradients.select("snapshot_id", "vector")
        found = asked.join(rows, on="snapshot_id", how="left", maintain_order="left")
        absent = found.filter(pl.col("vector").is_null())
        if len(absent):
            raise PredictorError(
                f"{len(absent)} candidates have no gradient, e.g. {absent['snapshot_id'][0]}: make the gradients again."
            )
        if found["vector"].list.len().n_unique() > 1:
            raise PredictorError("the gradients are not all of one length: make them again.")
        return np.array(found["vector"].to_list(), dtype=np.float64).reshape(len(found), -1)

    def judged(self) -> tuple[pl.DataFrame, pl.DataFrame] | None:
        """The candidates of the games that judge, and the others, each with its row in ``_row``; None for one game.

        A seeded share of :data:`VALIDATION` of the pool's games, the same for every method, judges and gives no
        candidate; held-out games have no say.
        """
        games = self.candidates["task_id"].unique().sort()
        if len(games) < 2:
            return None
        drawn = stream(self.seed, "selection", "validation").permutation(len(games))
        judging = games[drawn[: max(1, round(VALIDATION * len(games)))].tolist()]
        rows = self.candidates.with_row_index("_row")
        judges = pl.col("task_id").is_in(judging.implode())
        return rows.filter(judges), rows.filter(~judges)


ONE_GAME = "the pool is of one game, which leaves none to judge by"


def training_side(labeled: pl.DataFrame, panels: pl.DataFrame, expert: pl.DataFrame | None = None) -> pl.DataFrame:
    """The snapshots (LABELED) that a selection chooses from: of the training side, winnable, with valid advice.

    ``expert``: the expert's failures (setup B), put behind the student's own where they are of training-side games.
    """
    train = panels.filter(pl.col("panel") == "train")["snapshot_id"]
    pool = labeled.filter(pl.col("snapshot_id").is_in(train.implode()))
    if expert is not None:
        games = panels.filter(pl.col("side") == "train")["task_id"]
        pool = pl.concat([pool, expert.filter(pl.col("task_id").is_in(games.implode()))])
    return pool.filter(pl.col("advice_valid") & ~pl.col("unwinnable").fill_null(False))


def candidates(labeled: pl.DataFrame, *, source: str | None = None) -> pl.DataFrame:
    """The snapshots of a pool that can be trained on, by id: valid advice and a route.

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
    return pool


def floats(column: pl.Series) -> Floats:
    """Numbers ``[N]``; NaN where null."""
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
