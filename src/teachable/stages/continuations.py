"""From training-side snapshots the teacher's command, then the student by itself: what it wins so is replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.collecting import continue_after_advice
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import load_student
from teachable.pipeline.progress import Reporter
from teachable.pipeline.tasks import by_id
from teachable.rollouts.episodes import PlaySettings
from teachable.training.sets import teachable_pool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any, Literal

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "play the student on after the teacher's command",
    "inputs": "labeled advice panels tasks games* student",
    "outputs": {
        "continued_steps": ("phase2/continuations/steps.parquet", "STEPS"),
        "continued_episodes": ("phase2/continuations/episodes.parquet", "EPISODES"),
    },
    "params": "seed world estimation.horizon training.continuations",
    "world": "play",
    "student": True,
}


def run(
    labeled: pl.DataFrame,
    advice: pl.DataFrame,
    panels: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    student: Path,
    seed: int,
    world: c.World,
    horizon: Literal["fresh", "remaining"],
    continuations: int,
) -> dict[str, Any]:
    played = continue_after_advice(
        load_student(student),
        open_world(world),
        games_root(games),
        by_id(tasks),
        teachable_pool(labeled, advice, panels),
        advice,
        continuations,
        settings=PlaySettings(max_steps=world.max_steps, horizon=horizon),
        run_seed=seed,
        progress=Reporter("episodes"),
    )
    return {"continued_steps": played.steps, "continued_episodes": played.episodes}
