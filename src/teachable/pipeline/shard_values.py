"""What every stage that values snapshots does with its shard, whichever of its quantities it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from teachable.pipeline.experts import expert_of
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import load_student
from teachable.pipeline.progress import Reporter, shard_of, tell_faults
from teachable.pipeline.tasks import by_id
from teachable.pipeline.valuing import value_snapshots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c
    from teachable.config.expert import Expert as Section
    from teachable.rollouts.values import Values


def value_shard(
    student: Path,
    snapshots: pl.DataFrame,
    advice: pl.DataFrame | None,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    *,
    world: c.World,
    estimation: c.Estimation,
    seed: int,
    shard: int,
    shards: int,
    leverage: bool = True,
    expert: Section | None = None,
    checkpoint: Mapping[str, Any] | None = None,
) -> Values:
    """Every ``shards``-th snapshot of SNAPSHOTS from ``shard`` on: leverage, and, where there is ADVICE, the five
    conditions of the patch test. ``expert`` None: the game's own solver; ``checkpoint``: what ``link-expert`` recorded.
    Tells how far it is, and faults of the engine."""
    loaded = load_student(student)
    with expert_of(expert, checkpoint, student=lambda: loaded) as playing:
        values = value_snapshots(
            loaded,
            open_world(world),
            games_root(games),
            by_id(tasks),
            shard_of(snapshots, shard, shards),
            advice,
            estimation,
            layout=loaded.layout,
            max_steps=world.max_steps,
            run_seed=seed,
            leverage=leverage,
            expert=playing,
            progress=Reporter("snapshots valued"),
        )
    tell_faults(values.faults)
    return values
