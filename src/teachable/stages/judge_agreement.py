"""How far the judge agrees with the deciding decision and with the action values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.evaluation.judging import judge_agreement
from teachable.evaluation.resampling import Resampling

if TYPE_CHECKING:
    import polars as pl

    from teachable.config import model as c

ABOUT = {
    "about": "kappa of the judge with what is known exactly",
    "inputs": "judgements",
    "outputs": {
        "judge_agreement": (
            "phase1/judge_agreement.parquet",
            "METRICS",
            "panel judge, model the judge's; group decision: metric verdicts, agreement, within_one, kappa, "
            "kappa_within_one, kappa_linear; group advice: verdicts, agreement, kappa, said_right, is_right",
        )
    },
    "params": "seed statistics",
}


def run(judgements: pl.DataFrame, statistics: c.Statistics, seed: int) -> pl.DataFrame:
    return judge_agreement(judgements, Resampling(**statistics.model_dump()), seed=seed)
