"""What the predictor's quality rests on: groups of features, and the number of labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable.predictor import scores
from teachable.predictor.fitted import Predictor
from teachable.predictor.learners import Settings
from teachable.predictor.metrics import RANKED, Bootstrap, evaluate, interval_columns
from teachable.predictor.model import CrossFit, cross_fit
from teachable.predictor.ranking import Statistic, difference, mean_of, ndcg
from teachable.predictor.sets import FeatureSet, Floats
from teachable.seeds import stream
from teachable.stats import cluster_codes
from teachable.tables import IMPORTANCE, conform

TIER1_GROUPS = ("uncertainty", "commands", "length", "tokens", "trail")


def permutation_importance(
    cross: CrossFit,
    *,
    bootstrap: Bootstrap,
    k: int,
    repeats: int = 5,
    targets: Sequence[str] = (RANKED, "L_local"),
) -> pl.DataFrame:
    """How much worse held-out predictions get when a group of features is shuffled (IMPORTANCE).

    Whole groups are shuffled together among the rows of each held-out fold (Breiman 2001; grouped as in
    Gregorutti et al. 2015), ``repeats`` times, because features of a group stand in for one another. ``r2``
    drops for every target, ``ndcg`` at ``k`` for ELP_net; the interval draws tasks.
    """
    rows = []
    codes = cluster_codes(cross.features.task_id.tolist(), len(cross.features))[0]
    folds = _folds(cross)
    for target in targets:
        if any(target not in model.fitted for model in cross.models):
            continue
        known = cross.labels[target].is_not_null().to_numpy()
        truth = cross.labels[target].fill_null(0.0).to_numpy().astype(np.float64)[known]
        kept_codes = np.unique(codes[known], return_inverse=True)[1]
        intact = _predict(folds, target, None, 0)[known]
        metrics: dict[str, Callable[[Floats], Statistic]] = {"r2": partial(scores.r2, truth=truth, codes=kept_codes)}
        if target == RANKED and k <= len(truth):
            metrics["ndcg"] = partial(ndcg, truth=truth, codes=kept_codes, k=k)
        for group in sorted({name for model in cross.models for name in model.groups}):
            shuffled = [_predict(folds, target, group, repeat)[known] for repeat in range(repeats)]
            for metric, make in metrics.items():
                drop: Statistic = difference(make(intact), mean_of([make(score) for score in shuffled]))
                rows.append(
                    {
                        "method": cross.method,
                        "target": target,
                        "metric": metric,
                        "tier": _tier(group),
                        "group": group,
                        "features": max(len(model.groups.get(group, ())) for model in cross.models),
                    }
                    | interval_columns(bootstrap.interval(drop, kept_codes))
                )
    return conform(pl.DataFrame(rows, schema=dict(IMPORTANCE)), IMPORTANCE, "importance")


def _tier(group: str) -> str:
    if group == "oracle":
        return "oracle"
    return "tier1" if group in TIER1_GROUPS else "tier2"


@dataclass(frozen=True, slots=True)
class _Fold:
    """One held-out fold: its rows, its model, and what the model sees of them."""

    number: int
    rows: NDArray[np.intp]
    model: Predictor
    design: Floats


def _folds(cross: CrossFit) -> list[_Fold]:
    folds = []
    for model, number in zip(cross.models, np.unique(cross.fold).tolist(), strict=True):
        rows = np.flatnonzero(cross.fold == number)
        folds.append(_Fold(number, rows, model, model.design(cross.features.take(rows))))
    return folds


def _predict(folds: Sequence[_Fold], target: str, group: str | None, repeat: int) -> Floats:
    """Out-of-fold predictions ``[N]`` of a target with the columns of ``group`` shuffled within each fold."""
    result = np.empty(sum(len(fold.rows) for fold in folds))
    for fold in folds:
        x = fold.design.copy()
        columns = fold.model.groups.get(group or "")
        if columns is not None:
            order = stream(0, "permutation", fold.number, group, repeat).permutation(len(x))
            x[:, columns] = x[order][:, columns]
        result[fold.rows] = fold.model.number(target, x)
    return result


def sample_efficiency(
    features: FeatureSet,
    labels: pl.DataFrame,
    settings: Settings,
    *,
    shares: Sequence[float],
    ks: Sequence[int],
    bootstrap: Bootstrap,
    seed: int,
    held_out: Collection[str] = (),
    method: str = "predictor",
) -> pl.DataFrame:
    """Metrics of ELP_net against the labelled snapshots learned from (PREDICTOR_METRICS).

    Every model is judged on the same held-out rows; smaller training sets are parts of larger ones, by whole games.
    """
    parts = []
    for share in sorted(set(shares)):
        cross = cross_fit(
            features,
            labels,
            settings,
            seed=seed,
            method=method,
            share=share,
            targets=[RANKED],
            held_out=held_out,
        )
        parts.append(evaluate(cross.predictions, ks=ks, bootstrap=bootstrap, train_size=cross.train_size))
    return pl.concat(parts)
