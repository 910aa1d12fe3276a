"""The panels a model plays: held-out tasks, failure snapshots and tasks the base student wins.

Every model plays the same episodes with the same random numbers: the seed of an episode is named by panel, start,
repeat and training, never by the model, so models are compared on equal draws. Every training of a run plays
episodes of its own, and the base student plays those of all trainings: what it is measured by is as much as any
run's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from teachable.evaluation.errors import EvaluationError
from teachable.evaluation.outcomes import EXPERT, check_held_out
from teachable.rollouts import CachedPolicy, EpisodeSpec, PlaySettings, Policy, Start, play, starts_of
from teachable.rollouts.sessions import Environments
from teachable.terms import BASE
from teachable.worlds.base import Task, World

Progress = Callable[[int, int], None]  # (done, total)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Episodes per start. On tasks the first is greedy, the others are sampled; from snapshots all are sampled."""

    test: int = 3
    failure: int = 2
    retention: int = 2


@dataclass(frozen=True, slots=True)
class PanelStarts:
    """Where the episodes of each panel begin."""

    test: tuple[Start, ...]
    failure: tuple[Start, ...]
    retention: tuple[Start, ...]


def panel_starts(
    labeled: pl.DataFrame,
    panels: pl.DataFrame,
    retention: pl.DataFrame,
    tasks: Mapping[str, Task],
    test_tasks: Sequence[Task],
) -> PanelStarts:
    """The starts of the three panels.

    ``panels`` and ``retention`` are PANELS rows; ``tasks`` holds the tasks that snapshots and retention come from.
    Raises :class:`EvaluationError` when a game that trains would be played, or one is not in ``tasks``.
    """
    chosen = panels.filter(pl.col("panel") == "failure").sort("quadrant", "order")["snapshot_id"]
    rows = labeled.filter(pl.col("snapshot_id").is_in(chosen.implode())).sort("snapshot_id")
    missing = sorted(set(chosen) - set(rows["snapshot_id"]))
    if missing:
        raise EvaluationError(f"Failure snapshot {missing[0]!r} has no label: make the panels again.")
    kept = retention.sort("order")["task_id"].to_list()
    unknown = sorted(set(kept) - set(tasks))
    if unknown:
        raise EvaluationError(f"Retention task {unknown[0]!r} is not in the task table.")
    train = set(panels.filter(pl.col("side") == "train")["task_id"])
    played = [*rows["task_id"], *kept, *(task.task_id for task in test_tasks)]
    check_held_out(pl.DataFrame({"task_id": played}, schema={"task_id": pl.String}), train)
    return PanelStarts(
        test=tuple(Start(task) for task in test_tasks),
        failure=tuple(starts_of(rows, tasks)),
        retention=tuple(Start(tasks[task_id]) for task_id in kept),
    )


def panel_specs(
    panel: str,
    starts: Sequence[Start],
    repeats: int,
    *,
    model: str = BASE,
    adapter: str | None = None,
    train_seed: int = 1,
) -> list[EpisodeSpec]:
    """Jobs of one panel. Raises :class:`EvaluationError` when a trained model would be played without an adapter."""
    if (model == BASE) != (adapter is None):
        raise EvaluationError(f"Model {model!r} with adapter {adapter!r}: every model but the base has an adapter.")
    return [
        EpisodeSpec(
            episode_id=f"{model}/{_name(panel, start, repeat)}",
            start=start,
            model=model,
            adapter=adapter,
            greedy=repeat == 0 and start.snapshot_id is None,
            panel=panel,
            repeat=repeat,
            seed_name=f"{_name(panel, start, repeat)}/{train_seed}",
        )
        for start in starts
        for repeat in range(repeats)
    ]


def reference_specs(panel: str, starts: Sequence[Start]) -> list[EpisodeSpec]:
    """One expert episode from each start: the reference that efficiency is measured by."""
    return [
        EpisodeSpec(
            episode_id=f"{EXPERT}/{_name(panel, start, 0)}",
            start=start,
            model=EXPERT,
            behaviour="expert",
            panel=panel,
            condition="expert",
        )
        for start in starts
    ]


def play_panels(
    policy: Policy | CachedPolicy,
    world: World,
    starts: PanelStarts,
    repeats: Repeats,
    settings: PlaySettings,
    *,
    games: Path,
    test_games: Path,
    run_seed: int,
    model: str = BASE,
    adapter: str | None = None,
    train_seed: int = 1,
    environments: Callable[[Path], Environments] | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """``EPISODES`` of one model on all panels; the base's come with one expert episode from every start.

    ``games`` holds the games of snapshots and retention, ``test_games`` those of the test tasks. ``environments`` lends
    open games of either directory: they know what they have seen, so that a second model costs fewer turns.
    """
    cached = policy if isinstance(policy, CachedPolicy) else CachedPolicy(policy)
    plan: list[tuple[Path, list[EpisodeSpec]]] = []
    for panel, where, number in (
        ("test", test_games, repeats.test),
        ("failure", games, repeats.failure),
        ("retention", games, repeats.retention),
    ):
        begins: tuple[Start, ...] = getattr(starts, panel)
        specs = panel_specs(panel, begins, number, model=model, adapter=adapter, train_seed=train_seed)
        plan.append((where, specs + (reference_specs(panel, begins) if model == BASE else [])))
    total = sum(len(specs) for _, specs in plan)
    parts: list[pl.DataFrame] = []
    for where, specs in plan:
        done = sum(part.height for part in parts)

        def report(now: int, _: int, done: int = done) -> None:
            if progress is not None:
                progress(done + now, total)

        lent = environments(where) if environments is not None else None
        played = play(cached, world, where, specs, settings, run_seed=run_seed, environments=lent, progress=report)
        parts.append(played.episodes)
    return pl.concat(parts)


def _name(panel: str, start: Start, repeat: int) -> str:
    return f"{panel}/{start.snapshot_id or start.task.task_id}/{repeat}"
