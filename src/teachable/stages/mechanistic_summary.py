"""First actions, probability shifts and linear probes, by quadrant, ELP bin and route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.evaluation.mechanistic import mechanistic
from teachable.evaluation.resampling import Resampling

if TYPE_CHECKING:
    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "intervals of first actions, shifts and linear probes",
    "inputs": "probes* episodes=model_episodes* labeled",
    "outputs": {
        "mechanistic": (
            "phase3/mechanistic.parquet",
            "MECHANISTIC",
            "metric success_from_state | first_action_correct | expert_prob_shift | probe_state_accuracy | "
            "probe_goal_accuracy (and probe_state_chance, probe_goal_chance, and of runs probe_state_from_base, "
            "probe_goal_from_base: the base's probe reads the run); by all | quadrant | elp_bin | route",
        )
    },
    "params": "seed statistics",
}


def run(
    probes: pl.DataFrame, episodes: pl.DataFrame, labeled: pl.DataFrame, statistics: c.Statistics, seed: int
) -> pl.DataFrame:
    return mechanistic(probes, episodes, labeled, Resampling(**statistics.model_dump()), seed=seed)
