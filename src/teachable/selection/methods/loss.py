"""The student's loss on the example, highest first: what it would be furthest from doing by itself."""

from __future__ import annotations

import numpy as np

from teachable.predictor.sets import Floats
from teachable.selection.pool import Choice, Pool

ABOUT = {"source": "student"}


def choose(pool: Pool) -> Choice:
    score = loss(pool)
    return pool.best(score, ~np.isnan(score), "the teacher's command is not admissible at the others")


def loss(pool: Pool) -> Floats:
    """``[N]`` nats: -log of the probability that the student gives the teacher's command among those of the snapshot.

    Of the whole command, as the student plays, not a mean over its tokens. NaN, which is not chosen, where the
    teacher's command is none of them.
    """
    rows = pool.candidates.select("commands", "logp", "suggested_action")
    return np.array(
        [
            -logp[commands.index(taught)] if taught in commands else np.nan
            for commands, logp, taught in rows.iter_rows()
        ],
        dtype=np.float64,
    )
