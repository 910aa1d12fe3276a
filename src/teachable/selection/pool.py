"""What a method chooses from, and its choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable.predictor.errors import PredictorError
from teachable.predictor.sets import FeatureSet, Floats

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

    ``labeled`` is the whole training side, candidates or not; ``ties`` ``[N]`` a seeded order that breaks ties.
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
