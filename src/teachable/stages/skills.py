"""Which skills the failures lack, by quadrant, beside those that were planted in the student."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.labels.skills import skills
from teachable.training.gaps import Gap
from teachable.worlds import get_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "count the skills that the failures lack, by quadrant",
    "inputs": "labeled",
    "outputs": {
        "skills": ("phase1/skills.parquet", "SKILLS", "one row a quadrant (and all) and skill or kind of skill")
    },
    "params": "seed statistics labels.setup_b world_name=world.name",
    "own": {"gaps": "dict"},
    "world": "words",
}


def run(
    labeled: pl.DataFrame,
    seed: int,
    statistics: c.Statistics,
    setup_b: Literal["apart", "together"],
    world_name: str,
    gaps: Mapping[str, Any],
) -> pl.DataFrame:
    """``gaps`` are those planted in the student: none where it was not made here."""
    planted = {skill: Gap(**gap) for skill, gap in gaps.items()}
    return skills(
        labeled,
        planted,
        get_words(world_name).skill_of,
        seed=seed,
        together=setup_b == "together",
        **statistics.model_dump(),
    )
