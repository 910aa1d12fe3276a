"""What each step of a training sees: indices of examples, and of decisions replayed beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np


def stratified(strata: Sequence[str], generator: np.random.Generator) -> Iterator[int]:
    """Indices of `strata` without end, as many of every stratum: the strata take turns in an order drawn once, and
    no index of a stratum comes again before all were used."""
    members: dict[str, list[int]] = {}
    for index, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(index)
    names = sorted(members)
    waiting: dict[str, list[int]] = {name: [] for name in names}
    for turn in cycle(generator.permutation(len(names)).tolist()):
        name = names[turn]
        if not waiting[name]:
            waiting[name] = generator.permutation(members[name]).tolist()
        yield waiting[name].pop()


def epoch_batches(
    count: int,
    batch_size: int,
    steps: int,
    generator: np.random.Generator,
    *,
    strata: Sequence[str] = (),
    replayed: int = 0,
) -> Iterator[list[int]]:
    """`steps` batches of indices, every epoch in a new order; the last batch of an epoch may be smaller.

    Every epoch holds all of `range(count)` and, mixed among them, `replayed` of the indices behind it, index
    `count + i` being of stratum `strata[i]`: other ones every epoch (see :func:`stratified`).
    """
    made = 0
    again = stratified(strata, generator)
    while True:
        rows = [*range(count), *(count + next(again) for _ in range(replayed))]
        order = [rows[i] for i in generator.permutation(len(rows))]
        for start in range(0, len(rows), batch_size):
            if made == steps:
                return
            yield order[start : start + batch_size]
            made += 1
