"""The whole study of phase 4: fit every method held out by game, and judge them all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from teachable import tables
from teachable.predictor.analysis import permutation_importance, sample_efficiency
from teachable.predictor.baselines import baseline_predictions
from teachable.predictor.errors import PredictorError, TooFew
from teachable.predictor.keeping import keep
from teachable.predictor.kept import Kept
from teachable.predictor.learners import Settings
from teachable.predictor.metrics import (
    RANKED,
    Bootstrap,
    UnitCosts,
    calibration,
    compare,
    confusion,
    cost_table,
    evaluate,
)
from teachable.predictor.model import METHODS, cross_fit
from teachable.predictor.sets import FeatureSet
from teachable.terms import FORMATS, QUADRANTS

NOT_KEPT = "it was not asked to be kept."


@dataclass(frozen=True, slots=True)
class Study:
    """The tables of phase 4; the schema of each is that of its name in :mod:`teachable.tables`."""

    predictions: pl.DataFrame
    metrics: pl.DataFrame  # PREDICTOR_METRICS: levels, paired differences and the sample-efficiency curve
    calibration: pl.DataFrame
    importance: pl.DataFrame
    confusion: pl.DataFrame
    cost: pl.DataFrame
    kept: Kept | str = NOT_KEPT  # the predictor for new failures, or why there is none

    @classmethod
    def empty(cls, reason: str) -> Study:
        """Tables without rows, where there is too little to learn a predictor from: the ``reason``."""
        return cls(
            tables.empty(tables.PREDICTIONS),
            tables.empty(tables.PREDICTOR_METRICS),
            tables.empty(tables.CALIBRATION),
            tables.empty(tables.IMPORTANCE),
            tables.empty(tables.CONFUSION),
            tables.empty(tables.COST),
            reason,
        )


def run_study(
    features: FeatureSet,
    labels: pl.DataFrame,
    *,
    ks: Sequence[int],
    shares: Sequence[float],
    bootstrap: Bootstrap,
    seed: int,
    settings: Settings | None = None,
    held_out: Collection[str] = (),
    units: UnitCosts | None = None,
    repeats: int = 5,
    given: Mapping[str, object] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Study:
    """Out-of-fold predictions of every method and rival, and every table that judges them.

    ``labels`` are rows of LABELED; features of snapshots without a label are left aside. ``held_out`` are the
    tasks of the evaluation side, which no model learns from (see
    :func:`~teachable.predictor.model.cross_fit`); the metrics are over all snapshots, each predicted without
    its game. ``ks`` beyond the number of snapshots with ELP_net are left out; when none is left,
    :class:`TooFew`. Without hidden states there is no tier 2, and ``predictor`` is tier 1 alone.
    ``shares`` below 1 give the sample-efficiency curve. With ``given`` (see :func:`~teachable.predictor.keeping.keep`)
    the predictor is kept, too. ``progress`` hears a line before each step.
    """
    settings = settings or Settings()
    say = progress or (lambda line: None)
    known = set(labels["snapshot_id"].to_list())
    features = features.take([name in known for name in features.snapshot_id.tolist()]).sorted()
    rankable = int(labels["ELP_net"].is_not_null().sum())
    used = sorted({k for k in ks if k <= rankable})
    if not used:
        raise TooFew(
            f"{rankable} snapshots have an ELP_net, fewer than the smallest k of {sorted(ks)}: label more "
            "snapshots, or lower predictor.k."
        )
    methods = list(METHODS) if features.embeddings else ["predictor", "oracle_features"]
    parts = [baseline_predictions(features, labels, settings, seed=seed, held_out=held_out)]
    crosses = {}
    for method in methods:
        say(f"fitting {method} on {len(features)} snapshots")
        crosses[method] = cross_fit(features, labels, settings, seed=seed, method=method, held_out=held_out)
        parts.append(crosses[method].predictions)
    predictions = pl.concat(parts)
    main = crosses["predictor"]
    say("metrics and paired differences")
    untied = labels.filter(pl.col("route").is_not_null() & ~pl.col("route_tied").fill_null(False))
    metrics = [
        evaluate(
            predictions,
            ks=used,
            bootstrap=bootstrap,
            untied=untied["snapshot_id"].to_list(),
            train_size=main.train_size,
        ),
        compare(predictions, ks=used, bootstrap=bootstrap, train_size=main.train_size),
    ]
    smaller = [share for share in shares if share < 1]
    if smaller:
        say(f"sample efficiency at {len(smaller)} sizes")
        metrics.append(
            sample_efficiency(
                features,
                labels,
                settings,
                shares=smaller,
                ks=used,
                bootstrap=bootstrap,
                seed=seed,
                held_out=held_out,
            )
        )
    kept: Kept | str = NOT_KEPT
    if given is not None:
        say("calibrating the predictor to keep")
        judged = [crosses[method] for method in ("predictor", "tier1") if method in crosses]
        try:
            kept = keep(judged, settings, seed=seed, given=given)
        except PredictorError as reason:
            kept = str(reason)
    say("importance of feature groups")
    return Study(
        predictions=predictions,
        metrics=pl.concat(metrics),
        calibration=calibration(predictions, bootstrap=bootstrap),
        importance=permutation_importance(main, bootstrap=bootstrap, k=used[-1], repeats=repeats),
        confusion=confusion(predictions, labels={"route": FORMATS, "quadrant": QUADRANTS}),
        cost=cost_table(
            metrics[0].filter(pl.col("target") == RANKED),
            units or UnitCosts(),
            labelled=main.train_size,
            k=used[-1],
        ),
        kept=kept,
    )
