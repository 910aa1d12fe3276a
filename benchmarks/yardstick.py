"""How well something scores single steps, against the step values of a study (`teachable export values`).

    python benchmarks/yardstick.py VALUES [--scores FILE ...] [--ranking FILE ...] [--largest-se 0.05] [--out FILE]

VALUES is the exported folder or its Parquet file. Scored on it are

* Monte Carlo labels: n episodes of every command, n = 1 to 7, drawn from the stored values, the mean over --draws sets;
* each file of --scores (CSV or Parquet: snapshot_id, command, score), a process-reward model's, say;
* each file of --ranking: RANKING of `teachable rank`, or `phase4/predictions.parquet` of a study (held-out predictions
  of its predictor). They score snapshots and not commands, so only their order of snapshots is compared.

    within      Spearman of score and value (to .01) among the commands of a snapshot, mean over snapshots
    best        AUC: the chance that the best command has a higher score than another one, mean over snapshots
    regret      value of the best command minus that of the command with the highest score, mean over snapshots
    rmse        root mean square of score minus value, each snapshot as heavy as any other
    brier       expected squared error of the score against an episode's outcome, likewise
    between     Spearman over snapshots of the policy's mean score and mean value; of a ranking: of predicted and true
                L_local = V(expert's command) - mean value, over the commands that are known

Values with a standard error above --largest-se are left out, and then snapshots with fewer than two commands, or whose
values are all alike to .01. Brackets: 95 % cluster bootstrap over games.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import rankdata

from teachable import stats, tables
from teachable.errors import TeachableError
from teachable.seeds import stream
from teachable.tables.exported import STEP_VALUES

EPISODES = range(1, 8)
ALIKE = 0.01  # values closer than this are one value: several commands may be the best
SEED = 1


class Yardstick:
    """The commands whose values are known well enough, by snapshot."""

    def __init__(self, rows: pl.DataFrame, largest_se: float) -> None:
        self.all = rows
        known = rows.filter(pl.col("se") <= largest_se)
        ranked = (
            known.group_by("snapshot_id")
            .agg(pl.len(), (pl.col("value").max() - pl.col("value").min()).alias("spread"))
            .filter((pl.col("len") > 1) & (pl.col("spread") > ALIKE))
        )
        self.rows = known.join(ranked.select("snapshot_id"), on="snapshot_id").sort("snapshot_id", "command")
        if not self.rows.height:
            raise TeachableError(f"no snapshot has two commands with a standard error up to {largest_se}: raise it.")
        self.value = self.rows["value"].to_numpy()
        policy = self.rows["policy"].to_numpy()
        starts = np.flatnonzero(self.rows["snapshot_id"].to_numpy() != np.roll(self.rows["snapshot_id"].to_numpy(), 1))
        self.slices = [slice(a, b) for a, b in zip(starts, [*starts[1:], self.rows.height], strict=True)]
        self.weights = [policy[one] / max(policy[one].sum(), 1e-300) for one in self.slices]
        self.games = self.rows["task_id"].to_numpy()[starts]
        self.mean = self.by_policy(self.value)

    def about(self) -> str:
        share = self.rows["policy"].sum() / len(self.slices)
        return (
            f"{self.rows.height} of {self.all.height} values at {len(self.slices)} of "
            f"{self.all['snapshot_id'].n_unique()} snapshots of {len(set(self.games))} games; there the student takes "
            f"one of these commands {share:.0%} of the time"
        )

    def by_policy(self, score: np.ndarray) -> np.ndarray:
        """The mean of ``score[..., N]`` under the policy, by snapshot."""
        pairs = zip(self.slices, self.weights, strict=True)
        return np.stack([score[..., one] @ weight for one, weight in pairs], axis=-1)


def per_snapshot(truth: np.ndarray, score: np.ndarray) -> dict[str, np.ndarray]:
    """The measures of one snapshot's commands: ``truth[C]``, ``score[D, C]`` of D sets; each a vector [D]."""
    best = truth >= truth.max() - ALIKE
    ranks = rankdata(score, axis=1)
    won, lost = score[:, best], score[:, ~best]
    auc = (won[:, :, None] > lost[:, None, :]) + 0.5 * (won[:, :, None] == lost[:, None, :])
    top = score == score.max(axis=1, keepdims=True)  # a tie is decided by a coin
    error = ((score - truth) ** 2).mean(axis=1)
    return {
        "within": _correlations(ranks, rankdata(np.round(truth / ALIKE))),
        "best": auc.mean(axis=(1, 2)),
        "regret": truth.max() - (top * truth).sum(axis=1) / top.sum(axis=1),
        "rmse": error,
        "brier": error + (truth * (1 - truth)).mean(),
    }


