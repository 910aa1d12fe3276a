"""Expected error reduction: what is predicted to mend most failures like it on other games of the training side.

See :func:`~teachable.selection.expected_error.greedy_error_reduction`. A seeded share of the pool's games judges and
gives no candidate (:meth:`~teachable.selection.pool.Pool.judged`); held-out games have no say.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from teachable.predictor.errors import PredictorError
from teachable.selection.expected_error import Surrogate, greedy_error_reduction
from teachable.selection.pool import ONE_GAME, Choice, Pool

ABOUT = {"predicted": True}


def choose(pool: Pool) -> Choice:
    parts = pool.judged()
    if parts is None:
        return Choice([], np.empty(0), ONE_GAME)
    target, rest = parts
    error = 1.0 - pool.measured("p_policy", target)
    known = np.isfinite(error)
    if not known.any():
        raise PredictorError("expected error reduction needs p_policy of the validation snapshots; none is known.")
    judged = pool.featured(target.filter(pl.Series(known)))
    surrogate = Surrogate.build(pool.featured(rest), pool.predicted(rest), judged, error[known])
    chosen, gain = greedy_error_reduction(surrogate, pool.k, pool.ties[: len(rest)])
    return Choice(rest["_row"][chosen].to_list(), gain, "every other candidate is predicted to teach nothing")
