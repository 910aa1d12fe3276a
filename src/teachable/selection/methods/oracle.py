"""The measured ELP_net, highest first: what the best predictor could do."""

from __future__ import annotations

from teachable.selection.pool import Choice, Pool

ABOUT = {"source": "student"}


def choose(pool: Pool) -> Choice:
    return pool.best(pool.measured("ELP_net"))
