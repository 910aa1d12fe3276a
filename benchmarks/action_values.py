"""Rollout trees against Monte Carlo: error of success probabilities and labels at equal calls of the model.

    python benchmarks/action_values.py [--results results] [--snapshots 60] [--repeats 3]

Snapshots, advice and student of a finished run. A large tree is the truth (its certified gap is printed); then each
method is measured cold: fresh engines, nothing remembered. Calls are decisions that reached the model, a snapshot. For
each n of Monte Carlo stands the largest tree that made no more calls. Writes
`results/estimator_rmse_vs_monte_carlo.json`: `ratio` is the error of ELP_net by Monte Carlo over that by the tree at
n = 7; every method that was tried is in `methods`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import workload
from side_by_side import row, write

from teachable.labels import label
from teachable.pipeline.valuing import patches_of
from teachable.rollouts import (
    CachedPolicy,
    MonteCarloSettings,
    PlaySettings,
    Query,
    TreeSettings,
    Values,
    monte_carlo,
    starts_of,
    tree_values,
)
from teachable.student import Student
from teachable.worlds import World

NS = (2, 7, 14)
TREES = (
    (2, 4),
    (4, 6),
    (5, 8),
    (6, 10),
    (8, 14),
    (10, 24),
    (20, 40),
)  # prompts of the tree, episodes from its frontier
PROBABILITIES = ["p_policy", "p_force", "p_placebo", "p_demo", "p_contrast", "p_hint"]
WHAT = "RMSE of ELP_net by Monte Carlo (n = 7) over that by a rollout tree that asks the model no more often"


@dataclass(frozen=True)
class Setting:
    student: Student
    world: World
    games: Path
    snapshots: pl.DataFrame
    advice: pl.DataFrame
    queries: list[Query]
    tree: TreeSettings
    labels: Any
    seed: int


def prepare(arguments: argparse.Namespace) -> Setting:
    torch.set_num_threads(arguments.threads)
    run = workload.open_run(arguments.results)
    student = Student.load(run.weights, device="cpu")
    snapshots = run.snapshots.head(arguments.snapshots)
    advice = {one["snapshot_id"]: one for one in run.advice.iter_rows(named=True)}
    queries = [
        Query(start, patches_of(one, advice[one["snapshot_id"]], student.layout))
        for start, one in zip(starts_of(snapshots, run.tasks), snapshots.iter_rows(named=True), strict=True)
    ]
    chosen = run.advice.join(snapshots.select("snapshot_id"), on="snapshot_id", how="semi")
    play = PlaySettings(max_steps=run.config.world.max_steps, stop_unwinnable=True)
    tree = TreeSettings(play=play)
    games = run.results / "world/train/games"
    print(f"{len(queries)} snapshots of {snapshots['task_id'].n_unique()} games", flush=True)
    return Setting(student, run.world, games, snapshots, chosen, queries, tree, run.config.labels, arguments.seed)


def measured(
    setting: Setting, method: Callable[[CachedPolicy, int], Values], seed: int
) -> tuple[Values, float, float, float]:
    """A method's values, cold, with CPU seconds, wall seconds and prompts asked per snapshot."""
    setting.student.forget(everything=True)
    cached = CachedPolicy(setting.student)
    cpu, wall = cpu_seconds(), time.perf_counter()
    values = method(cached, seed)
    n = len(setting.queries)
    return (
        values,
        (cpu_seconds() - cpu) / n,
        (time.perf_counter() - wall) / n,
        cached.evaluated / n,
    )


def cpu_seconds() -> float:
    """CPU seconds of this process and all below it (engines run in processes of their own), from /proc."""
    ticks: dict[int, tuple[int, int]] = {}  # process -> (parent, own and reaped children's ticks)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        ticks[int(stat.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])))

    def ours(process: int) -> bool:
        while process and process != os.getpid():
            process = ticks.get(process, (0, 0))[0]
        return process == os.getpid()

    return sum(used for process, (_, used) in ticks.items() if ours(process)) / os.sysconf("SC_CLK_TCK")


def methods(setting: Setting) -> dict[str, Callable[[CachedPolicy, int], Values]]:
    def tree(prompts: int, episodes: int) -> Callable[[CachedPolicy, int], Values]:
        budget = replace(setting.tree, prompts=prompts, episodes=episodes)
        return lambda cached, seed: tree_values(
            cached, setting.world, setting.games, setting.queries, budget, run_seed=seed
        )

    def sampled(n: int) -> Callable[[CachedPolicy, int], Values]:
        budget = MonteCarloSettings(n, n, 2, n, play=setting.tree.play)
        return lambda cached, seed: monte_carlo(
            cached, setting.world, setting.games, setting.queries, budget, run_seed=seed
        )

    named: dict[str, Callable[[CachedPolicy, int], Values]] = {f"Monte Carlo n={n}": sampled(n) for n in NS}
    return named | {f"tree {p} + {e}": tree(p, e) for p, e in TREES}


