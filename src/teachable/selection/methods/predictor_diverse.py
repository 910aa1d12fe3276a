"""The predicted ELP_net weighed against what is already covered."""

from __future__ import annotations

from teachable.selection.coverage import diverse
from teachable.selection.pool import Choice, Pool

ABOUT = {"predicted": True}


def choose(pool: Pool) -> Choice:
    return diverse(pool, pool.predicted())
