"""Success measured with any adapter, for micro-training: values behind snapshots and plays of similar games."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl

from teachable import tables
from teachable.evaluation.errors import EvaluationError
from teachable.rollouts import EpisodeSpec, PlaySettings, Policy, Query, Start, Values, play, starts_of
from teachable.worlds.base import Task, World

Estimate = Callable[[Policy, Sequence[Query]], Values]


class RolloutEvaluator:
    """The evaluator that :func:`teachable.training.micro.microtrain` asks.

    ``estimate`` values questions (``rollouts.tree_values`` or ``monte_carlo`` with its settings);
    P(success) from a snapshot is their ``p_policy``. Similar tasks are played ``repeats`` times, the first
    greedy, the others sampled. Random numbers depend on the snapshot or task, the repeat and the purpose:
    what is measured before a training shares none with what is measured after it, or with the labels. ``shard`` is
    in the names of episodes only: two shards may play the same task before theirs. The policy is handed to every call
    as it is, so nothing remembered of an adapter outlives it here.
    """

    def __init__(
        self,
        policy: Policy,
        world: World,
        games: Path,
        snapshots: pl.DataFrame,
        tasks: Mapping[str, Task],
        estimate: Estimate,
        settings: PlaySettings,
        *,
        run_seed: int,
        repeats: int = 1,
        shard: int = 0,
    ) -> None:
        self._policy, self._world, self._games = policy, world, games
        self._tasks, self._estimate, self._settings = tasks, estimate, settings
        self._run_seed, self._repeats, self._shard = run_seed, repeats, shard
        self._played: list[pl.DataFrame] = []
        rows = snapshots.sort("snapshot_id")
        self._starts = dict(zip(rows["snapshot_id"], starts_of(rows, tasks), strict=True))

    @property
    def episodes(self) -> pl.DataFrame:
        """``EPISODES`` rows of all that was played so far."""
        return pl.concat([tables.empty(tables.EPISODES), *self._played])

    def from_snapshots(self, asked: Sequence[tuple[str, str | None]], purpose: str) -> dict[str, tuple[float, float]]:
        """P(success) and standard error by snapshot; each may be asked about once in a call."""
        names = [snapshot_id for snapshot_id, _ in asked]
        if len(set(names)) != len(names):
            raise EvaluationError("A snapshot was asked about twice in one call: its values could not be told apart.")
        queries = [
            Query(self._starts[name], adapter=adapter, model=adapter or "base", purpose=purpose)
            for name, adapter in asked
        ]
        values = self._estimate(self._policy, queries)
        self._played.append(values.episodes)
        found = values.estimates.filter(pl.col("quantity") == "p_policy")
        return {name: (value, se) for name, value, se in found.select("snapshot_id", "value", "se").iter_rows()}

    def on_tasks(self, asked: Sequence[tuple[str, str | None]], purpose: str) -> list[float | None]:
        """Share of successes of each (task, adapter) pair; ``None`` where every episode had a fault."""
        specs = [
            EpisodeSpec(
                episode_id=f"similar/{purpose}/{self._shard}/{len(self._played)}/{index}/{task_id}/{repeat}",
                start=Start(self._tasks[task_id]),
                model=adapter or "base",
                adapter=adapter,
                greedy=repeat == 0,
                panel="similar",
                repeat=repeat,
                seed_name=f"similar/{purpose}/{task_id}/{repeat}",
            )
            for index, (task_id, adapter) in enumerate(asked)
            for repeat in range(self._repeats)
        ]
        if not specs:
            return []
        played = play(self._policy, self._world, self._games, specs, self._settings, run_seed=self._run_seed)
        self._played.append(played.episodes)
        outcomes = played.episodes["success"].to_list()
        shares: list[float | None] = []
        for index in range(len(asked)):
            part = [won for won in outcomes[index * self._repeats :][: self._repeats] if won is not None]
            shares.append(sum(part) / len(part) if part else None)
        return shares
