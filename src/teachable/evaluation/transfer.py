"""What training on one quadrant does to the others, and whether the form of supervision should fit the
quadrant.

Both read the failure panel only. ``D[i, f, j]`` is the mean paired change in success (run ``Qi_f`` minus
base) from held-out snapshots of quadrant j. Games are drawn whole and once for all entries, so sums and
differences of entries keep their dependence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable import seeds, tables
from teachable.evaluation.contrasts import contrast_row
from teachable.evaluation.errors import EvaluationError
from teachable.evaluation.outcomes import Flags, Floats, Outcomes
from teachable.evaluation.resampling import Games, Resampling, detectable, divide
from teachable.training.matrix import BASE, FORMATS, QUADRANTS, cell_name, cells

DIAGONAL = "transfer_diagonal_minus_off"
BEST_FORMAT = "best_format-vs-demo"
_EYE = np.eye(4)
_DIAGONAL_WEIGHTS = _EYE / 4 - (1 - _EYE) / 12  # mean of the diagonal minus mean of the rest


@dataclass(frozen=True, slots=True)
class _Cells:
    """Paired changes of the twelve cells: sums over games ``[G, 4 trained, 3 formats, 4 evaluated]`` and
    sizes."""

    games: Games
    sums: Floats
    sizes: Floats
    clusters: NDArray[np.int64]  # [4, 3, 4]
    n: NDArray[np.int64]  # [4, 3, 4]


def transfer(outcomes: Outcomes, settings: Resampling, *, seed: int) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """``TRANSFER`` rows (each format and their mean, ``format == "mean"``) and ``CONTRASTS`` rows of H4.

    The contrast is the mean of the diagonal minus the mean of the twelve entries off it: over the mean of
    formats (prespecified) and for each format alone (``transfer_diagonal_minus_off_<format>``). Raises
    :class:`EvaluationError` when one of the twelve cells, the base or a quadrant is missing.
    """
    data = _cells(outcomes, settings, seeds.integer(seed, "transfer"))
    games = data.games
    flat = (games.count, -1)
    point = divide(data.sums.sum(0), data.sizes.sum(0))
    draws = divide(games.weights @ data.sums.reshape(flat), games.weights @ data.sizes.reshape(flat))
    draws = draws.reshape(-1, *point.shape)
    # Each game's part in an entry: its change summed, over the size of the entry. Sums to the entry.
    parts = divide(data.sums, data.sizes.sum(0))
    influence = divide(data.sums - point * data.sizes, data.sizes.sum(0))
    rows, contrasts = [], []
    for name, choose in (*((f, [k]) for k, f in enumerate(FORMATS)), ("mean", [0, 1, 2])):
        entry, drawn = point[:, choose].mean(1), draws[:, :, choose].mean(2)
        clusters, n = data.clusters[:, choose].min(1), data.n[:, choose].sum(1)
        intervals = games.intervals(entry.ravel(), drawn.reshape(len(drawn), -1), clusters.ravel(), n.ravel())
        for index, interval in enumerate(intervals):
            trained, evaluated = QUADRANTS[index // 4], QUADRANTS[index % 4]
            rows.append({"trained_on": trained, "format": name, "evaluated_on": evaluated, **interval.row()})
        effect = np.array([(entry * _DIAGONAL_WEIGHTS).sum()])
        (interval,) = games.intervals(
            effect,
            (drawn * _DIAGONAL_WEIGHTS).sum((1, 2))[:, None],
            np.array([games.count]),
            np.array([int(n.sum())]),
        )
        scores = (np.nan_to_num(parts)[:, :, choose].mean(2) * _DIAGONAL_WEIGHTS).sum((1, 2))
        linear = (influence[:, :, choose].mean(2) * _DIAGONAL_WEIGHTS).sum((1, 2))
        contrasts.append(
            contrast_row(
                DIAGONAL if name == "mean" else f"{DIAGONAL}_{name}",
                "H4",
                ("diagonal", "off_diagonal"),
                ("failure", "all", "success"),
                interval,
                float(games.sign_flips(scores[:, None])[0]),
                detectable(linear, games.count, settings.level),
                prespecified=name == "mean",
            )
        )
    return pl.DataFrame(rows, schema=dict(tables.TRANSFER)), contrasts


def best_format(outcomes: Outcomes, settings: Resampling, *, seed: int) -> list[dict[str, Any]]:
    """``CONTRASTS`` rows of H3: the best format of each quadrant against demonstrations, on its own failure
    panel.

    Choosing the best of three on the data that then judge it flatters it. So the games are split in two
    halves; the format chosen on one half is judged on the other, and the two are averaged (cross-fitting,
    Chernozhukov et al. 2018). Group ``Qi`` is one quadrant, ``all`` the mean over the four (prespecified).
    Where demonstrations are best the difference is 0 by definition.
    """
    _require(outcomes)
    success = outcomes.top["success"]
    masks = outcomes.groups()
    names = np.asarray(outcomes.games, dtype=object)
    games = Games.draw(names.tolist(), seeds.integer(seed, "best format"), settings)
    half = seeds.stream(seed, "best format", "halves").permutation(games.count)[games.codes] % 2
    sums, sizes = np.zeros((games.count, 4)), np.zeros((games.count, 4))
    for index, quadrant in enumerate(QUADRANTS):
        columns = [outcomes.column(cell_name(quadrant, f)) for f in FORMATS]
        values = np.where(masks[quadrant][:, None], success[:, columns], np.nan)
        values = np.where(np.isnan(values).any(axis=1, keepdims=True), np.nan, values)
        difference = np.full(len(values), np.nan)
        for side in (0, 1):
            judged, chosen_on = half == side, half != side
            best = _best(values[chosen_on])
            difference[judged] = values[judged, best] - values[judged, 0]
        sums[:, index] = games.sums(difference[:, None])[:, 0]
        sizes[:, index] = games.sums(np.where(np.isnan(difference), np.nan, 1.0)[:, None])[:, 0]
    point = divide(sums.sum(0), sizes.sum(0))
    draws = divide(games.weights @ sums, games.weights @ sizes)
    clusters, n = (sizes > 0).sum(0), sizes.sum(0).astype(np.int64)
    point, draws = np.append(point, point.mean()), np.column_stack([draws, draws.mean(1)])
    intervals = games.intervals(point, draws, np.append(clusters, (sizes.sum(1) > 0).sum()), np.append(n, n.sum()))
    parts = divide(sums, sizes.sum(0))
    parts = np.column_stack([parts, parts.mean(1)])
    linear = divide(sums - point[:4] * sizes, sizes.sum(0))
    linear = np.column_stack([linear, linear.mean(1)])
    p_values = games.sign_flips(np.nan_to_num(parts))
    return [
        contrast_row(
            BEST_FORMAT,
            "H3",
            ("best_format", "demo"),
            ("failure", group, "success"),
            intervals[c],
            float(p_values[c]),
            detectable(linear[:, c], intervals[c].clusters, settings.level),
            prespecified=group == "all",
        )
        for c, group in enumerate((*QUADRANTS, "all"))
    ]


def has_matrix(outcomes: Outcomes) -> bool:
    """Whether any of the twelve cells played; transfer then asks for all of them."""
    return any(run.name in outcomes.models for run in cells())


def _best(values: Floats) -> int:
    """The column with the highest mean; ties, and no data at all, go to the first (demonstrations)."""
    means = [column[~np.isnan(column)].mean() if (~np.isnan(column)).any() else 0.0 for column in values.T]
    return int(np.argmax(means))


def _require(outcomes: Outcomes) -> None:
    missing = [name for name in (BASE, *(run.name for run in cells())) if name not in outcomes.models]
    if missing:
        raise EvaluationError(f"Transfer needs the base and all twelve cells; missing: {', '.join(missing)}.")
    masks: dict[str, Flags] = outcomes.groups()
    empty = [quadrant for quadrant in QUADRANTS if quadrant not in masks]
    if empty:
        raise EvaluationError(
            f"The failure panel has no snapshot in {', '.join(empty)}: label more snapshots or hold out more games."
        )


def _cells(outcomes: Outcomes, settings: Resampling, seed: int) -> _Cells:
    _require(outcomes)
    masks = outcomes.groups()
    success = outcomes.top["success"]
    base = success[:, outcomes.column(BASE)]
    games = Games.draw(outcomes.games, seed, settings)
    change = np.stack([success[:, outcomes.column(run.name)] - base for run in cells()], axis=1)  # [N, 12]
    inside = np.stack([masks[quadrant] for quadrant in QUADRANTS], axis=1)  # [N, 4]
    values = np.where(inside[:, None, :], change[:, :, None], np.nan).reshape(len(change), -1)
    shape = (games.count, 4, 3, 4)
    sums = games.sums(values).reshape(shape)
    sizes = games.sums(np.where(np.isnan(values), np.nan, 1.0)).reshape(shape)
    n = sizes.sum(0).astype(np.int64)
    return _Cells(games, sums, sizes, (sizes > 0).sum(0).astype(np.int64), n)
