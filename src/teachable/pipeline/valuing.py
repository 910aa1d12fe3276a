"""Phase 1: success probabilities behind snapshots, by either estimator, under every patch of their advice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from teachable import tables
from teachable.rollouts.episodes import PlaySettings, Progress
from teachable.rollouts.expert import Expert
from teachable.rollouts.monte_carlo import MonteCarloSettings, monte_carlo
from teachable.rollouts.policy import CachedPolicy, Policy
from teachable.rollouts.sessions import starts_of
from teachable.rollouts.snapshots import decisions_of_failures
from teachable.rollouts.tree_growth import TreeSettings
from teachable.rollouts.tree_values import tree_values
from teachable.rollouts.values import Query, Values
from teachable.student.prompt import verbosity_of
from teachable.supervision import patches
from teachable.teacher.advice import AdviceText
from teachable.worlds.base import Task, World

if TYPE_CHECKING:
    from teachable.config import model as c


def patches_of(snapshot: Mapping[str, Any], advice: Mapping[str, Any] | None, layout: str) -> dict[str, str]:
    """The patches of a snapshot by condition; none where there is no valid advice (and so no patch test)."""
    if advice is None or not advice["valid"]:
        return {}
    text = AdviceText.from_rows(snapshot, advice)
    made = patches(text, verbosity=verbosity_of(layout), key=str(snapshot["snapshot_id"]))
    return {condition: patch for condition, patch in made.items() if condition != "base"}


def valuer(
    world: World, games: Path, section: c.Estimation, *, max_steps: int, run_seed: int
) -> Callable[[Policy, Sequence[Query]], Values]:
    """:func:`estimate` of whatever policy and questions come, in one world with one budget. It is for ``p_policy`` and
    the patch test: the game's solver stands in for whatever expert was chosen, whom nobody pays for nothing."""

    def value(policy: Policy, queries: Sequence[Query]) -> Values:
        return estimate(policy, world, games, queries, section, max_steps=max_steps, run_seed=run_seed)

    return value


def estimate(
    policy: Policy | CachedPolicy,
    world: World,
    games: Path,
    queries: Sequence[Query],
    section: c.Estimation,
    *,
    max_steps: int,
    run_seed: int,
    expert: Expert | None = None,
    progress: Progress | None = None,
) -> Values:
    """Success probabilities by the configured estimator; ``expert`` None: the game's own solver."""
    play = PlaySettings(max_steps=max_steps, horizon=section.horizon, stop_unwinnable=True)
    if section.estimator == "tree":
        tree = TreeSettings(
            prompts=section.tree_prompts,
            episodes=section.tree_episodes,
            expert_episodes=section.expert_episodes,
            patch_scope=section.patch_scope,
            play=play,
        )
        return tree_values(policy, world, games, queries, tree, run_seed=run_seed, expert=expert, progress=progress)
    budget = MonteCarloSettings(
        policy_episodes=section.policy_episodes,
        force_episodes=section.force_episodes,
        expert_episodes=section.expert_episodes,
        condition_episodes=section.condition_episodes,
        patch_scope=section.patch_scope,
        play=play,
    )
    return monte_carlo(policy, world, games, queries, budget, run_seed=run_seed, expert=expert, progress=progress)


def value_snapshots(
    policy: Policy | CachedPolicy,
    world: World,
    games: Path,
    tasks: Mapping[str, Task],
    snapshots: pl.DataFrame,
    advice: pl.DataFrame | None,
    section: c.Estimation,
    *,
    layout: str,
    max_steps: int,
    run_seed: int,
    leverage: bool = True,
    expert: Expert | None = None,
    progress: Progress | None = None,
) -> Values:
    """:func:`estimate` of every row of ``snapshots`` (``SNAPSHOTS``) under the patches that its ``ADVICE`` row makes.

    Without ``advice`` only leverage is estimated; without ``leverage`` only the patch test, of the snapshots whose
    advice is valid. ``layout`` is the student's prompt layout. What the engine failed at is named in ``Values.faults``.
    """
    given = {} if advice is None else {row["snapshot_id"]: row for row in advice.iter_rows(named=True)}
    made = [patches_of(row, given.get(row["snapshot_id"]), layout) for row in snapshots.iter_rows(named=True)]
    queries = [
        Query(start, texts, leverage=leverage)
        for start, texts in zip(starts_of(snapshots, tasks), made, strict=True)
        if leverage or texts
    ]
    return estimate(
        policy,
        world,
        games,
        queries,
        section,
        max_steps=max_steps,
        run_seed=run_seed,
        expert=expert,
        progress=progress,
    )


def value_failures(
    policy: Policy | CachedPolicy,
    world: World,
    games: Path,
    tasks: Mapping[str, Task],
    steps: pl.DataFrame,
    episodes: pl.DataFrame,
    section: c.Estimation,
    *,
    max_steps: int,
    run_seed: int,
    progress: Progress | None = None,
) -> tuple[pl.DataFrame, Mapping[str, str]]:
    """``EPISODE_VALUES``: success from every decision of the failed episodes, of which only ``p_policy`` is used (so no
    chosen expert is asked); and the engine's faults."""
    decisions = decisions_of_failures(steps, episodes)
    once = decisions.unique(["task_id", "prefix"], keep="first", maintain_order=True)
    queries = [Query(start, purpose="fall") for start in starts_of(once, tasks)]
    values = estimate(policy, world, games, queries, section, max_steps=max_steps, run_seed=run_seed, progress=progress)
    known = values.estimates.filter(pl.col("quantity") == "p_policy").select("snapshot_id", "value", "se")
    valued = once.join(known, on="snapshot_id").select("task_id", "prefix", "value", "se")
    found = decisions.join(valued, on=["task_id", "prefix"]).select(list(tables.EPISODE_VALUES))
    return found.sort("episode_id", "step"), values.faults
