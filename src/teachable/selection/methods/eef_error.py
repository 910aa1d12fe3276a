"""Expected error reduction: what is predicted to mend most failures like it on other games of the training side.

See :func:`~teachable.selection.expected_error.greedy_error_reduction`. A seeded share of the pool's games judges and
gives no candidate; held-out games have no say.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from teachable.predictor.errors import PredictorError
from teachable.seeds import stream
from teachable.selection.expected_error import Surrogate, greedy_error_reduction
from teachable.selection.pool import Choice, Pool

ABOUT = {"predicted": True}
VALIDATION = 0.3  # share of the games that judge


def choose(pool: Pool) -> Choice:
    games = pool.candidates["task_id"].unique().sort()
    if len(games) < 2:
        return Choice([], np.empty(0), "the pool is of one game, which leaves none to judge by")
    drawn = stream(pool.seed, "selection", "validation").permutation(len(games))
    judging = games[drawn[: max(1, round(VALIDATION * len(games)))].tolist()]
    rows = pool.candidates.with_row_index("_row")
    judges = pl.col("task_id").is_in(judging.implode())
    target, rest = rows.filter(judges), rows.filter(~judges)
    error = 1.0 - pool.measured("p_policy", target)
    known = np.isfinite(error)
    if not known.any():
        raise PredictorError("expected error reduction needs p_policy of the validation snapshots; none is known.")
    judged = pool.featured(target.filter(pl.Series(known)))
    surrogate = Surrogate.build(pool.featured(rest), pool.predicted(rest), judged, error[known])
    chosen, gain = greedy_error_reduction(surrogate, pool.k, pool.ties[: len(rest)])
    return Choice(rest["_row"][chosen].to_list(), gain, "every other candidate is predicted to teach nothing")