def _correlations(ranks: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Spearman of each row; 0 for a row that says nothing, all its scores being equal."""
    a, b = ranks - ranks.mean(axis=1, keepdims=True), truth - truth.mean()
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum())
    return np.divide(a @ b, scale, out=np.zeros(len(a)), where=scale > 0)


def measure(yard: Yardstick, score: np.ndarray, repetitions: int) -> dict[str, stats.Interval]:
    """Every measure of ``score[D, N]``, the mean over D sets, with its interval."""
    found: dict[str, list[float]] = {}
    for one in yard.slices:
        for name, values in per_snapshot(yard.value[one], score[:, one]).items():
            found.setdefault(name, []).append(float(values.mean()))
    probabilities = score.min() >= 0 and score.max() <= 1
    intervals = {
        name: stats.cluster_bootstrap(values, yard.games, seed=SEED, repetitions=repetitions)
        for name, values in found.items()
        if probabilities or name not in ("rmse", "brier")
    }
    if probabilities:
        intervals["rmse"] = _root(intervals["rmse"])
    intervals["between"] = between(yard.by_policy(score), yard.mean, yard.games, repetitions)
    return intervals


def _root(mean: stats.Interval) -> stats.Interval:
    ends = (math.sqrt(max(0.0, value)) if value == value else value for value in (mean.point, mean.low, mean.high))
    return stats.Interval(*ends, mean.method, mean.repetitions, mean.seed, mean.clusters, mean.n)


def between(score: np.ndarray, truth: np.ndarray, games: np.ndarray, repetitions: int) -> stats.Interval:
    """Spearman over snapshots of ``score[D, S]`` and ``truth[S]``, the mean over D sets."""

    def mean(rows: np.ndarray) -> float:
        ranks = rankdata(rows, axis=0)
        return float(_correlations(ranks[:, 1:].T, ranks[:, 0]).mean())

    if len(score) == 1:
        return stats.correlation(score[0], truth, games, kind="spearman", seed=SEED, repetitions=repetitions)
    return stats.cluster_bootstrap(np.vstack([truth, score]).T, games, mean, seed=SEED, repetitions=repetitions)


def monte_carlo(yard: Yardstick, episodes: int, draws: int) -> np.ndarray:
    """``draws`` sets of labels, each the share of successes in ``episodes`` episodes of every command."""
    random = stream(SEED, "yardstick", episodes)
    return random.binomial(episodes, np.clip(yard.value, 0, 1), size=(draws, len(yard.value))) / episodes


def read_any(path: Path) -> pl.DataFrame:
    try:
        return pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TeachableError(f"{path} is no readable CSV or Parquet file ({str(error).splitlines()[0]}).") from error


def scores_in(path: Path, yard: Yardstick) -> np.ndarray:
    """The file's score of every command of the yardstick; raises TeachableError where one is missing or twice."""
    rows = _with(path, "snapshot_id", "command", "score")
    keyed = rows.select(
        pl.col("snapshot_id", "command").cast(pl.String), pl.col("score").cast(pl.Float64, strict=False)
    )
    if keyed.select("snapshot_id", "command").is_duplicated().any():
        raise TeachableError(f"{path} scores a command of a snapshot twice.")
    joined = yard.rows.select("snapshot_id", "command").join(
        keyed, on=["snapshot_id", "command"], how="left", maintain_order="left"
    )
    missing = joined.filter(pl.col("score").is_null() | pl.col("score").is_nan())
    if missing.height:
        row = missing.row(0, named=True)
        raise TeachableError(
            f"{path} has no score for {missing.height} of {joined.height} commands, first {row['command']!r} at "
            f"{row['snapshot_id']!r}: score all of the exported file."
        )
    return joined["score"].to_numpy()


def _with(path: Path, *columns: str) -> pl.DataFrame:
    rows = read_any(path)
    if missing := [name for name in columns if name not in rows.columns]:
        raise TeachableError(f"{path} lacks the columns {', '.join(missing)}.")
    return rows


def ranking_in(path: Path, yard: Yardstick, repetitions: int) -> dict[str, dict[str, stats.Interval]]:
    """The order of snapshots by predicted L_local against the true one, by method."""
    rows = read_any(path)
    if "method" in rows.columns:
        rows = _with(path, "snapshot_id", "method", "target", "score").filter(target="L_local")
    else:
        rows = _with(path, "snapshot_id", "L_local").select(
            "snapshot_id", pl.lit("ranking").alias("method"), pl.col("L_local").alias("score")
        )
    policy = pl.col("value").dot(pl.col("policy")) / pl.col("policy").sum()
    expert = pl.col("value").filter(pl.col("is_expert")).first()
    truth = yard.rows.group_by("snapshot_id", "task_id").agg((expert - policy).alias("truth")).drop_nulls()
    found = {}
    for (method,), group in rows.drop_nulls("score").group_by("method", maintain_order=True):
        joined = truth.join(group, on="snapshot_id").sort("snapshot_id")
        if joined.height > 2:
            columns = (joined[name].to_numpy() for name in ("score", "truth", "task_id"))
            score, true, games = columns
            found[str(method)] = {"between": between(score[None], true, games, repetitions)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("values", type=Path)
    parser.add_argument("--scores", type=Path, action="append", default=[])
    parser.add_argument("--ranking", type=Path, action="append", default=[])
    parser.add_argument("--largest-se", type=float, default=0.05)
    parser.add_argument("--draws", type=int, default=20, help="sets of Monte Carlo labels (default: %(default)s)")
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--out", type=Path, help="the numbers, as JSON")
    arguments = parser.parse_args()
    try:
        _run(arguments)
    except TeachableError as error:
        raise SystemExit(f"yardstick: {error}") from None


def _run(arguments: argparse.Namespace) -> None:
    path: Path = arguments.values / "values.parquet" if arguments.values.is_dir() else arguments.values
    yard = Yardstick(tables.read(path, STEP_VALUES), arguments.largest_se)
    print(yard.about())
    told: list[dict[str, Any]] = []
    names = ("within", "best", "regret", "rmse", "brier", "between")
    print(f"{'':22s}" + "".join(f"{name:>20s}" for name in names))

    def tell(name: str, intervals: dict[str, stats.Interval]) -> None:
        cells = (f"{_text(intervals[one]) if one in intervals else '-':>20s}" for one in names)
        print(f"{name:22s}" + "".join(cells), flush=True)
        told.extend({"scored": name, "metric": metric, **one.row()} for metric, one in intervals.items())

    score: Callable[[np.ndarray], dict[str, stats.Interval]] = lambda s: measure(yard, s, arguments.repetitions)  # noqa: E731
    for episodes in EPISODES:
        tell(f"monte carlo, n = {episodes}", score(monte_carlo(yard, episodes, arguments.draws)))
    tell("the student's policy", score(yard.rows["policy"].to_numpy()[None]))
    for file in arguments.scores:
        tell(file.stem, score(scores_in(file, yard)[None]))
    for file in arguments.ranking:
        for method, intervals in ranking_in(file, yard, arguments.repetitions).items():
            tell(method, intervals)
    if arguments.out:
        tables.write_json({"about": yard.about(), "rows": told}, arguments.out)


def _text(one: stats.Interval) -> str:
    return f"{one.point:.3f} [{one.low:.2f}, {one.high:.2f}]"


if __name__ == "__main__":
    main()
