"""What changed inside: success from a state, the first action, and what hidden states let a linear probe read.

================== ==================================================================================
metric             meaning
================== ==================================================================================
success_from_state won episodes from failure snapshots
first_action_correct the most probable command is the expert's
expert_prob_shift  probability of the expert's command, model minus base, paired by snapshot
probe_state_accuracy a linear probe on the hidden state names the room, on games it never saw
probe_goal_accuracy the same for the kind of command that is needed next
probe_state_chance, the same when the probe always names the commonest class of its training games:
probe_goal_chance  what an accuracy has to be read against
probe_state_from_base, the same when the probe was fitted on the base student's hidden states of its training games,
probe_goal_from_base and reads this model's: what training left where the base has it. Not of the base itself
================== ==================================================================================

A model's own probe (``accuracy``) is the ceiling of what the base's can read there, chance its floor: own probes hardly
differ between models, for each is fitted anew, while a probe of the base loses what a training moved or overwrote.

Each is given for all snapshots, by quadrant, by ELP bin and by route, as the mean over training seeds; intervals
draw whole games and training seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable import seeds, tables
from teachable.evaluation.bins import ELP_BINS, elp_bins
from teachable.evaluation.errors import EvaluationError
from teachable.evaluation.outcomes import Flags, Floats
from teachable.evaluation.resampling import Games, Resampling
from teachable.terms import BASE, FORMATS, QUADRANTS

FOLDS = 5
AGAINST_BASE = ("expert_prob_shift", "probe_state_from_base", "probe_goal_from_base")
COMPONENTS = 64  # principal components that a probe sees; hidden states are wider than games are many


def mechanistic(
    probes: pl.DataFrame, episodes: pl.DataFrame, labeled: pl.DataFrame, settings: Resampling, *, seed: int
) -> pl.DataFrame:
    """``MECHANISTIC`` rows of every model in ``probes`` (PROBES) and ``episodes`` (EPISODES of the failure
    panel); none where no snapshot is held out.

    Raises :class:`EvaluationError` without the base, or when models were probed at different snapshots.
    """
    if probes.is_empty():
        return tables.empty(tables.MECHANISTIC)
    models = sorted(probes["model"].unique(), key=lambda name: (name != BASE, name))
    if BASE not in models:
        raise EvaluationError("The base student's probes are missing: the shift of probabilities is against it.")
    groups = snapshot_groups(labeled)
    rows = _success(episodes, groups, settings, seed)
    base = probes.filter(pl.col("model") == BASE).sort("snapshot_id")
    for model in models:
        trainings = []
        for part in probes.filter(pl.col("model") == model).partition_by("train_seed"):
            part = part.sort("snapshot_id")
            if part["snapshot_id"].to_list() != base["snapshot_id"].to_list():
                raise EvaluationError(f"Model {model!r} was probed at other snapshots than the base.")
            trainings.append(_decision_values(part, base, seed))
        names = [name for name in trainings[0] if model != BASE or name not in AGAINST_BASE]
        values = np.stack([np.stack([one[name] for name in names], axis=1) for one in trainings])
        where = base["snapshot_id"].to_list(), base["task_id"].to_list()
        rows += _grouped(model, names, values, *where, groups, settings, seed)
    frame = pl.DataFrame(rows, schema=dict(tables.MECHANISTIC))
    return frame.sort("model", "by", "metric", "group", maintain_order=True)


def snapshot_groups(labeled: pl.DataFrame) -> dict[tuple[str, str], set[str]]:
    """Snapshots by (``by``, ``group``): all, every quadrant, ELP bin and route."""
    bins = elp_bins(labeled)
    ids = labeled["snapshot_id"].to_list()
    groups: dict[tuple[str, str], set[str]] = {("all", "all"): set(ids)}
    for by, order, values in (
        ("quadrant", QUADRANTS, labeled["quadrant"].to_list()),
        ("elp_bin", ELP_BINS, [bins.get(snapshot_id) for snapshot_id in ids]),
        ("route", FORMATS, labeled["route"].to_list()),
    ):
        for group in order:
            groups[by, group] = {s for s, value in zip(ids, values, strict=True) if value == group}
    return groups


def _success(
    episodes: pl.DataFrame, groups: Mapping[tuple[str, str], set[str]], settings: Resampling, seed: int
) -> list[dict[str, Any]]:
    """Share of won failure-panel episodes of each model, mean over a snapshot's episodes first."""
    played = episodes.filter(
        (pl.col("panel") == "failure") & (pl.col("behaviour") == "student") & pl.col("success").is_not_null()
    )
    if played.is_empty():
        return []
    means = played.group_by("model", "train_seed", "task_id", "snapshot_id").agg(
        pl.col("success").cast(pl.Float64).mean()
    )
    starts = means.select("task_id", "snapshot_id").unique().sort("snapshot_id")
    rows: list[dict[str, Any]] = []
    for model in sorted(means["model"].unique(), key=lambda name: (name != BASE, name)):
        trainings = means.filter(pl.col("model") == model).partition_by("train_seed")
        trainings.sort(key=lambda part: part["train_seed"][0] or 0)
        values = np.stack(
            [
                starts.join(part, on=["task_id", "snapshot_id"], how="left", maintain_order="left")["success"]
                .fill_null(np.nan)
                .to_numpy()[:, None]
                for part in trainings
            ]
        )
        where = starts["snapshot_id"].to_list(), starts["task_id"].to_list()
        rows += _grouped(model, ["success_from_state"], values, *where, groups, settings, seed)
    return rows


