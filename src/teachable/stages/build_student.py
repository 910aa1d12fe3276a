"""Make the built-in student: clone it from demonstrations, then see that it is partly competent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.building import build
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.progress import Reporter
from teachable.pipeline.tasks import tasks_in
from teachable.worlds import get_reasons, get_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "make the built-in student from demonstrations",
    "inputs": "demonstrations* tasks* games*",
    "outputs": {"weights": ("world/builtin_student",)},
    "params": "seed world builtin",
    "world": "play words reasons",
}


def run(
    demonstrations: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    out: Mapping[str, Path],
    seed: int,
    world: c.World,
    builtin: c.Builtin,
) -> None:
    """Raises ConfigError when no games are left to learn from, StudentError when success is outside of the band."""
    record = build(
        demonstrations,
        tasks_in(tasks),
        open_world(world),
        games_root(games),
        builtin,
        get_words(world.name),
        get_reasons(world.name),
        max_steps=world.max_steps,
        run_seed=seed,
        out=out["weights"],
        progress=Reporter("steps"),
    )
    print(f"loss {record.losses[-1]:.3f}, validation success {record.success:.2f}", flush=True)
