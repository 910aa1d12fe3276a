"""Action values from rollout trees: grow by reach probability, then sample what is left at the frontier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from teachable import seeds, tables
from teachable.rollouts.episodes import EpisodeSpec, Progress, play
from teachable.rollouts.expert import Expert, Oracle
from teachable.rollouts.policy import CachedPolicy, Policy, Reals, Request
from teachable.rollouts.sessions import Environment, Environments, by_task
from teachable.rollouts.tree import (
    Estimate,
)
from teachable.rollouts.tree_growth import Answers, Grower, TreeSettings, TreeValues, references
from teachable.rollouts.tree_log import TreeLog
from teachable.rollouts.values import NO_EXPERT, ExpertAction, Query, Values, expert_actions
from teachable.terms import CONDITIONS, FORMATS
from teachable.worlds.base import EngineFault, World


def tree_values(
    policy: Policy | CachedPolicy,
    world: World,
    games: Path,
    queries: Sequence[Query],
    settings: TreeSettings | None = None,
    *,
    run_seed: int,
    expert: Expert | None = None,
    progress: Progress | None = None,
) -> Values:
    """Estimate every query from rollout trees; nearly exact where the student is decided.

    Many trees grow side by side and share the student's batches, but each draws from its own stream, named by
    its snapshot and purpose, so neither order nor sharding changes a row. At a dead end p_force and p_expert are 0;
    where there is no expert (NO_EXPERT) they are not estimated. A query whose engine failed more than ``retries``
    times is left out and named in ``Values.faults``.
    """
    settings = settings or TreeSettings()
    expert = expert or Oracle()
    cached = policy if isinstance(policy, CachedPolicy) else CachedPolicy(policy)
    rows: list[dict[str, Any]] = []
    actions: list[dict[str, Any]] = []
    faults: dict[str, str] = {}
    episodes: list[pl.DataFrame] = []
    log = TreeLog()
    done = 0
    for group in by_task([query.start for query in queries], settings.play.tasks_at_once):
        asked = [queries[index] for index in group]
        with Environments(world, games) as environments:
            forced = expert_actions(environments, asked, expert)
            sound = [
                (query, force) for query, force in zip(asked, forced, strict=True) if not isinstance(force, EngineFault)
            ]
            faults |= {
                query.name: str(force)
                for query, force in zip(asked, forced, strict=True)
                if isinstance(force, EngineFault)
            }
            number = 1 if expert.deterministic else settings.expert_episodes
            played = play(
                cached,
                world,
                games,
                [spec for q, force in sound if isinstance(force, str) for spec in _expert_specs(q, number)],
                settings.play,
                run_seed=run_seed,
                expert=expert,
                environments=environments,
            ).episodes
            results = _side_by_side(cached, environments, sound, settings, run_seed, faults)
        episodes.append(played)
        outcomes: dict[str, list[bool]] = {query.name: [] for query, _ in sound}
        for snapshot_id, success in played.select("snapshot_id", "success").drop_nulls().iter_rows():
            outcomes[snapshot_id].append(success)
        for (query, force), result in zip(sound, results, strict=True):
            if result is None:
                continue
            reached = _expert_estimate(outcomes[query.name], exact=expert.deterministic or force is None)
            if reached is None and isinstance(force, str):
                faults[query.name] = "every expert episode ended in an engine fault"
            rows += [
                row
                for row in _estimate_rows(query.name, result, reached)
                if row["quantity"] not in _left_out(query, force)
            ]
            actions += _action_rows(query.name, result)
            log.add(result.log)
        done += len(group)
        if progress is not None:
            progress(done, len(queries))
    return Values(
        pl.DataFrame(rows, schema=dict(tables.ESTIMATES)),
        pl.DataFrame(actions, schema=dict(tables.ACTION_VALUES)),
        pl.concat([tables.empty(tables.EPISODES), *episodes, pl.DataFrame(log.episodes, schema=dict(tables.EPISODES))]),
        pl.DataFrame(log.nodes, schema=dict(tables.TREE_NODES)),
        faults,
    )


def _side_by_side(
    cached: CachedPolicy,
    environments: Environments,
    queries: Sequence[tuple[Query, ExpertAction]],
    settings: TreeSettings,
    run_seed: int,
    faults: dict[str, str],
) -> list[TreeValues | None]:
    """Run every query's generator in lockstep; one batch to the student per round."""

    def fresh(index: int) -> Answers:
        query, force = queries[index]
        return _answer(
            cached, environments[query.start.task], query, force if isinstance(force, str) else None, settings, run_seed
        )

    results: list[TreeValues | None] = [None] * len(queries)
    running = {index: fresh(index) for index in range(len(queries))}
    pending: dict[int, list[Request]] = {}
    attempts = dict.fromkeys(running, 0)
    replies: dict[int, list[Reals] | None] = dict.fromkeys(running, None)
    while running:
        pending.clear()
        for index in list(running):
            try:
                reply = replies[index]
                pending[index] = next(running[index]) if reply is None else running[index].send(reply)
            except StopIteration as stop:
                results[index] = stop.value
                del running[index]
            except EngineFault as fault:
                attempts[index] += 1
                replies[index] = None
                if attempts[index] > settings.retries:
                    faults[queries[index][0].name] = str(fault)
                    del running[index]
                else:
                    running[index] = fresh(index)
        flat = cached.ask([request for requests in pending.values() for request in requests])
        answers = iter(flat)
        for index, requests in pending.items():
            replies[index] = [next(answers) for _ in requests]
    return results


