"""Answers that were given, by adapter and question."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Question = tuple[str, tuple[str, ...]]  # prompt and commands


class Answers:
    """At most `size` answers; the oldest adapter's oldest go first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: dict[str | None, dict[Question, np.ndarray]] = {}

    def get(self, adapter: str | None, question: Question) -> np.ndarray | None:
        return self._known.get(adapter, {}).get(question)

    def keep(self, adapter: str | None, answers: Mapping[Question, np.ndarray]) -> None:
        if self._size <= 0:
            return
        self._known.setdefault(adapter, {}).update(answers)
        excess = sum(len(part) for part in self._known.values()) - self._size
        for part in list(self._known.values()):
            while excess > 0 and part:
                del part[next(iter(part))]
                excess -= 1

    def forget(self, adapter: str | None, *, everything: bool) -> None:
        if everything:
            self._known.clear()
        else:
            self._known.pop(adapter, None)
