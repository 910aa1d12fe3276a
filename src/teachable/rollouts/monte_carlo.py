"""Success probabilities by the protocol's budgets: so many episodes per quantity, every one logged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from teachable import tables
from teachable.rollouts.episodes import EpisodeSpec, PlaySettings, Progress, Scope, play
from teachable.rollouts.expert import Expert, Oracle
from teachable.rollouts.policy import CachedPolicy, Policy
from teachable.rollouts.sessions import Environments, by_task
from teachable.rollouts.values import NO_EXPERT, ExpertAction, Query, Values, expert_actions
from teachable.terms import FORMATS
from teachable.worlds.base import World


@dataclass(frozen=True, slots=True)
class MonteCarloSettings:
    """Episodes per quantity; the names are those of the configuration's section ``estimation``."""

    policy_episodes: int = 7
    force_episodes: int = 7
    expert_episodes: int = 2
    condition_episodes: int = 2  # of each of base, placebo, demo, contrast, hint
    patch_scope: Scope = "decision"
    play: PlaySettings = field(default_factory=lambda: PlaySettings(stop_unwinnable=True))


def monte_carlo(
    policy: Policy | CachedPolicy,
    world: World,
    games: Path,
    queries: Sequence[Query],
    settings: MonteCarloSettings | None = None,
    *,
    run_seed: int,
    expert: Expert | None = None,
    progress: Progress | None = None,
) -> Values:
    """Estimate every query by playing episodes.

    The value of a quantity is the share of successes among its n episodes without fault; its standard error
    is sqrt(q (1 - q) / n) with q = (successes + 1) / (n + 2), because the plain formula calls 0 of 2 certain.
    The episodes of different quantities are independent, so errors of differences add in squares. The
    expert's p is exact (error 0) where the expert is deterministic. At a dead end the expert has no command:
    p_force and p_expert are 0 there; where there is no expert (NO_EXPERT) they are not estimated. A quantity whose
    episodes all had faults is left out and named in ``Values.faults``.
    """
    settings = settings or MonteCarloSettings()
    expert = expert or Oracle()
    cached = policy if isinstance(policy, CachedPolicy) else CachedPolicy(policy)
    done = 0
    rows: list[dict[str, Any]] = []
    faults: dict[str, str] = {}
    episodes: list[pl.DataFrame] = []
    for group in by_task([query.start for query in queries], settings.play.tasks_at_once):
        asked = [queries[index] for index in group]
        with Environments(world, games) as environments:
            forced = expert_actions(environments, asked, expert)
            specs = [spec for q, force in zip(asked, forced, strict=True) for spec in _jobs(q, force, settings)]
            played = play(
                cached,
                world,
                games,
                specs,
                settings.play,
                run_seed=run_seed,
                expert=expert,
                environments=environments,
            ).episodes
        episodes.append(played)
        outcomes: dict[tuple[str | None, str], list[bool | None]] = {}
        for snapshot_id, condition, success in played.select("snapshot_id", "condition", "success").iter_rows():
            outcomes.setdefault((snapshot_id, condition), []).append(success)
        for query, force in zip(asked, forced, strict=True):
            mine = {c: outcomes.get((query.start.snapshot_id, c), []) for c in _budget(query, force, settings)}
            if force is None:
                mine |= {"force": [False], "expert": [False]}
            lacking = sorted(c for c, seen in mine.items() if all(success is None for success in seen))
            if isinstance(force, Exception) or lacking:
                reason = str(force) if isinstance(force, Exception) else f"every episode failed: {lacking}"
                faults[query.name] = reason
            exact = {"expert"} if expert.deterministic else set()
            exact |= {"force", "expert"} if force is None else set()
            rows += _estimates(query.name, {c: s for c, s in mine.items() if c not in lacking}, exact)
        done += len(group)
        if progress is not None:
            progress(done, len(queries))
    return Values(
        pl.DataFrame(rows, schema=dict(tables.ESTIMATES)),
        tables.empty(tables.ACTION_VALUES),
        pl.concat([tables.empty(tables.EPISODES), *episodes]),
        tables.empty(tables.TREE_NODES),
        faults,
    )


def _budget(query: Query, force: ExpertAction, settings: MonteCarloSettings) -> dict[str, int]:
    """Episodes of each quantity that is to be estimated."""
    conditions = ("base", *query.patches) if query.patches else ()
    experts = {"force": settings.force_episodes, "expert": settings.expert_episodes}
    return {
        **({"policy": settings.policy_episodes} if query.leverage else {}),
        **({} if force is NO_EXPERT else experts),
        **dict.fromkeys(conditions, settings.condition_episodes),
    }


def _jobs(query: Query, force: ExpertAction, settings: MonteCarloSettings) -> list[EpisodeSpec]:
    specs = []
    for condition, number in _budget(query, force, settings).items():
        if condition in ("force", "expert") and not isinstance(force, str):
            continue
        spec = EpisodeSpec(
            episode_id="",
            start=query.start,
            model=query.model,
            adapter=query.adapter,
            behaviour="expert" if condition == "expert" else "student",
            force=str(force) if condition == "force" else None,
            patch=query.patches.get(condition, ""),
            patch_scope=settings.patch_scope,
            panel=query.purpose,
            condition=condition,
        )
        specs += [
            replace(spec, episode_id=f"{query.stream}/{query.model}/{condition}/{repeat}", repeat=repeat)
            for repeat in range(number)
        ]
    return specs


def _estimates(
    snapshot_id: str, outcomes: Mapping[str, Sequence[bool | None]], exact: set[str]
) -> list[dict[str, Any]]:
    values: dict[str, tuple[float, float, int]] = {}
    for condition, seen in outcomes.items():
        sound = [success for success in seen if success is not None]
        n, wins = len(sound), sum(sound)
        q = (wins + 1) / (n + 2)
        values[condition] = (wins / n, 0.0 if condition in exact else math.sqrt(q * (1 - q) / n), n)
    reference = {**dict.fromkeys(FORMATS, "placebo"), "force": "policy", "expert": "policy"}
    rows = []
    for condition, (value, se, n) in values.items():
        other = values.get(reference.get(condition, ""))
        rows.append(
            {
                "snapshot_id": snapshot_id,
                "quantity": f"p_{condition}",
                "value": value,
                "se": se,
                "n": n,
                "estimator": "monte_carlo",
                "gap": None,
                "net_se": None if other is None else math.hypot(se, other[1]),
            }
        )
    return rows
