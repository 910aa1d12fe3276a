"""Generate one shard of games; the expert wins each of them once, or it is not a task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teachable import seeds
from teachable.generation import get_generator
from teachable.pipeline.progress import Reporter
from teachable.pipeline.tasks import task_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import polars as pl

ABOUT = {
    "about": "generate games and play the expert once on each",
    "outputs": {
        "games": ("world/{split}/games/{shard}",),
        "tasks": ("world/{split}/tasks/{shard}.parquet", "TASKS"),
    },
    "params": "seed world_name=world.name max_steps=world.max_steps",
    "own": {"options": "dict", "split": "str", "items": "list"},
    "world": "generator",
}


def run(
    out: Mapping[str, Path],
    seed: int,
    world_name: str,
    max_steps: int,
    options: Mapping[str, Any],
    split: str,
    items: Sequence[tuple[str, int]],
) -> pl.DataFrame:
    """``options`` are those of the world's generator for this split, ``items`` pairs of family and index in family and
    split. Raises GenerationError when a game cannot be made."""
    directory = out["games"]
    directory.mkdir(parents=True)
    generator = get_generator(world_name, max_expert_steps=max_steps, **options)
    numbers = [seeds.integer(seed, "task", split, family, index) for family, index in items]
    families = [family for family, _ in items]
    made = generator.generate(families, split, numbers, directory, progress=Reporter("games made"))
    return task_frame([replace(task, game=f"{directory.name}/{task.game}") for task in made])
