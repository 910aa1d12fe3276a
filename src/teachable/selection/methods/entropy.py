"""The student's entropy, highest first."""

from __future__ import annotations

from teachable.selection.pool import Choice, Pool

ABOUT = {"source": "student"}


def choose(pool: Pool) -> Choice:
    return pool.best(pool.measured("entropy"))
