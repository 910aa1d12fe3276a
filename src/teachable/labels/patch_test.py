"""The contextual patch test: what each kind of advice, shown once, does to the chance of success."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable.labels.leverage import difference
from teachable.terms import FORMATS

_EXACT = 1e-9  # differences below this are rounding
SHRINKAGE = 1.5  # weight of the noise in the arms' spread when they are drawn to their mean, chosen by simulation


def with_patch_test(frame: pl.DataFrame, *, tie_margin: float = 0.01) -> pl.DataFrame:
    """``frame`` with the columns of the patch test.

    Needs ``p_c`` for base, placebo and the three formats, their ``_se``, and per format ``net_se_m``
    and ``episodes_m`` (of Monte Carlo estimates; null for trees). Adds

    * ``raw_m = p_m - p_base``, ``net_m = p_m - p_placebo``, ``placebo_gain = p_placebo - p_base``;
    * ``ELP_raw = max raw_m``, ``ELP_net = max net_m``, ``ELP_net_debiased`` (:func:`excess_of_maximum`
      taken off);
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
    arms = np.stack([values[m] for m in FORMATS], axis=1)[complete]
    number = np.stack([_column(frame, f"episodes_{m}") for m in FORMATS], axis=1)[complete]
    best = net.max(axis=1, initial=-np.inf)
    route = np.argmax(net >= best[:, None] - _EXACT, axis=1) if len(net) else np.zeros(0, dtype=np.intp)
    second = np.sort(net, axis=1)[:, -2] if len(net) else np.zeros(0)
    raw_best = np.stack([_column(frame, f"raw_{m}") for m in FORMATS], axis=1)[complete].max(axis=1, initial=-np.inf)
    return frame.with_columns(
        _series("ELP_net", best, complete),
        _series("ELP_raw", raw_best, complete),
        _series("ELP_net_debiased", best - excess_of_maximum(arms, noise, number), complete),
        pl.Series("route", _spread([FORMATS[i] for i in route], complete), dtype=pl.String),
        pl.Series("route_tied", _spread((best - second <= tie_margin + _EXACT).tolist(), complete), dtype=pl.Boolean),
    )


def excess_of_maximum(
    arms: NDArray[np.float64], errors: NDArray[np.float64], episodes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """By how much the maximum of noisy arms is expected to exceed the maximum of the true ones [N].

    A parametric bootstrap of the maximum at shrunken arms. With x_m the success probabilities ``arms``
    [N, M], v the mean of their squared errors and V = var_m(x) (divisor M - 1), the noise makes x more spread
    than the truths, so

        t_m = xbar + B (x_m - xbar),    B = V / (V + c v),    c = SHRINKAGE,

    an empirical-Bayes shrinkage to the arms' own mean (of the kind of Morris 1983, JASA 78), and
    excess = E[max_m X_m] - max_m t_m, where X_m ~ Binomial(n_m, t_m) / n_m if ``episodes`` [N, M] has n_m, with
    t_m = (n_m M t_m + 1/2) / (n_m M + 1) by Jeffreys' prior on the pooled episodes, so that arms that all failed
    are not held for certain; else (NaN: trees) X_m is normal with ``errors`` [N, M] (:func:`expected_excess`).
    Neither is drawn, so there is no seed. As errors go to 0 so does the excess.

    No estimator of a maximum is unbiased for all truths; this one is nearly so on average.
    Simulated bias of ``max x - excess`` (20 000 snapshots a cell, three arms, base uniform in [.1, .7]; in
    brackets that of ``max x``):

        episodes an arm                        2             3             7
        all equal                         .10 (.26)     .08 (.21)     .05 (.14)
        one better by .1                  .04 (.19)     .02 (.15)    -.01 (.09)
        one better by .25                -.03 (.11)    -.05 (.08)    -.04 (.03)
        one better by .5                 -.10 (.03)    -.08 (.02)    -.03 (.00)
        all better by .3                  .06 (.20)     .06 (.17)     .04 (.12)
        spread with sd .1                 .02 (.18)     .01 (.14)    -.01 (.08)
        spread with sd .2                -.02 (.12)    -.02 (.09)    -.02 (.05)
        all equal, in [.01, .1]          -.03 (.09)    -.01 (.08)     .01 (.06)
        all equal, in [.9, .99]          -.04 (.05)    -.02 (.05)     .00 (.05)
        one better by .5, others <= .1   -.10 (.02)    -.07 (.01)    -.02 (.00)
        mean of the ten                  -.01 (.13)    -.01 (.10)    -.00 (.06)

    So a mean over many snapshots may be read, a difference between kinds of snapshots only with this table.
    """
    x = np.asarray(arms, dtype=np.float64)
    s = np.nan_to_num(np.asarray(errors, dtype=np.float64), nan=0.0)
    n = np.asarray(episodes, dtype=np.float64)
    if x.size == 0:
        return np.zeros(len(x))
    mean, noise, spread = x.mean(axis=1), (s**2).mean(axis=1), x.var(axis=1, ddof=1)
    total = spread + SHRINKAGE * noise
    kept = np.divide(spread, total, out=np.ones_like(total), where=total > 0)
    shrunk = mean[:, None] + kept[:, None] * (x - mean[:, None])
    excess = expected_excess(shrunk, np.where(np.isnan(n), s, 0.0))
    counted = ~np.isnan(n).any(axis=1)
    for numbers in np.unique(n[counted], axis=0):
        rows = counted & (n == numbers).all(axis=1)
        pooled = numbers * len(numbers)
        excess[rows] = _binomial_excess((shrunk[rows] * pooled + 0.5) / (pooled + 1), numbers)
    return excess


def _binomial_excess(chances: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """E[max_m Binomial(n_m, p_m) / n_m] - max_m p_m for ``chances`` p [N, M] and ``numbers`` n [M], exactly."""
    from scipy.special import bdtr  # half a second to import, which ranking by uncertainty alone can do without

    support = np.unique(np.concatenate([np.arange(n + 1) / n for n in numbers]))
    below = np.ones((len(chances), len(support) - 1))
    for p, n in zip(chances.T, numbers, strict=True):
        below *= bdtr(np.floor(support[:-1] * n + _EXACT), int(n), p[:, None])
    return np.asarray(support[-1] - below @ np.diff(support) - chances.max(axis=1))


def expected_excess(
    estimates: NDArray[np.float64], errors: NDArray[np.float64], *, points: int = 1001
) -> NDArray[np.float64]:
    """By how much the maximum of noisy arms is expected to exceed the maximum of their means [N].

    The parametric bootstrap of the maximum: with x_m the ``estimates`` [N, M], s_m their ``errors`` [N, M]
    (NaN counts as 0) and independent standard normal z_m,

        excess = E[max_m (x_m + s_m z_m)] - max_m x_m  >= 0,

    the bootstrap estimate of the bias of the maximum (Efron and Tibshirani 1993, ch. 10). The expectation is not drawn
    but integrated, E[max] = b - integral_a^b prod_m Phi((t - x_m) / s_m) dt, with [a, b] eight standard errors beyond
    the extremes and ``points`` nodes, so the result carries no seed and no Monte Carlo error.
    """
    from scipy.special import ndtr

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
    # below the grid the distribution function is (numerically) zero: the best arm alone is 8 errors away or exact
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
