"""Cheapest ways."""

from __future__ import annotations

import pytest

from teachable.worlds.graph import OutOfBudget, cheapest

ROADS = {"a": [("slow", "b"), (["x", "y", "z"], "c")], "b": [("on", "c")], "c": [("back", "a")], "d": []}


def steps(node):
    for labels, following in ROADS[node]:
        yield (labels,) if isinstance(labels, str) else tuple(labels), following


def test_the_cheapest_way_is_found() -> None:
    assert cheapest("a", steps, lambda node: node == "c") == ("slow", "on")
    assert cheapest("a", steps, lambda node: node == "a") == ()
    assert cheapest("a", steps, lambda node: node == "d") is None


def test_equal_ways_are_told_apart_by_the_order_of_steps() -> None:
    square = {0: [1, 2], 1: [3], 2: [3], 3: []}
    for order in (1, -1):
        way = cheapest(0, lambda n, o=order: (((n, m), m) for m in square[n][::o]), lambda n: n == 3)
        assert way == ((0, 1, 1, 3) if order == 1 else (0, 2, 2, 3))


def test_a_budget_is_kept_and_told_from_no_way() -> None:
    line = lambda n: [(("on",), n + 1)]  # noqa: E731
    assert len(cheapest(0, line, lambda n: n == 50, budget=50)) == 50
    with pytest.raises(OutOfBudget, match="more than 50 nodes"):
        cheapest(0, line, lambda n: n == 51, budget=50)
