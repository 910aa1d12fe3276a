"""From the cross-fitted study to a predictor that is kept: its learners as arrays, and what calibrates it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import sklearn
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from teachable.predictor.errors import TooFew
from teachable.predictor.export import exported, plain
from teachable.predictor.features import FEATURES_VERSION
from teachable.predictor.fitted import Predictor
from teachable.predictor.kept import About, Kept, Variant
from teachable.predictor.learners import Settings
from teachable.predictor.model import CrossFit, fit, lean
from teachable.predictor.plain import Plain
from teachable.predictor.projection import Projection
from teachable.predictor.sets import FeatureSet, Floats
from teachable.predictor.trust import Conformal, Known, Trust, log_chances
from teachable.seeds import integer
from teachable.terms import FORMATS, QUADRANTS

RANKED = "ELP_net"
LEAST = 20
"""Rows of a class's label that its chances are calibrated from at least."""


def keep(crosses: Sequence[CrossFit], settings: Settings, *, seed: int, given: Mapping[str, object]) -> Kept:
    """The predictor that each cross-fit judged, ready for snapshots of other games.

    Where games were held out it is the model that predicted them, learned from all others; else one is learned from
    all. Calibration is on the out-of-fold predictions of the games it learned from, so that held-out games can tell
    whether it holds. ``given`` goes into :class:`~teachable.predictor.kept.About`: world, student, topk, uncertainty.

    Raises :class:`TooFew` where no snapshot has an ELP_net, and PredictorError as
    :func:`~teachable.predictor.export.exported`.
    """
    variants = {}
    for cross in crosses:
        predictor = _whole(cross, settings, seed)
        variants[" ".join(predictor.tiers)] = _variant(cross, predictor, settings.folds)
    first = crosses[0]
    learned = first.fold < settings.folds
    features = first.features.take(learned)
    return Kept(
        About(
            features_version=FEATURES_VERSION,
            snapshots=len(features),
            games=len(np.unique(features.task_id)),
            seed=seed,
            data=data_digest(features, first.labels.filter(pl.Series(learned))),
            sklearn=sklearn.__version__,
            numpy=np.__version__,
            **given,  # type: ignore[arg-type]
        ),
        variants,
    )


def _whole(cross: CrossFit, settings: Settings, seed: int) -> Predictor:
    if cross.fold.max() == settings.folds:
        return cross.models[-1]
    return fit(
        cross.features, cross.labels, settings, seed=integer(seed, "fold", settings.folds), tiers=cross.models[0].tiers
    )


def _variant(cross: CrossFit, predictor: Predictor, folds: int) -> Variant:
    """A predictor as arrays, and its :class:`Trust` from the folds it learned from."""
    inside = cross.fold < folds
    game = np.unique(cross.features.task_id, return_inverse=True)[1].astype(np.int64)
    parts: dict[str, Floats] = {name: np.full(len(cross.fold), np.nan) for name in (RANKED, "U", "L_local", "distance")}
    route = np.full((len(cross.fold), len(FORMATS)), np.nan)
    with lean():
        for number, model in zip(np.unique(cross.fold).tolist(), cross.models, strict=True):
            if number == folds:
                continue
            rows = np.flatnonzero(cross.fold == number)
            x = model.design(cross.features.take(rows))
            train = model.design(cross.features.take(inside & (cross.fold != number)))
            parts["distance"][rows] = _known(train).distances(x)
            for target in (RANKED, "U", "L_local"):
                if target in model.fitted:
                    parts[target][rows] = model.number(target, x) - model.cuts.get(target, 0.0)
            if "route" in model.fitted:
                found = model.fitted["route"]
                route[rows] = log_chances(found.probabilities(x), found.names.tolist(), FORMATS)
        x = predictor.design(cross.features)
        if "tier2" not in predictor.tiers:
            predictor = replace(predictor, projection=Projection({}, {}, None))
        kept = exported(predictor, x)
        truth = cross.labels[RANKED].cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
        known = inside & np.isfinite(truth) & np.isfinite(parts[RANKED])
        if not known.any():
            raise TooFew(f"no snapshot has an {RANKED} to calibrate from.")
        span = _known(x[inside])
        sides = np.stack([parts["U"], parts["L_local"]], axis=1)
        untied = ~cross.labels["route_tied"].fill_null(False).to_numpy()
        trust = Trust(
            Conformal.of(parts[RANKED][known], truth[known], game[known]),
            Known(span.mean, span.scale, span.root, parts["distance"][inside], game[inside]),
            _calibrator(route, cross.labels["route"], inside & untied, FORMATS),
            _calibrator(sides, cross.labels["quadrant"], inside, QUADRANTS) if kept.cuts else None,
        )
    return Variant(kept, trust)


def _known(x: Floats) -> Known:
    """Mean, spread and inverse covariance of rows ``[N, F]``."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    scale = np.where(spread > 1e-12, spread, 1.0)
    covariance = LedoitWolf(assume_centered=True).fit((x - mean) / scale).covariance_
    # a feature that never varied, in rows that are all alike, would have no width at all
    root = np.linalg.cholesky(np.linalg.inv(covariance + 1e-6 * np.eye(len(mean))))
    return Known(mean, scale, root, np.empty(0), np.empty(0, dtype=np.int64))


def _calibrator(x: Floats, label: pl.Series, rows: NDArray[np.bool_], names: Sequence[str]) -> Plain | None:
    """Multinomial logistic regression of the class on out-of-fold scores ``x[N, D]`` (Platt 1999; of several classes
    Guo et al. 2017, "vector scaling"), penalised, so that few labels give the shares of the classes."""
    rows = rows & label.is_in(list(names)).fill_null(False).to_numpy() & np.isfinite(x).all(axis=1)
    y = np.asarray(label.filter(pl.Series(rows)).to_list(), dtype=np.str_)
    if len(y) < LEAST or len(np.unique(y)) < 2:
        return None
    return plain(make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000)).fit(x[rows], y))


def data_digest(features: FeatureSet, labels: pl.DataFrame) -> str:
    """SHA-256 (64 hex digits) of what a predictor learned from: features, hidden states and labels of its snapshots."""
    found = hashlib.sha256()
    columns = ["ELP_net", "L_local", "L_upper", "U", "d_expert", "d_force", "route", "route_tied", "quadrant"]
    found.update(json.dumps([features.names, features.snapshot_id.tolist(), features.task_id.tolist()]).encode())
    found.update(json.dumps(labels.select("snapshot_id", *columns).rows()).encode())
    for array in (features.table, *(features.embeddings[part] for part in sorted(features.embeddings))):
        found.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return found.hexdigest()
