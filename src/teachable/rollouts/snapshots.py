"""Snapshots: which decisions of failed episodes are looked at, and the proof that each can be restored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from teachable import tables
from teachable.config.model import Snapshots
from teachable.errors import TableError
from teachable.rollouts.sessions import starts_of
from teachable.seeds import stream
from teachable.student.prompt import Transition
from teachable.worlds.base import InadmissibleCommand, RestoreMismatch, Session, Task, World

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Failure:
    """A failed episode: its decisions in order, and how many there are up to and with the deciding one."""

    episode_id: str
    task_id: str
    family: str
    source: str
    steps: Sequence[Row]
    end: int  # decisions up to and with the deciding one, so decision t is at distance ``end - t``


def choose_snapshots(
    steps: pl.DataFrame,
    episodes: pl.DataFrame,
    settings: Snapshots,
    *,
    run_seed: int,
    values: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Rows of SNAPSHOTS from the STEPS and EPISODES of phase 0, sorted by snapshot_id.

    Only failed episodes count: not won, and no engine fault. The *deciding decision* of an episode is the last
    one from which the task could still be won, where the world tells; else its last. ``distance`` counts back
    from it and is 1 there. *Failure* snapshots are drawn at distances ``nearest`` to ``farthest``. The draw goes
    round families, within a family round tasks, within a task round episodes, one snapshot at a time, until
    ``max_snapshots``; an episode gives its nearest decision first, then the others in seeded random order, so
    that with ``nearest`` 1 the deciding decision is always among an episode's. The failures of the expert
    (``source``) are drawn likewise, within a budget of their own. A decision in a state that is drawn already (same
    task, same digest of the world) is passed over, whatever harmless commands lie before it: a habit repeats itself,
    and four copies of a decision are neither four moments nor four examples.

    With ``mode`` fall an episode gives its decisions by how far the chance of success falls over them
    (``values``, rows of EPISODE_VALUES; after the last it is 0), largest fall first, at any distance; where it
    never falls, the deciding one.

    Raises TableError when the two tables do not fit, or when every episode ended in an engine fault.

    *Interval* snapshots are every ``interval``-th decision of the first ``interval_episodes`` student episodes drawn,
    unless drawn already; they only serve recovery depth.
    """
    if len(episodes) and episodes["fault"].null_count() == 0:
        raise TableError(
            f"episodes: all {len(episodes)} ended in an engine fault, the first in: {episodes['fault'][0]} "
            "Mend that and run the rollouts again."
        )
    failures = _failures(steps, episodes)
    own = [failure for failure in failures if failure.source != "expert"]
    expert = [failure for failure in failures if failure.source == "expert"]
    if (settings.mode == "fall") != (values is not None):
        raise TableError("snapshots.mode fall, and only that, needs the values of the failed episodes' decisions.")
    falls = {} if values is None else _falls(values)
    drawn = _draw(own, settings, settings.max_snapshots, run_seed, falls)
    drawn += _draw(expert, settings, settings.max_expert_snapshots, run_seed, falls)
    rows = [_row(failure, t, "failure") for failure, t in drawn]
    taken = {(failure.episode_id, t) for failure, t in drawn}
    trajectories = list({f.episode_id: f for f, _ in drawn if f.source != "expert"}.values())
    for failure in trajectories[: settings.interval_episodes]:
        grid = range(0, len(failure.steps), settings.interval)
        rows += [_row(failure, t, "interval") for t in grid if (failure.episode_id, t) not in taken]
    return pl.DataFrame(rows, schema=dict(tables.SNAPSHOTS)).sort("snapshot_id")


def decisions_of_failures(steps: pl.DataFrame, episodes: pl.DataFrame) -> pl.DataFrame:
    """Every decision of the failed episodes up to the deciding one: episode_id, step, and what a start needs
    (task_id, prefix, digest, snapshot_id). Raises TableError as :func:`choose_snapshots` does."""
    columns = ("episode_id", "step", "task_id", "prefix", "digest", "snapshot_id")
    rows = [_row(failure, t, "failure") for failure in _failures(steps, episodes) for t in range(failure.end)]
    schema = {name: tables.SNAPSHOTS[name] for name in columns}
    return pl.DataFrame([{name: row[name] for name in columns} for row in rows], schema=schema)