def _answer(
    cached: CachedPolicy,
    environment: Environment,
    query: Query,
    force: str | None,
    settings: TreeSettings,
    run_seed: int,
) -> Answers:
    """All values of one query: one tree, or one per condition where the patch stays for the episode."""
    patches = {"base": "", **{c: query.patches[c] for c in CONDITIONS if c in query.patches}}
    grower = Grower(cached, environment, query, settings)
    if settings.patch_scope == "decision" or len(patches) == 1:
        return (yield from grower.values(patches, force, "", seeds.stream(run_seed, "tree", query.stream)))
    merged: TreeValues | None = None
    for condition, patch in patches.items():
        rng = seeds.stream(run_seed, "tree", query.stream, condition)
        forced = force if condition == "base" else None
        part = yield from grower.values({condition: patch}, forced, patch, rng, condition)
        if merged is None:
            merged = part
        else:
            merged.first.update(part.first)
            merged.estimates.update(part.estimates)
            merged.log.add(part.log)
    assert merged is not None
    for condition, reference in references(merged.estimates).items():
        if condition in FORMATS:
            errors = (merged.estimates[condition].se, merged.estimates[reference].se)
            merged.net_se[condition] = math.hypot(*errors)
    return merged


def _left_out(query: Query, force: ExpertAction) -> tuple[str, ...]:
    """Quantities that are not estimated: those nobody asks for, and without an expert those that need one."""
    if not query.leverage:
        return ("p_policy", "p_force", "p_expert")
    return ("p_force", "p_expert") if force is NO_EXPERT else ()


def _expert_specs(query: Query, number: int) -> list[EpisodeSpec]:
    return [
        EpisodeSpec(
            episode_id=f"{query.stream}/{query.model}/expert/{repeat}",
            start=query.start,
            model=query.model,
            behaviour="expert",
            panel=query.purpose,
            condition="expert",
            repeat=repeat,
        )
        for repeat in range(number)
    ]


def _expert_estimate(outcomes: Sequence[bool], *, exact: bool) -> Estimate | None:
    """p_expert from the expert's own episodes; at a dead end there are none, and it is 0."""
    n, wins = len(outcomes), sum(outcomes)
    if n == 0:
        return Estimate(0.0, 0.0, 0.0, 0.0, 0) if exact else None
    value, q = wins / n, (wins + 1) / (n + 2)
    if exact:
        return Estimate(value, 0.0, value, value, n)
    return Estimate(value, math.sqrt(q * (1 - q) / n), 0.0, 1.0, n)


def _estimate_rows(snapshot_id: str, result: TreeValues, reached: Estimate | None) -> list[dict[str, Any]]:
    policy = result.estimates["base"]
    found = {"policy": policy, **result.estimates}
    if "force" not in found:
        found["force"] = Estimate(0.0, 0.0, 0.0, 0.0, 0)
    if len(result.first) <= 2 and not set(result.first) - {"base", "force"}:
        del found["base"]  # no patch test was asked for
    net_se = dict(result.net_se)
    net_se.setdefault("force", policy.se)
    if reached is not None:
        found["expert"] = reached
        net_se["expert"] = math.hypot(reached.se, policy.se)
    order = ("policy", "force", "expert", *CONDITIONS)
    return [
        {
            "snapshot_id": snapshot_id,
            "quantity": f"p_{condition}",
            "value": found[condition].value,
            "se": found[condition].se,
            "n": found[condition].n,
            "estimator": "tree",
            "gap": found[condition].upper - found[condition].lower,
            "net_se": net_se.get(condition),
        }
        for condition in order
        if condition in found
    ]


def _action_rows(snapshot_id: str, result: TreeValues) -> list[dict[str, Any]]:
    return [
        {
            "snapshot_id": snapshot_id,
            "command": command,
            "value": value.value,
            "se": value.se,
            "lower": value.lower,
            "upper": value.upper,
            **{f"pi_{c}": float(result.first[c][a]) if c in result.first else None for c in CONDITIONS},
        }
        for a, (command, value) in enumerate(zip(result.commands, result.actions, strict=True))
    ]
