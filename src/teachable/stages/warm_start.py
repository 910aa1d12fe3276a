"""Warm a pretrained student up: LoRA on expert play of the warm-start games, merged; then see how often it wins.

Only where ``student.warm_start`` is set. What is written is a model's directory like any other, which ``link-student``
takes for the student; its ``student.json`` says what was learned and how often it won before and after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.errors import ConfigError
from teachable.pipeline.building import warm
from teachable.pipeline.games import games_root, open_world
from teachable.pipeline.models import load_pretrained
from teachable.pipeline.progress import Reporter
from teachable.pipeline.tasks import tasks_in
from teachable.worlds import get_reasons, get_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "warm a pretrained student up with expert play",
    "inputs": "demonstrations* tasks* games*",
    "outputs": {"warm_student": ("world/warm_student",)},
    "params": "seed world student training.micro_batch",
    "world": "play words reasons",
    "student": True,
    "beside": "teachable.pipeline.models.beside",
}


def run(
    demonstrations: pl.DataFrame,
    tasks: pl.DataFrame,
    games: Sequence[Path],
    out: Mapping[str, Path],
    seed: int,
    world: c.World,
    student: c.Student,
    micro_batch: int,
) -> None:
    """Raises ConfigError when there is nothing to do or to learn from, StudentError when success is outside of the
    band or the model is not on this machine."""
    if student.warm_start is None:
        raise ConfigError("student.warm_start is null: there is nothing to warm the student up with.")
    record = warm(
        load_pretrained(student),
        demonstrations,
        tasks_in(tasks),
        open_world(world),
        games_root(games),
        student.warm_start,
        get_words(world.name),
        get_reasons(world.name),
        max_steps=world.max_steps,
        run_seed=seed,
        micro_batch=micro_batch,
        out=out["warm_student"],
        progress=Reporter("steps"),
    )
    print(
        f"{record.examples} examples, loss {record.loss_first:.3f} to {record.loss_last:.3f}, validation success "
        f"{record.success_before:.2f} to {record.success:.2f}",
        flush=True,
    )