def _failures(steps: pl.DataFrame, episodes: pl.DataFrame) -> list[_Failure]:
    failed = episodes.filter(pl.col("fault").is_null() & ~pl.col("success")).sort("episode_id")
    by_episode: dict[str, list[Row]] = {}
    wanted = set(failed["episode_id"].to_list())
    for row in steps.filter(pl.col("episode_id").is_in(list(wanted))).sort("episode_id", "step").to_dicts():
        by_episode.setdefault(row["episode_id"], []).append(row)
    failures = []
    for episode in failed.to_dicts():
        rows = by_episode.get(episode["episode_id"], [])
        if len(rows) != episode["steps"] or any(row["step"] != t for t, row in enumerate(rows)):
            raise TableError(
                f"steps: episode {episode['episode_id']} has {len(rows)} decisions, its row says "
                f"{episode['steps']}; the two tables are not of one run."
            )
        hopeless = next((t for t, row in enumerate(rows) if row["unwinnable"]), len(rows))
        failures.append(
            _Failure(
                episode_id=episode["episode_id"],
                task_id=episode["task_id"],
                family=episode["family"],
                source=episode["behaviour"],
                steps=rows,
                end=hopeless,
            )
        )
    return failures


def _draw(
    failures: Sequence[_Failure],
    settings: Snapshots,
    most: int,
    run_seed: int,
    falls: Mapping[str, list[int]],
) -> list[tuple[_Failure, int]]:
    """Round-robin over families, tasks and episodes; duplicates passed over."""
    families: dict[str, dict[str, list[tuple[_Failure, list[int]]]]] = {}
    for failure in failures:
        ordered = _by_distance(failure, settings, run_seed)
        if settings.mode == "fall" and failure.end > 0:
            ordered = [t for t in falls.get(failure.episode_id, []) if t < failure.end] or [failure.end - 1]
        if ordered:
            families.setdefault(failure.family, {}).setdefault(failure.task_id, []).append((failure, ordered))
    queues = {
        family: _queue(tasks, settings.per_episode, stream(run_seed, "snapshots", "order", family))
        for family, tasks in sorted(families.items())
    }
    seen: set[tuple[str, str]] = set()
    used: dict[str, int] = {}
    drawn: list[tuple[_Failure, int]] = []
    while queues and len(drawn) < most:
        for family in list(queues):
            chosen = _next(queues[family], seen, used, settings.per_episode)
            if chosen is None:
                del queues[family]
            elif len(drawn) < most:
                drawn.append(chosen)
    return drawn


def _by_distance(failure: _Failure, settings: Snapshots, run_seed: int) -> list[int]:
    """The nearest decision of an episode, then the others in seeded random order; none where it is too short."""
    nearest = failure.end - settings.nearest
    if nearest < 0:
        return []
    others = range(max(0, failure.end - settings.farthest), nearest)
    order = stream(run_seed, "snapshots", failure.episode_id).permutation(len(others))
    return [nearest, *(others[i] for i in order)]


def _falls(values: pl.DataFrame) -> dict[str, list[int]]:
    """The decisions of each episode over which the chance of success falls, largest fall first, then the earlier."""
    after = pl.col("value").shift(-1, fill_value=0.0).over("episode_id", order_by="step")
    rows = (
        values.with_columns(fall=pl.col("value") - after)
        .filter(pl.col("fall") > 0)
        .sort("episode_id", -pl.col("fall"), "step")
    )
    found: dict[str, list[int]] = {}
    for episode_id, step in rows.select("episode_id", "step").iter_rows():
        found.setdefault(episode_id, []).append(step)
    return found


def _queue(
    tasks: Mapping[str, list[tuple[_Failure, list[int]]]], per_episode: int, rng: np.random.Generator
) -> list[tuple[_Failure, list[int]]]:
    """Visits in order: every task once before any task twice, every episode of a task before any again."""
    names = sorted(tasks)
    shuffled = [names[i] for i in rng.permutation(len(names))]
    visits: list[tuple[int, int, tuple[_Failure, list[int]]]] = []
    for rank, name in enumerate(shuffled):
        episodes = [tasks[name][i] for i in rng.permutation(len(tasks[name]))]
        turns = [episode for _ in range(per_episode) for episode in episodes]
        visits += [(turn, rank, episode) for turn, episode in enumerate(turns)]
    visits.sort(key=lambda visit: visit[:2])
    return [episode for _, _, episode in reversed(visits)]  # popped from the end


def _next(
    queue: list[tuple[_Failure, list[int]]],
    seen: set[tuple[str, str]],
    used: dict[str, int],
    per_episode: int,
) -> tuple[_Failure, int] | None:
    while queue:
        failure, candidates = queue.pop()
        while candidates and used.get(failure.episode_id, 0) < per_episode:
            t = candidates.pop(0)
            state = (failure.task_id, failure.steps[t]["digest"])
            if state not in seen:
                seen.add(state)
                used[failure.episode_id] = used.get(failure.episode_id, 0) + 1
                return failure, t
    return None


def _history(failure: _Failure, t: int) -> list[Transition]:
    following = failure.steps[1 : t + 1]
    return [
        Transition.of(row, row["action"], after["observation"])
        for row, after in zip(failure.steps[:t], following, strict=True)
    ]


