"""Tokens that go through a model, and the fewest that could; needs torch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class Encoded:
    """How many columns the forward passes had since the counting began, padding included."""

    def __init__(self) -> None:
        self.tokens = 0


@contextmanager
def counted(model: Any) -> Iterator[Encoded]:
    """Count what ``model`` reads meanwhile."""
    found = Encoded()

    def count(_: Any, arguments: Any, given: dict[str, Any]) -> None:
        ids = given.get("input_ids", arguments[0] if arguments else None)
        found.tokens += 0 if ids is None else int(ids.numel())

    hook = model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield found
    finally:
        hook.remove()


def fewest(sequences: Sequence[Sequence[int]]) -> int:
    """Nodes of the tree of all sequences' beginnings: sorted, each adds what it does not share with the one before."""
    total, before = 0, tuple[int, ...]()
    for sequence in sorted(set(map(tuple, sequences))):
        shared = 0
        while shared < min(len(before), len(sequence)) and before[shared] == sequence[shared]:
            shared += 1
        total, before = total + len(sequence) - shared, sequence
    return total
