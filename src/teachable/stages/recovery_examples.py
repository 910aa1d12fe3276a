"""Continue with the expert from snapshots of high leverage, and make examples of every step on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.pipeline.collecting import continue_with_expert
from teachable.pipeline.experts import expert_of
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import load_prompter, load_student
from teachable.pipeline.progress import Reporter, tell_faults
from teachable.pipeline.tasks import by_id
from teachable.training.budget import Replay
from teachable.training.recovery import recovery_pool, recovery_set
from teachable.training.sets import SetSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import polars as pl

    from teachable.config import model as c
    from teachable.config.expert import Expert

ABOUT = {
    "about": "make examples of expert continuations",
    "inputs": "labeled panels replay tasks games* student checkpoint?",
    "outputs": {
        "recovery_examples": ("phase2/recovery_examples.parquet", "EXAMPLES"),
        "recovery_budget": ("phase2/recovery_budget.parquet", "BUDGET"),
    },
    "params": "seed world expert training.max_examples training.recovery_minimum training.epochs training.batch_size "
    "share=training.replay",
    "world": "play",
    "student": "checkpoint",
}


def run(
    labeled: pl.DataFrame,
    panels: pl.DataFrame,
    replay: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    student: Path,
    checkpoint: Mapping[str, Any] | None,
    seed: int,
    world: c.World,
    expert: Expert,
    max_examples: int,
    recovery_minimum: float,
    epochs: int,
    batch_size: int,
    share: float,
) -> dict[str, Any]:
    prompter = load_prompter(student)
    settings = SetSettings(seed=seed, recovery_minimum=recovery_minimum)
    with expert_of(expert, checkpoint, student=lambda: load_student(student)) as playing:
        continuations, faults = continue_with_expert(
            open_world(world),
            games_root(games),
            by_id(tasks),
            recovery_pool(labeled, panels, settings),
            max_steps=world.max_steps,
            run_seed=seed,
            enough=2 * max_examples,  # some are the same decision
            expert=playing,
            progress=Reporter("expert continuations"),
        )
    tell_faults(faults)
    examples, budget = recovery_set(
        labeled,
        panels,
        continuations,
        prompter.render_decision,
        prompter.count_tokens,
        settings,
        Replay(share, replay.height, epochs, batch_size),
        target=max_examples,
    )
    return {"recovery_examples": examples, "recovery_budget": budget}
