"""Uncertainty of a decision: pure functions of the student's distribution over the admissible commands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from teachable import tables


def uncertainty(logp: ArrayLike, commands: Sequence[str], chosen: str, *, topk: int = 3) -> dict[str, float]:
    """All uncertainty measures of one decision (the columns ``tables.MEASURES``).

    ``logp`` [K] holds the natural log-probabilities of the K ``commands``; it is renormalised, so rounding in
    storage does not matter. With p sorted downwards and p_j = 0 beyond the K commands there are:

    ==================== =========================================================================
    entropy              H = -sum p ln p, nats
    entropy_normalised   H / ln K, in [0, 1]; 0 when there is only one command
    margin               p_1 - p_2
    topk_spread          p_1 - p_k, k = ``topk``
    effective_actions    exp(H), between 1 and K
    logp_chosen          ln p(chosen) / number of words of the chosen command, nats per word
    ==================== =========================================================================

    Raises ValueError for an empty or ill-shaped distribution and for a ``chosen`` that is not among the commands.
    """
    values = np.asarray(logp, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or values.size != len(commands):
        raise ValueError(f"a distribution of shape {values.shape} does not fit {len(commands)} commands")
    if np.isnan(values).any() or values.max() == -np.inf:
        raise ValueError("a distribution holds NaN or no finite log-probability")
    if chosen not in commands:
        raise ValueError(f"the chosen command {chosen!r} is not among the admissible commands")
    top = values.max()
    values = values - (top + np.log(np.exp(values - top).sum()))
    p = np.exp(values)
    entropy = max(0.0, -float(np.sum(p[p > 0] * values[p > 0])))
    ranked = np.sort(p)[::-1]

    def at(rank: int) -> float:
        return float(ranked[rank - 1]) if rank <= ranked.size else 0.0

    return {
        "entropy": entropy,
        "entropy_normalised": entropy / float(np.log(p.size)) if p.size > 1 else 0.0,
        "margin": at(1) - at(2),
        "topk_spread": at(1) - at(topk),
        "effective_actions": float(np.exp(entropy)),
        "logp_chosen": float(values[list(commands).index(chosen)]) / max(1, len(chosen.split())),
    }


def measures(snapshots: pl.DataFrame, topk: int) -> pl.DataFrame:
    """``snapshot_id`` and the columns of :func:`uncertainty`, one row for each of ``snapshots`` (SNAPSHOTS)."""
    columns = snapshots.select("snapshot_id", "logp", "commands", "student_action")
    rows = [
        {"snapshot_id": snapshot_id, **uncertainty(logp, commands, action, topk=topk)}
        for snapshot_id, logp, commands, action in columns.iter_rows()
    ]
    return pl.DataFrame(rows, schema={"snapshot_id": pl.String, **dict.fromkeys(tables.MEASURES, pl.Float64)})
