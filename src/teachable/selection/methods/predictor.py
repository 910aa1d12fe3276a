"""The predicted ELP_net, highest first."""

from __future__ import annotations

from teachable.selection.pool import Choice, Pool

ABOUT = {"predicted": True}


def choose(pool: Pool) -> Choice:
    return pool.best(pool.predicted())
