"""Bootstrap over games and training seeds, and tests, of many ratios at once.

Two things are sampled: the games that a model is judged on, and the seeds it was trained under. A statistic is the mean
over training seeds. A draw takes whole games with replacement, the same for all models, crossed with training seeds
drawn with replacement for each model by itself (the pigeonhole bootstrap, Owen 2007, "The pigeonhole bootstrap", Annals
of Applied Statistics 1). Seeds are few, and a plain bootstrap of S of them has only (S-1)/S of the variance; so the
weight of a seed drawn ``count`` times is rescaled to ``1/S + sqrt(S / (S-1)) * (count/S - 1/S)`` (Rao & Wu 1988,
"Resampling inference with complex survey data", JASA 83). The weights of a model sum to one; with one seed its weight
is one, and what is said then holds for that training only.

Crossing both counts the noise of single episodes (games x seeds) once with the games and again with the seeds
(Owen 2007, theorem 3): with no difference between trainings at all such intervals cover 99.8 %. The deviation
of the seeds is therefore scaled down, by ``sqrt(1 - interaction / seeds)``, to the variance that is left when
the interaction is taken out of it (inclusion and exclusion for two-way clusters, Cameron, Gelbach & Miller 2011,
"Robust inference with multiway clustering", JBES 29), and to none where nothing is left. With few games or
seeds the variance is itself uncertain, and percentiles are taken at tails widened to those of Student's t with the
Welch-Satterthwaite degrees of freedom of games and seeds together (Hesterberg 2015, section 3.2:
``stats.expanded_tails``). With one seed a model these are the expanded intervals of ``teachable.stats``.
docs/statistics.md has the coverage, by simulation.

Standard errors, and with them p-values and minimum detectable effects, add the linearised variance over games
and that over training seeds. The p-value is that of a sign-flip test over games where one seed was trained;
with more, the larger of that and of the t test with both parts of the variance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats as distributions

from teachable import seeds, stats
from teachable.stats.paired import EXACT_CLUSTERS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: named as in the stored columns."""

    level: float = 0.95
    repetitions: int = stats.REPETITIONS

    def method(self, trained: int = 1) -> str:
        """The name stored with an interval: ``trained`` is the number of training seeds of its models."""
        if trained > 1:
            return f"games_and_{trained}_seeds_bootstrap_{self.level * 100:g}"
        return f"cluster_bootstrap_expanded_{self.level * 100:g}"


@dataclass(frozen=True, slots=True)
class Spread:
    """Variance of C estimates over training seeds, with its degrees of freedom (infinite without any)."""

    variance: Floats  # [C]
    degrees: Floats  # [C]
    trained: int  # the most training seeds of any model behind them

    @classmethod
    def of(cls, parts: Sequence[Floats], width: int) -> Spread:
        """From each model's estimates ``[S, C]`` under its seeds; models are independent.

        ``sum_s (x_s - mean)^2 / (S (S-1))`` a model, summed; degrees of freedom by Welch (1947) and
        Satterthwaite (1946).
        """
        variance, squares = np.zeros(width), np.zeros(width)
        for part in parts:
            count = len(part)
            if count > 1:
                own = ((part - part.mean(0)) ** 2).sum(0) / (count * (count - 1))
                variance += own
                squares += own**2 / (count - 1)
        degrees = np.full(width, math.inf)
        np.divide(variance**2, squares, out=degrees, where=squares > 0)
        return cls(variance, degrees, max((len(part) for part in parts), default=1))