def _row(failure: _Failure, t: int, kind: str) -> Row:
    row = failure.steps[t]
    history = _history(failure, t)
    return {
        "snapshot_id": f"{failure.episode_id}@{t:02d}",
        "task_id": failure.task_id,
        "family": failure.family,
        "source": failure.source,
        "kind": kind,
        "episode_id": failure.episode_id,
        "step": t,
        "distance": failure.end - t,
        "prefix": [transition.command for transition in history],
        "digest": row["digest"],
        "goal": row["goal"],
        "memo": row["memo"],
        "scene": row["scene"],
        "observation": row["observation"],
        "history": [transition.columns() for transition in history],
        "commands": row["commands"],
        "logp": row["logp"],
        "student_action": row["action"],
    }


def restore_check(snapshots: pl.DataFrame, tasks: Mapping[str, Task], world: World, games: Path) -> dict[str, Any]:
    """Replay every snapshot in a fresh engine and compare all that the student saw there.

    Snapshots on one line of play are checked in one replay of the longest. Returns the counts for
    ``restore_check.json``; ``fraction`` is 1.0, because anything else raises RestoreMismatch with the task,
    the snapshot and the first field that differs. EngineFault propagates.
    """
    rows = snapshots.to_dicts()
    starts = starts_of(snapshots, tasks)
    order = sorted(range(len(rows)), key=lambda i: (starts[i].task.task_id, starts[i].prefix))
    session: Session | None = None
    played: tuple[str, ...] = ()
    where: str | None = None
    replays = 0
    try:
        for index in order:
            start, row = starts[index], rows[index]
            on_the_way = where == start.task.task_id and start.prefix[: len(played)] == played
            if session is None or not on_the_way:
                if session is not None:
                    session.close()
                session, played, where = world.start(start.task, games), (), start.task.task_id
                replays += 1
            for command in start.prefix[len(played) :]:
                try:
                    session.step(command)
                except InadmissibleCommand as error:
                    raise RestoreMismatch(
                        f"task {where}, snapshot {start.snapshot_id}: {command!r} is not possible now"
                    ) from error
            played = start.prefix
            _compare(session, row)
    finally:
        if session is not None:
            session.close()
    kinds = snapshots.group_by("kind").len().sort("kind")
    return {
        "total": len(rows),
        "verified": len(rows),
        "fraction": 1.0,
        "replays": replays,
        "compared": list(_COMPARED),
        "kinds": dict(kinds.iter_rows()),
    }


_COMPARED = ("digest", "observation", "commands", "scene", "memo", "goal")


def _compare(session: Session, row: Row) -> None:
    state = session.state
    for name in _COMPARED:
        found = getattr(state, name)
        found = list(found) if isinstance(found, tuple) else found
        if found != row[name]:
            raise RestoreMismatch(
                f"task {row['task_id']}, snapshot {row['snapshot_id']}: {name} is now {found!r}, "
                f"recorded was {row[name]!r}. The game file or a library changed: run the rollouts again."
            )


def retention_panel(
    steps: pl.DataFrame, episodes: pl.DataFrame, size: int, *, model: str = "base", win_share: float = 0.5
) -> pl.DataFrame:
    """Tasks that the student wins, near-misses first, as rows of PANELS (panel ``retention``).

    A task counts as won when at least ``win_share`` of its student episodes without fault succeeded and at
    least one did. Its rank is the mean entropy (nats) of the student's decisions in the won episodes, highest
    first; ties by task_id. Fewer than ``size`` tasks are returned when fewer are won.
    """
    own = episodes.filter((pl.col("model") == model) & (pl.col("behaviour") == "student") & pl.col("fault").is_null())
    shares = own.group_by("task_id").agg(share=pl.col("success").cast(pl.Float64).mean())
    won = own.filter("success").join(shares.filter(pl.col("share") >= win_share), on="task_id", how="semi")
    decisions = steps.join(won.select("episode_id"), on="episode_id", how="semi").select("task_id", "logp")
    entropies: dict[str, list[float]] = {}
    for task_id, logp in decisions.iter_rows():
        values = np.asarray(logp)
        entropies.setdefault(task_id, []).append(-float(np.exp(values) @ np.maximum(values, -1e300)))
    ranked = sorted(entropies, key=lambda task: (-math.fsum(entropies[task]) / len(entropies[task]), task))
    rows = [
        {
            "panel": "retention",
            "side": "held_out",
            "snapshot_id": None,
            "task_id": task,
            "quadrant": None,
            "order": order,
        }
        for order, task in enumerate(ranked[:size])
    ]
    return pl.DataFrame(rows, schema=dict(tables.PANELS))