def compare(setting: Setting, repeats: int, large: tuple[int, int]) -> list[dict[str, Any]]:
    """A row a method; `of_repeats` has calls and errors of each repeat."""
    budget = replace(setting.tree, prompts=large[0], episodes=large[1], tolerance=0.0005)
    truth = tree_values(setting.student, setting.world, setting.games, setting.queries, budget, run_seed=setting.seed)
    gap = truth.estimates.filter(pl.col("quantity") != "p_expert")["gap"]
    print(f"truth: certified gap median {gap.median():.4f}, 95 % {gap.quantile(0.95):.4f}")
    print(f"       largest gap {gap.max():.3f}, largest standard error {truth.estimates['se'].max():.4f}", flush=True)
    exact = labels(setting, truth)
    rows: list[dict[str, Any]] = []
    for name, method in methods(setting).items():
        runs = [measured(setting, method, setting.seed + 1 + repeat) for repeat in range(repeats)]
        found = [labels(setting, values) for values, *_ in runs]
        made: dict[str, Any] = {
            "method": name,
            "calls": float(np.mean([calls for *_, calls in runs])),
            "cpu_s": float(np.mean([cpu for _, cpu, _, _ in runs])),
            "wall_s": float(np.mean([wall for _, _, wall, _ in runs])),
            "rmse_p": rmse(found, exact, PROBABILITIES),
            "rmse_L": rmse(found, exact, ["L_local"]),
            "rmse_ELP": rmse(found, exact, ["ELP_net"]),
            "bias_ELP": bias(found, exact, "ELP_net"),
            "bias_debiased": bias(found, exact, "ELP_net_debiased"),
            "rank_ELP": float(np.mean([rank(one["ELP_net"], exact["ELP_net"]) for one in found])),
            "quadrant": float(np.mean([(one["quadrant"] == exact["quadrant"]).mean() for one in found])),
            "route": float(np.mean([(one["route"] == exact["route"]).mean() for one in found])),
            "of_repeats": {
                "rmse_p": [rmse([one], exact, PROBABILITIES) for one in found],
                "rmse_ELP": [rmse([one], exact, ["ELP_net"]) for one in found],
            },
        }
        rows.append(made)
        numbers = ((key, value) for key, value in made.items() if isinstance(value, float))
        print(f"{name:18}" + "".join(f" {key} {value:7.3f}" for key, value in numbers), flush=True)
    return rows


def cases(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each n against the largest tree that made no more calls, ELP first; none for an n below the smallest tree."""
    found = []
    for n in (7, *(n for n in NS if n != 7)):
        sampled = next(one for one in rows if one["method"] == f"Monte Carlo n={n}")
        fitting = [one for one in rows if one["method"].startswith("tree") and one["calls"] <= sampled["calls"]]
        if not fitting:
            print(f"no tree makes as few calls as Monte Carlo n={n}")
            continue
        tree = max(fitting, key=lambda one: one["calls"])
        for error in ("rmse_ELP", "rmse_p"):
            ratios = [a / b for a, b in zip(sampled["of_repeats"][error], tree["of_repeats"][error], strict=True)]
            found.append(
                {
                    "case": f"{error}, n = {n}",
                    "ratio": sampled[error] / tree[error],
                    "ours": tree[error],
                    "peer": sampled[error],
                    "spread": [min(ratios), max(ratios)],
                    "unit": "probability",
                    "method": tree["method"],
                    "calls_ours": tree["calls"],
                    "calls_peer": sampled["calls"],
                }
            )
    return found


def labels(setting: Setting, values: Values) -> pl.DataFrame:
    return label(setting.snapshots, setting.advice, values.estimates, setting.labels)[0].filter("advice_valid")


def rmse(found: Sequence[pl.DataFrame], exact: pl.DataFrame, columns: Sequence[str]) -> float:
    return float(np.sqrt(np.mean([(one[c] - exact[c]).to_numpy() ** 2 for one in found for c in columns])))


def bias(found: Sequence[pl.DataFrame], exact: pl.DataFrame, column: str) -> float:
    return float(np.mean([(one[column] - exact["ELP_net"]).to_numpy() for one in found]))


def rank(a: pl.Series, b: pl.Series) -> float:
    return float(np.corrcoef(a.rank().to_numpy(), b.rank().to_numpy())[0, 1])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = workload.arguments(__doc__)
    parser.add_argument("--snapshots", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3, help="times each method is run, with different seeds")
    parser.add_argument("--large", type=int, nargs=2, default=(1000, 1000), help="prompts and episodes of the truth")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    rows = compare(prepare(given), given.repeats, tuple(given.large))
    about = {"snapshots": given.snapshots, "repeats": given.repeats, "methods": rows}
    write(row("estimator_rmse_vs_monte_carlo", WHAT, cases(rows), **about), given.into)


if __name__ == "__main__":
    main()
