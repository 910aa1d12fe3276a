"""Rollout trees against Monte Carlo: error and time per snapshot, and prompts that the student has to answer.

    python benchmarks/action_values.py --student DIR --games DIR --tasks tasks.parquet [--snapshots 60]

Plays the student on the tasks, draws failure snapshots, takes a large tree as the truth (its certified gap is
printed) and then measures each method cold: fresh engines, nothing remembered. Every method sees the same
snapshots and patches. Prints a table and writes it to ``benchmarks/out/action_values.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch

from teachable import tables
from teachable.config.load import load_config, read_yaml
from teachable.labels import label
from teachable.pipeline.valuing import patches_of
from teachable.rollouts import (
    CachedPolicy,
    EpisodeSpec,
    MonteCarloSettings,
    PlaySettings,
    Query,
    Start,
    TreeSettings,
    Values,
    choose_snapshots,
    monte_carlo,
    play,
    starts_of,
    tree_values,
)
from teachable.rollouts.expert import Oracle
from teachable.rollouts.sessions import Environments
from teachable.rollouts.values import expert_actions
from teachable.student import Student
from teachable.teacher.advise import advise_snapshots
from teachable.worlds import Task, World, get_reasons, get_world

CONFIG = load_config(read_yaml(Path(__file__).parents[1] / "workflow_config.yaml"))
PLAY = PlaySettings(stop_unwinnable=True)
TREE = TreeSettings(play=PLAY)


@dataclass(frozen=True)
class Setting:
    student: Student
    world: World
    games: Path
    snapshots: pl.DataFrame
    advice: pl.DataFrame
    queries: list[Query]
    seed: int


def prepare(arguments: argparse.Namespace) -> Setting:
    torch.set_num_threads(1)
    world = get_world("textworld")
    student = Student.load(arguments.student, device="cpu")
    tasks = {row["task_id"]: Task(**row) for row in tables.read(arguments.tasks, tables.TASKS).to_dicts()}
    chosen = [task for task in tasks.values() if task.split == arguments.split]
    specs = [
        EpisodeSpec(f"{task.task_id}/{repeat}", Start(task), repeat=repeat)
        for task in chosen
        for repeat in range(arguments.episodes)
    ]
    played = play(student, world, arguments.games, specs, run_seed=arguments.seed, record_steps=True)
    snapshots = choose_snapshots(
        played.steps,
        played.episodes,
        CONFIG.snapshots.model_copy(update={"max_snapshots": arguments.snapshots}),
        run_seed=arguments.seed,
    )
    starts = starts_of(snapshots, tasks)
    with Environments(world, arguments.games) as opened:
        answers = expert_actions(opened, [Query(start) for start in starts], Oracle())
    experts = {
        start.snapshot_id: answer if isinstance(answer, str) else None
        for start, answer in zip(starts, answers, strict=True)
    }
    teacher = CONFIG.teacher
    advice = advise_snapshots(snapshots, experts, teacher, explain=get_reasons("textworld"), verbosity="compact")
    rows = {row["snapshot_id"]: row for row in advice.to_dicts()}
    queries = [
        Query(start, patches_of(row, rows[row["snapshot_id"]], student.layout))
        for start, row in zip(starts, snapshots.to_dicts(), strict=True)
    ]
    queries = [query for query in queries if query.patches]
    success = played.episodes["success"].mean()
    print(f"{len(chosen)} tasks, success {success:.2f}, {len(queries)} snapshots with advice")
    return Setting(student, world, arguments.games, snapshots, advice, queries, arguments.seed)


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
        budget = replace(TREE, prompts=prompts, episodes=episodes)
        return lambda cached, seed: tree_values(
            cached, setting.world, setting.games, setting.queries, budget, run_seed=seed
        )

    def sampled(n: int) -> Callable[[CachedPolicy, int], Values]:
        budget = MonteCarloSettings(n, n, 2, n, play=PLAY)
        return lambda cached, seed: monte_carlo(
            cached, setting.world, setting.games, setting.queries, budget, run_seed=seed
        )

    named: dict[str, Callable[[CachedPolicy, int], Values]] = {f"Monte Carlo n={n}": sampled(n) for n in (2, 7, 14)}
    return named | {f"tree {p} + {e}": tree(p, e) for p, e in ((5, 12), (10, 24), (20, 40), (40, 40))}


def compare(setting: Setting, repeats: int, large: tuple[int, int]) -> list[dict[str, float | str]]:
    budget = replace(TREE, prompts=large[0], episodes=large[1], tolerance=0.0005)
    truth = tree_values(setting.student, setting.world, setting.games, setting.queries, budget, run_seed=setting.seed)
    gap = truth.estimates.filter(pl.col("quantity") != "p_expert")["gap"]
    print(f"truth: certified gap median {gap.median():.4f}, 95 % {gap.quantile(0.95):.4f}")
    print(f"       largest gap {gap.max():.3f}, largest standard error {truth.estimates['se'].max():.4f}")
    exact = labels(setting, truth)
    rows: list[dict[str, float | str]] = []
    for name, method in methods(setting).items():
        runs = [measured(setting, method, setting.seed + 1 + repeat) for repeat in range(repeats)]
        found = [labels(setting, values) for values, *_ in runs]
        row: dict[str, float | str] = {
            "method": name,
            "prompts": float(np.mean([prompts for *_, prompts in runs])),
            "cpu_s": float(np.mean([cpu for _, cpu, _, _ in runs])),
            "wall_s": float(np.mean([wall for _, _, wall, _ in runs])),
            "rmse_p": rmse(found, exact, ["p_policy", "p_force", "p_placebo", "p_demo", "p_contrast", "p_hint"]),
            "rmse_L": rmse(found, exact, ["L_local"]),
            "rmse_ELP": rmse(found, exact, ["ELP_net"]),
            "bias_ELP": bias(found, exact, "ELP_net"),
            "bias_debiased": bias(found, exact, "ELP_net_debiased"),
            "rank_ELP": float(np.mean([rank(one["ELP_net"], exact["ELP_net"]) for one in found])),
            "quadrant": float(np.mean([(one["quadrant"] == exact["quadrant"]).mean() for one in found])),
            "route": float(np.mean([(one["route"] == exact["route"]).mean() for one in found])),
        }
        rows.append(row)
        print(
            f"{name:18}" + "".join(f" {key} {value:7.3f}" for key, value in row.items() if key != "method"),
            flush=True,
        )
    return rows


def labels(setting: Setting, values: Values) -> pl.DataFrame:
    return label(setting.snapshots, setting.advice, values.estimates, CONFIG.labels)[0].filter("advice_valid")


def rmse(found: Sequence[pl.DataFrame], exact: pl.DataFrame, columns: Sequence[str]) -> float:
    return float(np.sqrt(np.mean([(one[c] - exact[c]).to_numpy() ** 2 for one in found for c in columns])))


def bias(found: Sequence[pl.DataFrame], exact: pl.DataFrame, column: str) -> float:
    return float(np.mean([(one[column] - exact["ELP_net"]).to_numpy() for one in found]))


def rank(a: pl.Series, b: pl.Series) -> float:
    return float(np.corrcoef(a.rank().to_numpy(), b.rank().to_numpy())[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--student", type=Path, required=True, help="model directory")
    parser.add_argument("--games", type=Path, required=True, help="directory that the tasks' paths are relative to")
    parser.add_argument("--tasks", type=Path, required=True, help="TASKS table")
    parser.add_argument("--split", default="train")
    parser.add_argument("--episodes", type=int, default=2, help="episodes per task that failures are drawn from")
    parser.add_argument("--snapshots", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=2, help="times each method is run, with different seeds")
    parser.add_argument("--large", type=int, nargs=2, default=(1000, 1000), help="prompts and episodes of the truth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out" / "action_values.json")
    arguments = parser.parse_args()
    rows = compare(prepare(arguments), arguments.repeats, tuple(arguments.large))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
