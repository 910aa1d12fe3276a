"""Uniform; another draw for every training of the run."""

from __future__ import annotations

import numpy as np

from teachable.seeds import stream
from teachable.selection.pool import Choice, Pool

ABOUT = {"source": "student"}


def choose(pool: Pool) -> list[Choice]:
    size = len(pool.candidates)
    orders = {
        draw: stream(pool.seed, "selection", pool.method, draw).permutation(size)[: pool.k].tolist()
        for draw in range(1, pool.draws + 1)
    }
    return [Choice(order, np.ones(len(order)), draw=draw) for draw, order in orders.items()]
