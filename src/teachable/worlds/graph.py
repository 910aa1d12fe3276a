"""Cheapest ways through a graph known only by its steps: rooms and doors, or states behind replayed commands."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)
Label = TypeVar("Label")


class OutOfBudget(Exception):
    """More nodes were taken up than allowed; whether there is a way is not known."""


def cheapest(
    start: Node,
    steps: Callable[[Node], Iterable[tuple[tuple[Label, ...], Node]]],
    good: Callable[[Node], bool],
    *,
    budget: int | None = None,
) -> tuple[Label, ...] | None:
    """The labels on a cheapest way from ``start`` to a node that is ``good``: () when it is, None when there is none.

    ``steps`` gives (labels, next node) for each step; a step costs as much as it has labels, at least one. Among ways
    of equal cost the one found first, in the order of ``steps``, so the same graph gives the same way. Raises
    :class:`OutOfBudget` when more than ``budget`` nodes would be taken up.
    """
    count, taken = 0, set[Node]()
    queue: list[tuple[int, int, Node, tuple[Label, ...]]] = [(0, 0, start, ())]
    while queue:
        cost, _, node, way = heapq.heappop(queue)
        if node in taken:
            continue
        if good(node):
            return way
        if budget is not None and len(taken) >= budget:
            raise OutOfBudget(f"more than {budget} nodes")
        taken.add(node)
        for labels, following in steps(node):
            if following not in taken:
                count += 1
                heapq.heappush(queue, (cost + len(labels), count, following, (*way, *labels)))
    return None
