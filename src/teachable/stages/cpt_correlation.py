"""Relate the patch test to micro-training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.training.correlation import cpt_correlation

if TYPE_CHECKING:
    from typing import Any

    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "relate the patch test to micro-training",
    "inputs": "microtraining labeled",
    "outputs": {
        "cpt_correlation": (
            "phase1b/cpt_correlation.json",
            "CPT_CORRELATION",
            "overall {spearman, pearson, spearman_L_local, partial_spearman_ELP_given_L: interval}, per_quadrant {Q: "
            "{spearman, pearson}}, utility {Q}, utility_Q1_minus_Q2, median_net_gain, mean_net_gain, "
            "mean_placebo_gain: each an interval, of nulls where it is not defined",
        )
    },
    "params": "seed statistics setting=microtraining",
}


def run(
    microtraining: pl.DataFrame, labeled: pl.DataFrame, statistics: c.Statistics, setting: c.Microtraining, seed: int
) -> dict[str, Any]:
    report = cpt_correlation(microtraining, labeled, statistics, seed=seed)
    return {**report, "setting": setting.model_dump(exclude={"shard_size"})}