@dataclass(frozen=True, slots=True)
class Games:
    """The games of N slots, and draws of whole games with replacement."""

    codes: Ints  # [N]
    count: int  # G
    weights: Floats  # [R, G]
    seed: int
    settings: Resampling

    @classmethod
    def draw(cls, games: Sequence[str], seed: int, settings: Resampling) -> Games:
        """Draw ``settings.repetitions`` samples of the games in ``games[N]``."""
        codes, count = stats.cluster_codes(np.asarray(games, dtype=object), len(games))
        weights = np.concatenate(list(stats.cluster_draws(count, settings.repetitions, seed)))
        return cls(codes, count, weights, seed, settings)

    def seed_weights(self, model: str, count: int) -> Floats:
        """Rescaled weights ``[R, S]`` of the ``count`` training seeds of ``model`` (see the module's opening)."""
        if count == 1:
            return np.ones((len(self.weights), 1))
        generator = seeds.stream(self.seed, "training seeds", model)
        drawn = generator.multinomial(count, np.full(count, 1 / count), size=len(self.weights))
        return 1 / count + math.sqrt(count / (count - 1)) * (drawn - 1) / count

    def sums(self, values: Floats) -> Floats:
        """Sums ``[G, C]`` over the slots of each game of ``values[N, C]``; NaN counts as nothing."""
        order = np.argsort(self.codes, kind="stable")
        starts = np.searchsorted(self.codes[order], np.arange(self.count))
        return np.asarray(np.add.reduceat(np.nan_to_num(values[order]), starts, axis=0))

    def present(self, present: NDArray[np.bool_]) -> Ints:
        """Games with at least one slot of ``present[N, C]``, of each column."""
        return np.asarray((self.sums(present.astype(np.float64)) > 0).sum(axis=0), dtype=np.int64)

    def intervals(
        self, point: Floats, draws: Floats, clusters: Ints, n: Ints, spread: Spread, games: Floats
    ) -> list[stats.Interval]:
        """Expanded percentile intervals of ``draws[R, C]`` around ``point[C]``.

        ``spread`` is the part of the training seeds and ``games[C]`` the variance over games. Bounds are NaN
        where a column has fewer than two games or fewer than half of its draws are defined.
        """
        known = np.isfinite(draws).sum(axis=0)
        usable = (clusters >= 2) & np.isfinite(point) & (known >= self.settings.repetitions / 2)
        total, count = games + spread.variance, np.maximum(clusters, 2)
        # Draws of games have only (G-1)/G of the variance; those of seeds are rescaled already.
        ratio = np.ones(len(point))
        np.divide(total, total - games / count, out=ratio, where=total > 0)
        tails = stats.expanded_tails(self.settings.level, _degrees(games, spread, count), ratio)
        bounds = np.where(usable, _quantiles(draws, tails), math.nan)
        method = self.settings.method(spread.trained)
        return [
            stats.Interval(
                float(point[c]),
                float(bounds[0, c]),
                float(bounds[1, c]),
                method,
                int(known[c]) if usable[c] else 0,
                self.seed,
                int(clusters[c]),
                int(n[c]),
            )
            for c in range(draws.shape[1])
        ]

    def ratios(self, top: Floats, bottom: Floats, *, model: str = "", count: int = 1) -> list[stats.Interval]:
        """Intervals of ``sum(top) / sum(bottom)`` of one model, pooled over its training seeds.

        ``top`` and ``bottom`` are ``[N, C]``, or ``[S, N, C]`` of ``count`` training seeds; NaN slots are left out.
        """
        tops, bottoms = (values[None] if values.ndim == 2 else values[:count] for values in (top, bottom))
        side = _Side.of(self, tops, bottoms, self.seed_weights(model, len(tops)))
        present = ~(np.isnan(tops) | np.isnan(bottoms))
        spread = Spread.of([side.by_seed], tops.shape[2])
        clusters = self.present(np.asarray(present.any(axis=0), dtype=np.bool_))
        return self.intervals(
            side.point, side.draws, clusters, present.sum(axis=(0, 1)), spread, game_variance(side.influence, clusters)
        )

    def differences(
        self,
        a: tuple[Floats, Floats],
        b: tuple[Floats, Floats],
        models: Sequence[tuple[str, str]],
        count: Mapping[str, int],
    ) -> list[tuple[stats.Interval, float, float]]:
        """Paired ``ratio(a) - ratio(b)`` of C columns: interval, p-value, minimum detectable effect.

        Each side is (top, bottom) ``[S, N, C]``; ``models`` names the two models of each column, ``count`` the
        training seeds of each model. Only slots that both sides have under all of their seeds count; ``n`` is
        their number. The sign-flip test (``stats.sign_flip_test``) takes each game's part in the difference at
        the pooled ratio; for equal numbers of episodes that is the difference of the game's sums itself.
        """
        result: list[tuple[stats.Interval, float, float]] = [(None, 0.0, 0.0)] * len(models)  # type: ignore[list-item]
        groups: dict[tuple[int, int], list[int]] = {}
        for column, pair in enumerate(models):
            groups.setdefault((count[pair[0]], count[pair[1]]), []).append(column)
        for (size_a, size_b), columns in groups.items():
            sides = [[v[:size][:, :, columns] for v in side] for side, size in ((a, size_a), (b, size_b))]
            both = ~np.any([np.isnan(v).any(axis=0) for side in sides for v in side], axis=0)
            left, right = (
                _Side.of(
                    self,
                    np.where(both, top, np.nan),
                    np.where(both, bottom, np.nan),
                    np.stack([self.seed_weights(models[c][at], size) for c in columns], axis=2),
                )
                for at, ((top, bottom), size) in enumerate(zip(sides, (size_a, size_b), strict=True))
            )
            clusters = self.present(np.asarray(both, dtype=np.bool_))
            spread = Spread.of([left.by_seed, right.by_seed], len(columns))
            point = left.point - right.point
            variance = game_variance(left.influence - right.influence, clusters)
            intervals = self.intervals(point, left.draws - right.draws, clusters, both.sum(axis=0), spread, variance)
            pooled = divide(left.tops.sum(0) + right.tops.sum(0), left.bottoms.sum(0) + right.bottoms.sum(0))
            scores = left.parts(pooled) - right.parts(pooled)
            p_values = self.p_values(scores, point, variance, clusters, spread)
            effects = detectable(variance, clusters, spread, self.settings.level)
            for at, column in enumerate(columns):
                result[column] = (intervals[at], float(p_values[at]), float(effects[at]))
        return result

    def p_values(self, scores: Floats, point: Floats, variance: Floats, clusters: Ints, spread: Spread) -> Floats:
        """Two-sided p-values ``[C]``: sign flips of ``scores[G, C]`` over games, and with several training
        seeds not less than the t test whose variance has the part of the seeds."""
        flipped = self.sign_flips(np.nan_to_num(scores))
        if spread.trained > 1:
            degrees = _degrees(variance, spread, clusters)
            error = np.sqrt(variance + spread.variance)
            certain = (error == 0) & (point == 0)
            t = divide(np.abs(point), error)
            tested = 2 * distributions.t.sf(np.where(error > 0, t, math.inf), degrees)
            flipped = np.maximum(flipped, np.where(certain, 1.0, np.nan_to_num(tested)))
        return np.where(np.isfinite(point), flipped, math.nan)

    def sign_flips(self, scores: Floats) -> Floats:
        """Two-sided sign-flip p-values ``[C]`` of ``scores[G, C]``, one number a game whose sum is the effect."""
        repetitions = max(self.settings.repetitions, 1000)
        active = (scores != 0).sum(axis=0)
        result = np.ones(scores.shape[1])
        few = np.flatnonzero((active > 0) & (active <= EXACT_CLUSTERS))
        names = np.arange(self.count)
        for c in few:  # every pattern is enumerated there
            result[c] = stats.sign_flip_test(scores[:, c], names, seed=self.seed)
        many = np.flatnonzero(active > EXACT_CLUSTERS)
        if len(many):
            part = scores[:, many]
            threshold = np.abs(part.sum(axis=0)) - 1e-9 * np.abs(part).sum(axis=0)
            generator = np.random.default_rng(self.seed)
            extreme = np.zeros(len(many), dtype=np.int64)
            block = max(1, (1 << 21) // self.count)
            for start in range(0, repetitions, block):
                shape = (min(block, repetitions - start), self.count)
                signs = 1.0 - 2.0 * generator.integers(0, 2, size=shape)
                extreme += np.count_nonzero(np.abs(signs @ part) >= threshold, axis=0)
            result[many] = (1 + extreme) / (1 + repetitions)
        return result


@dataclass(frozen=True, slots=True)
class _Side:
    """Ratios of one model (or of one model a column), pooled over training seeds."""

    tops: Floats  # [G, C], mean over seeds
    bottoms: Floats
    point: Floats  # [C]
    draws: Floats  # [R, C]
    by_seed: Floats  # [S, C], each seed's deviation from the ratio, linearised, without the games' noise
    influence: Floats  # [G, C], each game's part in the error of the ratio

    @classmethod
    def of(cls, games: Games, top: Floats, bottom: Floats, weights: Floats) -> _Side:
        """From ``[S, N, C]`` values and seeds' weights ``[R, S]``, or ``[R, S, C]`` by column."""
        missing = np.isnan(top) | np.isnan(bottom)
        tops = np.stack([games.sums(np.where(gone, np.nan, one)) for gone, one in zip(missing, top, strict=True)])
        bottoms = np.stack([games.sums(np.where(gone, np.nan, one)) for gone, one in zip(missing, bottom, strict=True)])
        weights = weights[:, :, None] if weights.ndim == 2 else weights
        mean_top, mean_bottom = tops.mean(0), bottoms.mean(0)
        size = mean_bottom.sum(0)
        point = divide(mean_top.sum(0), size)
        linear = divide(tops - point * bottoms, size)  # [S, G, C]: parts of each game and seed
        kept = seed_share(linear)
        drawn_top, drawn_bottom = games.weights @ mean_top, games.weights @ mean_bottom
        for s in range(len(tops) if len(tops) > 1 else 0):
            moved = kept * (weights[:, s] - 1 / len(tops))
            drawn_top = drawn_top + moved * (games.weights @ tops[s])
            drawn_bottom = drawn_bottom + moved * (games.weights @ bottoms[s])
        by_seed = kept * linear.sum(1)
        return cls(mean_top, mean_bottom, point, divide(drawn_top, drawn_bottom), by_seed, linear.mean(0))

    def parts(self, ratio: Floats) -> Floats:
        """Each game's deviation ``[G, C]`` from ``ratio``."""
        return divide(self.tops - ratio * self.bottoms, self.bottoms.sum(0))


def seed_share(parts: Floats) -> Floats:
    """By what ``[C]`` deviations of training seeds are scaled: what of their spread the games do not explain.

    ``parts[S, G, C]`` is each seed's and game's part in an estimate. See the module's opening.
    """
    count, games = parts.shape[:2]
    if count == 1:
        return np.ones(parts.shape[2])
    deviation = parts.sum(1) - parts.sum(1).mean(0)
    rest = parts - parts.mean(0) - deviation[:, None] / games
    interaction = (rest**2).sum((0, 1)) * games / max(games - 1, 1)
    return np.sqrt(np.clip(1 - np.nan_to_num(divide(interaction, (deviation**2).sum(0)), nan=1.0), 0.0, 1.0))


def _quantiles(draws: Floats, tails: Floats) -> Floats:
    """Quantiles ``[2, C]`` of each column of ``draws[R, C]`` at its own ``tails[2, C]`` (linear interpolation);
    draws that are not defined count not."""
    ranked = np.sort(np.where(np.isfinite(draws), draws, math.nan), axis=0)  # NaN comes last
    place = tails * np.maximum(np.isfinite(draws).sum(axis=0) - 1, 0)
    below = np.floor(place).astype(np.int64)
    above = np.ceil(place).astype(np.int64)
    low, high = np.take_along_axis(ranked, below, axis=0), np.take_along_axis(ranked, above, axis=0)
    return np.asarray(low + (place - below) * (high - low), dtype=np.float64)


def divide(top: Floats, bottom: Floats) -> Floats:
    """``top / bottom``, NaN where the bottom is 0."""
    shape = np.broadcast_shapes(np.shape(top), np.shape(bottom))
    result: Floats = np.full(shape, math.nan)
    np.divide(top, bottom, out=result, where=np.broadcast_to(bottom != 0, shape))
    return result


def detectable(variance: Floats, clusters: Ints, spread: Spread, level: float) -> Floats:
    """The minimum detectable effects ``[C]`` at 80 % power, from the variance over games and training seeds."""
    error = np.sqrt(variance + spread.variance)
    degrees = _degrees(variance, spread, clusters)
    known = (clusters >= 2) & np.isfinite(error)
    return np.array(
        [
            stats.minimum_detectable_effect(float(e), float(d) + 1, alpha=1 - level) if ok else math.nan
            for e, d, ok in zip(error, degrees, known, strict=True)
        ]
    )


def game_variance(influence: Floats, clusters: Ints) -> Floats:
    """The cluster-robust variance ``[C]`` of estimates from each game's influence ``[G, C]``."""
    factor = divide(clusters.astype(np.float64), clusters.astype(np.float64) - 1.0)
    return np.asarray(factor * (influence**2).sum(axis=0), dtype=np.float64)


def _degrees(games: Floats, spread: Spread, clusters: Ints) -> Floats:
    """Welch-Satterthwaite degrees of freedom of the sum of both variances."""
    squares = np.where(np.isfinite(spread.degrees), spread.variance**2 / spread.degrees, 0.0)
    squares = squares + games**2 / np.maximum(clusters - 1.0, 1.0)
    degrees = np.full(len(games), math.inf)
    np.divide((games + spread.variance) ** 2, squares, out=degrees, where=squares > 0)
    return degrees


def finite_or_none(value: float) -> float | None:
    """NaN and infinities as null, for a table."""
    return value if math.isfinite(value) else None
