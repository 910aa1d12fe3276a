"""Changes in success of several runs on parts of a panel, and sums and differences of them, all from one set of draws.

An *entry* is ``sum_m sign_m * mean success of run m`` over some slots, divided by their number: a cell of the transfer
matrix is run minus base on one quadrant. Games are drawn whole and once for all entries, and the training seeds of a
run once for all entries it is part of, so sums and differences of entries keep their dependence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from teachable import stats
from teachable.evaluation.outcomes import Flags, Floats, Outcomes
from teachable.evaluation.resampling import Games, Ints, Spread, detectable, divide, game_variance, seed_share


@dataclass(frozen=True, slots=True)
class Entry:
    """``signs[run]`` is ``[N]``: with which sign (1, -1 or 0) the run's success counts in each slot; ``mask[N]``
    are the slots over which the mean goes."""

    signs: Mapping[str, Floats]
    mask: Flags

    @classmethod
    def change(cls, model: str, reference: str, mask: Flags) -> Entry:
        """Success of ``model`` minus ``reference`` on the slots of ``mask``."""
        ones = np.ones(len(mask))
        return cls({model: ones, reference: -ones}, mask)


@dataclass(frozen=True, slots=True)
class Entries:
    """K estimates with what is needed to combine them; an entry without any slot is NaN."""

    games: Games
    point: Floats  # [K]
    draws: Floats  # [R, K], of games alone
    parts: Floats  # [G, K], each game's share of an entry; they sum to it
    influence: Floats  # [G, K], each game's share of its error
    by_seed: Mapping[str, Floats]  # run -> [S, G, K], its part of an entry under each training seed
    moved: Mapping[str, Floats]  # run -> [R, K], what drawing its training seeds adds
    present: Floats  # [G, K], slots of each game

    @classmethod
    def of(cls, outcomes: Outcomes, games: Games, entries: Sequence[Entry]) -> Entries:
        """Measure ``entries`` on the success of ``outcomes``.

        A slot counts where every run of the entry has an outcome under all of its training seeds.
        """
        success, there = outcomes.top["success"], outcomes.present()
        kept = []
        for entry in entries:
            used = [there[:, outcomes.column(model)] for model in entry.signs]
            kept.append(entry.mask & np.all(used, axis=0))
        sizes = games.sums(np.stack(kept, axis=1).astype(np.float64))
        total = sizes.sum(0)
        mean = np.zeros_like(sizes)
        drawn_sizes = games.weights @ sizes
        by_seed: dict[str, Floats] = {}
        moved: dict[str, Floats] = {}
        for model in sorted({name for entry in entries for name in entry.signs}):
            column = outcomes.column(model)
            count = outcomes.seeds[column]
            signs = np.stack(
                [np.where(k, e.signs.get(model, 0.0), 0.0) for e, k in zip(entries, kept, strict=True)], axis=1
            )
            sums = np.stack([games.sums(signs * np.nan_to_num(success[s, :, column])[:, None]) for s in range(count)])
            mean += sums.mean(0)
            if count > 1:
                weights = games.seed_weights(model, count) - 1 / count
                drawn = sum((weights[:, [s]] * (games.weights @ sums[s]) for s in range(count)), np.zeros(1))
                moved[model] = divide(drawn, drawn_sizes)
                by_seed[model] = divide(sums, total)
        point = divide(mean.sum(0), total)
        return cls(
            games,
            point,
            divide(games.weights @ mean, drawn_sizes),
            divide(mean, total),
            divide(mean - np.nan_to_num(point) * sizes, total),
            by_seed,
            moved,
            sizes,
        )

    def combine(self, weights: Floats) -> list[tuple[stats.Interval, float, float]]:
        """Interval, p-value and detectable effect of each column of ``weights[K, J]``: sums of entries.

        An entry with weight zero counts nowhere, even where it is not defined.
        """
        used = weights != 0

        def apply(values: Floats) -> Floats:
            """``values[..., K] @ weights`` in which NaN times zero is zero."""
            gone = np.isnan(values)
            total = np.nan_to_num(values) @ weights
            return np.asarray(np.where((gone.astype(np.float64) @ used) > 0, np.nan, total))

        clusters: Ints = ((self.present @ used) > 0).sum(0)
        n = (self.present.sum(0) @ used).astype(np.int64)
        point, influence = apply(self.point), apply(self.influence)
        draws, spreads = apply(self.draws), []
        for model, part in self.by_seed.items():
            own = np.nan_to_num(apply(part))
            kept = seed_share(own)
            draws = draws + kept * apply(self.moved[model])
            spreads.append(kept * (own.sum(1) - own.sum(1).mean(0)))
        spread = Spread.of(spreads, weights.shape[1])
        variance = np.nan_to_num(game_variance(influence, clusters))
        intervals = self.games.intervals(point, draws, clusters, n, spread, variance)
        p_values = self.games.p_values(apply(self.parts), point, variance, clusters, spread)
        effects = detectable(variance, clusters, spread, self.games.settings.level)
        effects = np.where(np.isfinite(point), effects, np.nan)
        return [(one, float(p_values[j]), float(effects[j])) for j, one in enumerate(intervals)]
