"""The contextual patch test: what each kind of advice, shown once, does to the chance of success."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr

from teachable.labels.leverage import difference

FORMATS = ("demo", "contrast", "hint")  # this order breaks ties of the route
_EXACT = 1e-9  # differences below this are rounding


def with_patch_test(frame: pl.DataFrame, *, tie_margin: float = 0.01) -> pl.DataFrame:
    """``frame`` with the columns of the patch test.

    Needs ``p_c`` for base, placebo and the three formats, their ``_se``, and ``net_se_m`` per format. Adds

    * ``raw_m = p_m - p_base``, ``net_m = p_m - p_placebo``, ``placebo_gain = p_placebo - p_base``;
    * ``ELP_raw = max raw_m``, ``ELP_net = max net_m``, ``ELP_net_debiased`` (:func:`expected_excess` taken
      off);
    * ``route = argmax net_m``, the first of :data:`FORMATS` in a tie up to rounding; ``route_tied`` when the
      second best comes within ``tie_margin`` (a difference of probabilities) of the best.

    A snapshot that lacks any of the five probabilities gets nulls throughout.
    """
    frame = frame.with_columns(
        *(
            difference(f"p_{m}", f"p_{reference}").alias(f"{kind}_{m}")
            for kind, reference in (("raw", "base"), ("net", "placebo"))
            for m in FORMATS
        ),
        placebo_gain=difference("p_placebo", "p_base"),
    )
    values = {c: _column(frame, f"p_{c}") for c in ("base", "placebo", *FORMATS)}
    complete = np.all([~np.isnan(v) for v in values.values()], axis=0)
    net = np.stack([_column(frame, f"net_{m}") for m in FORMATS], axis=1)[complete]  # [N, 3]
    # With independent arms the placebo's noise shifts all formats alike and does not bias the maximum, so an
    # arm's own error counts; where arms share episodes the error of the difference is the smaller one, and
    # the relevant one.
    own = np.stack([_column(frame, f"p_{m}_se") for m in FORMATS], axis=1)[complete]
    paired = np.stack([_column(frame, f"net_se_{m}") for m in FORMATS], axis=1)[complete]
    noise = np.fmin(own, paired)
    best = net.max(axis=1, initial=-np.inf)
    route = np.argmax(net >= best[:, None] - _EXACT, axis=1) if len(net) else np.zeros(0, dtype=np.intp)
    second = np.sort(net, axis=1)[:, -2] if len(net) else np.zeros(0)
    raw_best = np.stack([_column(frame, f"raw_{m}") for m in FORMATS], axis=1)[complete].max(axis=1, initial=-np.inf)
    return frame.with_columns(
        _series("ELP_net", best, complete),
        _series("ELP_raw", raw_best, complete),
        _series("ELP_net_debiased", best - expected_excess(net, noise), complete),
        pl.Series("route", _spread([FORMATS[i] for i in route], complete), dtype=pl.String),
        pl.Series("route_tied", _spread((best - second <= tie_margin + _EXACT).tolist(), complete), dtype=pl.Boolean),
    )


def expected_excess(
    estimates: NDArray[np.float64], errors: NDArray[np.float64], *, points: int = 1001
) -> NDArray[np.float64]:
    """By how much the maximum of noisy arms is expected to exceed the maximum of their means [N].

    The parametric bootstrap of the maximum: with x_m the ``estimates`` [N, M], s_m their ``errors`` [N, M]
    (NaN counts as 0) and independent standard normal z_m,

        excess = E[max_m (x_m + s_m z_m)] - max_m x_m  >= 0,

    and ``max x_m - excess`` is the usual bootstrap bias correction of the maximum (Efron and Tibshirani 1993,
    ch. 10). The expectation is not drawn but integrated, E[max] = b - integral_a^b prod_m Phi((t - x_m) /
    s_m) dt, with [a, b] eight standard errors beyond the extremes and ``points`` nodes, so the result carries
    no seed and no Monte Carlo error. The correction is first order: the estimates are more spread than the
    truths, so part of the bias stays.
    """
    x = np.asarray(estimates, dtype=np.float64)
    s = np.nan_to_num(np.asarray(errors, dtype=np.float64), nan=0.0)
    if x.size == 0:
        return np.zeros(len(x))
    best = x.max(axis=1)
    reach = 8.0 * s.max(axis=1)
    noisy = reach > _EXACT
    if not noisy.any():
        return np.zeros(len(x))
    x, s, low, high = x[noisy], s[noisy], best[noisy] - reach[noisy], best[noisy] + reach[noisy]
    grid = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, points)  # [n, T]
    below = np.ones_like(grid)
    for m in range(x.shape[1]):
        scale = np.maximum(s[:, m], 1e-6 * (high - low))[:, None]  # an exact arm is a step
        below *= ndtr((grid - x[:, m][:, None]) / scale)
    # below the grid the distribution function is (numerically) zero: the best arm alone is 8 errors away or
    # exact
    excess = np.zeros(len(best))
    excess[noisy] = np.maximum(0.0, high - np.trapezoid(below, grid, axis=1) - best[noisy])
    return excess


def _column(frame: pl.DataFrame, name: str) -> NDArray[np.float64]:
    return frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)


def _series(name: str, values: NDArray[np.float64], where: NDArray[np.bool_]) -> pl.Series:
    return pl.Series(name, _spread(values.tolist(), where), dtype=pl.Float64)


def _spread(values: list[Any], where: NDArray[np.bool_]) -> list[Any]:
    """``values`` at the true places of ``where``, None elsewhere."""
    source = iter(values)
    return [next(source) if here else None for here in where]
