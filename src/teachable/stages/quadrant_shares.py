"""How many labelled snapshots fall into each quadrant, by family and by planted skill, clustered by game."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.labels.shares import quadrant_shares
from teachable.worlds import get_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "shares of the quadrants, by family and planted skill",
    "inputs": "labeled",
    "outputs": {
        "quadrant_shares": (
            "phase1/quadrant_shares.parquet",
            "METRICS",
            "model base, panel labeled, metric share_<quadrant>, by all, family, skill=<planted>",
        )
    },
    "params": "seed statistics labels.setup_b world_name=world.name",
    "own": {"planted": "list"},
    "world": "words",
}


def run(
    labeled: pl.DataFrame,
    seed: int,
    statistics: c.Statistics,
    setup_b: Literal["apart", "together"],
    world_name: str,
    planted: Sequence[str],
) -> pl.DataFrame:
    """``planted``: the skills that the student was made to lack; none where it was not made here."""
    skill_of = get_words(world_name).skill_of
    return quadrant_shares(
        labeled, planted, skill_of, seed=seed, together=setup_b == "together", **statistics.model_dump()
    )