def _grouped(
    model: str,
    names: Sequence[str],
    values: Floats,
    snapshot_ids: Sequence[str],
    games: Sequence[str],
    groups: Mapping[tuple[str, str], set[str]],
    settings: Resampling,
    seed: int,
) -> list[dict[str, Any]]:
    """Means of the metrics ``values[S, N, C]`` of a model with S training seeds in every group; NaN is left out."""
    rows: list[dict[str, Any]] = []
    for (by, group), members in groups.items():
        mask: Flags = np.array([snapshot_id in members for snapshot_id in snapshot_ids], dtype=np.bool_)
        if not mask.any():
            continue
        here = [game for game, inside in zip(games, mask, strict=True) if inside]
        drawn = Games.draw(here, seeds.integer(seed, "mechanistic", by, group), settings)
        inside = values[:, mask]
        ones = np.where(np.isnan(inside), np.nan, 1.0)
        for metric, interval in zip(names, drawn.ratios(inside, ones, model=model, count=len(values)), strict=True):
            if interval.n:
                rows.append({"model": model, "by": by, "group": group, "metric": metric, **interval.row()})
    return rows


def _decision_values(part: pl.DataFrame, base: pl.DataFrame, seed: int) -> dict[str, Floats]:
    """Columns ``[N]`` of every metric of one model, NaN where it is not defined."""
    known = part["expert_action"].is_not_null().to_numpy()
    correct = (part["top_action"] == part["expert_action"]).fill_null(False).to_numpy().astype(np.float64)
    probability = part["expert_probability"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    before = base["expert_probability"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    hidden, unchanged = (np.array(rows["hidden"].to_list(), dtype=np.float64) for rows in (part, base))
    games = part["task_id"].to_list()
    values = {
        "first_action_correct": np.where(known, correct, np.nan),
        "expert_prob_shift": probability - before,
    }
    for name in ("state", "goal"):
        accuracy, chance = linear_probe(hidden, part[name].to_list(), games, seed=seed)
        values[f"probe_{name}_accuracy"] = accuracy
        values[f"probe_{name}_chance"] = chance
        values[f"probe_{name}_from_base"], _ = linear_probe(
            unchanged, part[name].to_list(), games, read=hidden, seed=seed
        )
    return values


def linear_probe(
    hidden: Floats, labels: Sequence[str | None], games: Sequence[str], *, read: Floats | None = None, seed: int
) -> tuple[Floats, Floats]:
    """Whether a linear probe, and the commonest class, name each label right (``[N]``: 1, 0, or NaN where unknown).

    Multinomial logistic regression on standardised principal components of ``hidden[N, H]`` (Alain & Bengio
    2017), cross-validated by game: a game's snapshots are only ever judged by a probe that saw none of it.
    ``read[N, H]``: fitted on ``hidden``, the probe is judged by what it reads here, at the same snapshots; None:
    there, too. With fewer than two games nothing is known: all NaN.

    Raises :class:`EvaluationError` when ``read`` has another shape than ``hidden``.
    """
    read = hidden if read is None else read
    if read.shape != hidden.shape:
        raise EvaluationError(f"A probe of hidden states {hidden.shape} cannot read others of shape {read.shape}.")
    right = np.full(len(labels), np.nan)
    chance = np.full(len(labels), np.nan)
    rows = np.array([i for i, label in enumerate(labels) if label is not None], dtype=np.int64)
    names = sorted({games[i] for i in rows})
    if len(names) < 2:
        return right, chance
    order = seeds.stream(seed, "linear probe").permutation(len(names))
    fold_of = {names[int(game)]: index % FOLDS for index, game in enumerate(order)}
    folds = np.array([fold_of[games[i]] for i in rows])
    truth = np.array([str(labels[i]) for i in rows])
    for fold in sorted(set(folds.tolist())):
        train, test = folds != fold, folds == fold
        counts = Counter(truth[train].tolist())
        commonest = min(counts, key=lambda label: (-counts[label], label))
        chance[rows[test]] = truth[test] == commonest
        right[rows[test]] = truth[test] == _predict(hidden[rows[train]], truth[train], read[rows[test]])
    return right, chance


def _predict(train: Floats, labels: NDArray[np.str_], test: Floats) -> NDArray[np.str_]:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(set(labels.tolist())) < 2:
        return np.full(len(test), labels[0])
    components = min(COMPONENTS, len(train) - 1, train.shape[1])
    probe = make_pipeline(StandardScaler(), PCA(components, svd_solver="full"), LogisticRegression(max_iter=1000))
    predicted: NDArray[np.str_] = probe.fit(train, labels).predict(test)
    return predicted
