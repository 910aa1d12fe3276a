"""What training on one quadrant does to the others, and whether the form of supervision should fit the quadrant.

All read the failure panel only. ``D[i, f, j]`` is the mean paired change in success (run ``Qi_f`` minus
base) from held-out snapshots of quadrant j, mean over training seeds. A run that was not trained or a quadrant
without a held-out snapshot leaves its entries null, with the reason as their ``method``; everything that does
not need them stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from teachable import seeds, stats, tables
from teachable.evaluation.contrasts import contrast_row
from teachable.evaluation.entries import Entries, Entry
from teachable.evaluation.outcomes import Flags, Floats, Outcomes
from teachable.evaluation.resampling import Games, Ints, Resampling
from teachable.terms import BASE, EVERYTHING, FORMATS, QUADRANTS, REPLAY_ONLY, UNIFORM, cell_name, cells

DIAGONAL = "transfer_diagonal_minus_off"
PERMUTED = "transfer_diagonal_permutation"
BEST_FORMAT = "best_format-vs-demo"
GAIN = "gain_Q1_minus_Q3"
_PLACE = ("failure", "all", "success")
Row = dict[str, Any]


def transfer(outcomes: Outcomes, settings: Resampling, *, seed: int) -> tuple[pl.DataFrame, list[Row]]:
    """``TRANSFER`` rows (each format and their mean, ``format == "mean"``) and ``CONTRASTS`` rows of H4.

    The contrast is the mean of the diagonal minus the mean of the twelve entries off it: over the mean of
    formats (prespecified) and for each format alone (``transfer_diagonal_minus_off_<format>``). Where a
    quadrant is missing on either side it is null, and ``transfer_diagonal_minus_off_of_<quadrants>`` says it
    of those there are, two at least. :func:`permutation` adds the null.
    """
    masks = quadrant_masks(outcomes)
    entries: list[Entry] = []
    place: dict[tuple[str, str, str], int] = {}
    reasons: dict[tuple[str, str, str], str] = {}
    for trained in QUADRANTS:
        for format_ in FORMATS:
            for tested in QUADRANTS:
                reason = lacking(outcomes, [cell_name(trained, format_)], [tested])
                if reason:
                    reasons[trained, format_, tested] = reason
                    continue
                place[trained, format_, tested] = len(entries)
                entries.append(Entry.change(cell_name(trained, format_), BASE, masks[tested]))
    games = Games.draw(outcomes.games, seeds.integer(seed, "transfer"), settings)
    known = Entries.of(outcomes, games, entries) if entries else None
    rows: list[Row] = []
    weights, keys = [], []
    for name, formats in (*((f, (f,)) for f in FORMATS), ("mean", FORMATS)):
        for trained in QUADRANTS:
            for tested in QUADRANTS:
                asked = [(trained, f, tested) for f in formats]
                gone = [reasons[key] for key in asked if key in reasons]
                key = {"trained_on": trained, "format": name, "evaluated_on": tested}
                if gone:
                    rows.append(key | undefined(gone[0]))
                else:
                    weights.append(_weights(len(entries), [(place[k], 1 / len(asked)) for k in asked]))
                    keys.append(len(rows))
                    rows.append(key)
    if known is not None:
        for at, (interval, _, _) in zip(keys, known.combine(np.stack(weights, axis=1)), strict=True):
            rows[at] |= interval.row()
    contrasts = []
    for name, formats in (("mean", FORMATS), *((f, (f,)) for f in FORMATS)):
        label = DIAGONAL if name == "mean" else f"{DIAGONAL}_{name}"

        def there(quadrants: Sequence[str], formats: Sequence[str] = formats) -> bool:
            return all((i, f, j) in place for i in quadrants for f in formats for j in quadrants)

        complete = [q for q in QUADRANTS if there([q])]
        if known is not None and there(QUADRANTS):
            contrasts.append(_diagonal(known, place, QUADRANTS, formats, label, prespecified=name == "mean"))
            continue
        reason = next(r for (_, f, _), r in reasons.items() if f in formats)
        contrasts.append(undefined_contrast(label, "H4", ("diagonal", "off_diagonal"), "all", reason, name == "mean"))
        if known is not None and len(complete) > 1 and there(complete):
            partial = f"{label}_of_{'_'.join(complete)}"
            contrasts.append(_diagonal(known, place, complete, formats, partial, prespecified=False))
    contrasts.append(permutation(outcomes, settings, seed=seed))
    return pl.DataFrame(rows, schema=dict(tables.TRANSFER)), contrasts


def _diagonal(
    known: Entries,
    place: dict[tuple[str, str, str], int],
    quadrants: Sequence[str],
    formats: Sequence[str],
    label: str,
    *,
    prespecified: bool,
) -> Row:
    cells_ = [(place[i, f, j], w / len(formats)) for (i, j), w in _diagonal_weights(quadrants).items() for f in formats]
    ((interval, p_value, mde),) = known.combine(_weights(len(known.point), cells_)[:, None])
    names = ("diagonal", "off_diagonal")
    return contrast_row(label, "H4", names, _PLACE, interval, p_value, mde, prespecified=prespecified)


def _diagonal_weights(quadrants: Sequence[str]) -> dict[tuple[str, str], float]:
    """Mean of the diagonal minus mean of the rest."""
    count = len(quadrants)
    return {(i, j): 1 / count if i == j else -1 / (count * (count - 1)) for i in quadrants for j in quadrants}


def permutation(outcomes: Outcomes, settings: Resampling, *, seed: int) -> Row:
    """The null of the diagonal: the same matrix when the quadrants of held-out snapshots carry no meaning.

    Labels are permuted over the snapshots of the same panel, the trained models and their training sets stay
    as they are: it tests whether runs gain most on the quadrant that they were trained on, not how different
    the training sets are. What is the same for a whole row (a run that teaches more) or column (a quadrant
    that is easier) cancels in the statistic. Snapshots of a game are alike, so the labels of a game stay
    together: they are shuffled within it and exchanged as a block with those of games with as many snapshots
    (Winkler et al. 2015, "Multi-level block permutation", NeuroImage 123).

    The ``CONTRASTS`` row holds the null itself: ``point`` its mean, ``low`` and ``high`` the range of
    ``settings.level`` of the permuted diagonals, and the two-sided ``p_value`` of the observed one, ``(1 + as
    extreme) / (1 + permutations)``, over the quadrants there are (``model``).
    """
    quadrants = [q for q in QUADRANTS if not lacking(outcomes, [cell_name(q, f) for f in FORMATS], [q])]
    names = ("diagonal", "permuted_labels")
    if len(quadrants) < 2:
        return undefined_contrast(PERMUTED, "H4", names, "all", "fewer than two quadrants can be compared", False)
    runs = [cell_name(q, f) for q in quadrants for f in FORMATS]
    columns = [outcomes.column(name) for name in (BASE, *runs)]
    kept = outcomes.present()[:, columns].all(axis=1) & outcomes.slots["quadrant"].is_in(quadrants).to_numpy()
    success = _seed_mean(outcomes)[kept][:, columns]
    change = (success[:, 1:] - success[:, :1]).reshape(len(success), len(quadrants), len(FORMATS)).mean(2)
    slots = (
        outcomes.slots.filter(pl.Series(kept))
        .select("task_id", "snapshot_id", "quadrant")
        .with_columns(pl.DataFrame(change, schema=[f"_{q}" for q in quadrants]))
    )
    snapshots = (
        slots.group_by("task_id", "snapshot_id", "quadrant")
        .agg(pl.len().alias("_slots"), *(pl.col(f"_{q}").sum() for q in quadrants))
        .sort("task_id", "snapshot_id")
    )
    if set(snapshots["quadrant"]) != set(quadrants):
        return undefined_contrast(
            PERMUTED, "H4", names, "all", "a quadrant has no snapshot that every run played", False
        )
    codes = snapshots["quadrant"].replace_strict({q: k for k, q in enumerate(quadrants)}, return_dtype=pl.Int64)
    sums, sizes = snapshots.select(f"_{q}" for q in quadrants).to_numpy(), snapshots["_slots"].to_numpy()
    weights = np.array(list(_diagonal_weights(quadrants).values())).reshape(len(quadrants), len(quadrants))

    def diagonal(labels: Floats) -> Floats:
        """The statistic for ``labels[B, snapshots]``."""
        total = np.zeros(len(labels))
        for j in range(len(quadrants)):
            inside = (labels == j).astype(np.float64)
            total += ((inside @ sums) / (inside @ sizes)[:, None]) @ weights[:, j]
        return total

    truth = codes.to_numpy()
    generator = seeds.stream(seed, "transfer", "permutation")
    drawn = diagonal(permuted_labels(truth, snapshots["task_id"].to_list(), settings.repetitions, generator))
    observed = float(diagonal(truth[None])[0])
    p_value = (1 + int(np.count_nonzero(np.abs(drawn) >= abs(observed) - 1e-12))) / (1 + len(drawn))
    tails = [(1 - settings.level) / 2, (1 + settings.level) / 2]
    low, high = np.quantile(drawn, tails)
    interval = stats.Interval(
        float(drawn.mean()),
        float(low),
        float(high),
        f"permuted_labels_{settings.level * 100:g}",
        len(drawn),
        seed,
        snapshots["task_id"].n_unique(),
        slots.height,
    )
    missing = "" if len(quadrants) == len(QUADRANTS) else f"_of_{'_'.join(quadrants)}"
    models = (f"diagonal{missing}", "permuted_labels")
    return contrast_row(PERMUTED, "H4", models, _PLACE, interval, p_value, float("nan"), prespecified=False)


def permuted_labels(labels: Any, games: Sequence[str], repetitions: int, generator: np.random.Generator) -> Floats:
    """``labels[N]`` permuted ``[repetitions, N]``: within games, and as blocks between games of the same size."""
    codes, count = stats.cluster_codes(np.asarray(games, dtype=object), len(games))
    members = [np.flatnonzero(codes == game) for game in range(count)]
    result = np.empty((repetitions, len(labels)), dtype=np.asarray(labels).dtype)
    for size in sorted({len(rows) for rows in members}):
        places = np.stack([rows for rows in members if len(rows) == size])  # [games, size]
        blocks = np.broadcast_to(np.asarray(labels)[places], (repetitions, *places.shape))
        order = np.argsort(generator.random((repetitions, len(places))), axis=1)
        moved = np.take_along_axis(blocks, order[:, :, None], axis=1)
        result[:, places.ravel()] = generator.permuted(moved, axis=2).reshape(repetitions, -1)
    return result


def best_format(outcomes: Outcomes, settings: Resampling, *, seed: int) -> list[Row]:
    """``CONTRASTS`` rows of H3: the best format of each quadrant against demonstrations, on its own failure panel.

    Choosing the best of three on the data that then judge it flatters it. So the games are split in two
    halves; the format chosen on one half is judged on the other, and the two are averaged (cross-fitting,
    Chernozhukov et al. 2018). A lucky training is lucky on both halves, so with several trainings each is judged with
    the format that the others chose; with one it is not, and the interval is one of that training. Group ``Qi`` is
    one quadrant, ``all`` the mean over the four (prespecified).
    Where demonstrations are best the difference is 0 by definition. Without one of the quadrants ``all`` is
    null, and ``best_format-vs-demo_of_<quadrants>`` is the mean over those there are.
    """
    masks = quadrant_masks(outcomes)
    games = Games.draw(outcomes.games, seeds.integer(seed, "best format"), settings)
    half = seeds.stream(seed, "best format", "halves").permutation(games.count)[games.codes] % 2
    present = outcomes.present()
    entries: list[Entry] = []
    gains: dict[str, Floats] = {}
    place: dict[str, int] = {}
    reasons: dict[str, str] = {}
    for quadrant in QUADRANTS:
        runs = [cell_name(quadrant, f) for f in FORMATS]
        reason = lacking(outcomes, runs, [quadrant])
        if reason:
            reasons[quadrant] = reason
            continue
        columns = [outcomes.column(run) for run in runs]
        kept = masks[quadrant] & present[:, columns].all(axis=1)
        name = f"{BEST_FORMAT}, {quadrant}"
        gains[name] = _chosen_gain(outcomes, columns, kept, half)
        place[quadrant] = len(entries)
        entries.append(Entry({name: np.ones(len(half))}, kept))
    outcomes = _with_models(outcomes, gains)
    names = ("best_format", "demo")
    groups = {q: [q] for q in QUADRANTS} | {"all": list(QUADRANTS)}
    rows = []
    known = Entries.of(outcomes, games, entries) if entries else None

    def judged(label: str, group: str, quadrants: Sequence[str], known: Entries, *, prespecified: bool) -> Row:
        weights = _weights(len(entries), [(place[q], 1 / len(quadrants)) for q in quadrants])
        ((interval, p_value, mde),) = known.combine(weights[:, None])
        where = ("failure", group, "success")
        return contrast_row(label, "H3", names, where, interval, p_value, mde, prespecified=prespecified)

    for group, quadrants in groups.items():
        gone = [reasons[q] for q in quadrants if q in reasons]
        if known is None or gone:
            rows.append(undefined_contrast(BEST_FORMAT, "H3", names, group, gone[0], group == "all"))
        else:
            rows.append(judged(BEST_FORMAT, group, quadrants, known, prespecified=group == "all"))
    if known is not None and reasons:
        partial = f"{BEST_FORMAT}_of_{'_'.join(place)}"
        rows.append(judged(partial, "all", list(place), known, prespecified=False))
    return rows


def _chosen_gain(outcomes: Outcomes, columns: Sequence[int], kept: Flags, half: Ints) -> Floats:
    """Success of the chosen format minus that of the first, ``[trainings, N]``, NaN outside of ``kept``.

    ``columns`` are the formats' models. Each half of the games is judged with the choice of the other half, and each
    training with that of the other trainings.
    """
    count = min(outcomes.seeds[column] for column in columns)
    success = outcomes.top["success"][:count][:, :, columns]
    gain = np.full(success.shape[:2], np.nan)
    for training in range(count):
        others = np.arange(count) != training if count > 1 else np.ones(1, dtype=np.bool_)
        means = success[others].mean(axis=0)
        for side in (0, 1):
            here = kept & (half == side)
            chosen = _best(means[kept & (half != side)])
            gain[training, here] = success[training, here, chosen] - success[training, here, 0]
    return gain


def _with_models(outcomes: Outcomes, values: Mapping[str, Floats]) -> Outcomes:
    """``outcomes`` with the success of further models, ``[their trainings, N]`` each."""
    if not values:
        return outcomes
    shape = (max(outcomes.seeds), outcomes.slots.height, 1)
    padded = []
    for value in values.values():
        column = np.full(shape, np.nan)
        column[: len(value), :, 0] = value
        padded.append(column)
    top = np.concatenate([outcomes.top["success"], *padded], axis=2)
    bottom = np.concatenate([outcomes.bottom["success"], *(np.where(np.isnan(v), np.nan, 1.0) for v in padded)], axis=2)
    models, trainings = (*outcomes.models, *values), (*outcomes.seeds, *(len(v) for v in values.values()))
    return Outcomes(outcomes.panel, models, trainings, outcomes.slots, {"success": top}, {"success": bottom})


def quadrant_gains(outcomes: Outcomes, settings: Resampling, *, seed: int) -> list[Row]:
    """``CONTRASTS`` rows ``gain_Q1_minus_Q3_<run>``: does training improve success from Q1 more than from Q3?

    The gain on Q1's held-out snapshots minus that on Q3's, of ``B1_uniform``, of ``B2_all``, and of the
    demonstrations of each quadrant on its own (``own``: Q1_demo on Q1, Q3_demo on Q3). A gain is against
    ``C_replay`` where it was trained, else against the base. The columns ``model`` and ``reference`` name the two
    sides of the difference, ``<run> on Q1`` and ``<run> on Q3``.
    """
    masks = quadrant_masks(outcomes)
    reference = REPLAY_ONLY if REPLAY_ONLY in outcomes.models else BASE
    rows = []
    games = Games.draw(outcomes.games, seeds.integer(seed, "quadrant gains"), settings)
    for name, runs in (
        (UNIFORM, (UNIFORM, UNIFORM)),
        (EVERYTHING, (EVERYTHING, EVERYTHING)),
        ("own", (cell_name("Q1", "demo"), cell_name("Q3", "demo"))),
    ):
        label, sides = f"{GAIN}_{name}", (f"{name} on Q1", f"{name} on Q3")
        reason = lacking(outcomes, [*runs, reference], ["Q1", "Q3"])
        if reason:
            rows.append(undefined_contrast(label, "H5", sides, "all", reason, False))
            continue
        pairs = [Entry.change(run, reference, masks[q]) for run, q in zip(runs, ("Q1", "Q3"), strict=True)]
        ((interval, p_value, mde),) = Entries.of(outcomes, games, pairs).combine(np.array([[1.0], [-1.0]]))
        rows.append(contrast_row(label, "H5", sides, _PLACE, interval, p_value, mde, prespecified=False))
    return rows


def has_matrix(outcomes: Outcomes) -> bool:
    """Whether any of the twelve cells played: the failure panel then is that of the matrix."""
    return any(run.name in outcomes.models for run in cells())


def undefined(reason: str) -> Row:
    """The columns of an interval without numbers, with the reason as its method."""
    return dict.fromkeys(tables.INTERVAL) | {"method": f"undefined: {reason}", "repetitions": 0, "clusters": 0, "n": 0}


def undefined_contrast(
    name: str, hypothesis: str, models: tuple[str, str], group: str, reason: str, prespecified: bool
) -> Row:
    """A row of ``CONTRASTS`` that says why there is no number."""
    nothing = stats.Interval(float("nan"), float("nan"), float("nan"), f"undefined: {reason}", 0, None, 0, 0)
    nan = float("nan")
    where = ("failure", group, "success")
    return contrast_row(name, hypothesis, models, where, nothing, nan, nan, prespecified=prespecified)


def lacking(outcomes: Outcomes, runs: Sequence[str], quadrants: Sequence[str]) -> str:
    """Why runs cannot be judged on quadrants: empty when they can."""
    absent = [run for run in (BASE, *runs) if run not in outcomes.models]
    if absent:
        return f"{', '.join(absent)} was not trained or not played"
    there = outcomes.present()[:, [outcomes.column(run) for run in (BASE, *runs)]].all(axis=1)
    masks = quadrant_masks(outcomes)
    empty = [q for q in quadrants if not (masks[q] & there).any()]
    return f"the failure panel has no snapshot in {', '.join(empty)}" if empty else ""


def quadrant_masks(outcomes: Outcomes) -> dict[str, Flags]:
    """``[slots]`` of each quadrant."""
    return {q: (outcomes.slots["quadrant"] == q).fill_null(False).to_numpy() for q in QUADRANTS}


def _seed_mean(outcomes: Outcomes) -> Floats:
    """Success ``[slots, models]``, mean over training seeds; what lacks a seed is NaN."""
    success = np.nansum(outcomes.top["success"], axis=0) / np.asarray(outcomes.seeds)
    return np.asarray(np.where(outcomes.present(), success, np.nan))


def _weights(size: int, places: Sequence[tuple[int, float]]) -> Floats:
    weights = np.zeros(size)
    for at, weight in places:
        weights[at] += weight
    return weights


def _best(values: Floats) -> int:
    """The column with the highest mean; ties, and no data at all, go to the first (demonstrations)."""
    means = values.mean(0) if len(values) else np.zeros(values.shape[1])
    return int(np.argmax(means))
