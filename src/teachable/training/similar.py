"""Which held-out games are most like the one a snapshot comes from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

_WORD = re.compile(r"[a-z]+")


def words_of(*texts: str | None) -> frozenset[str]:
    """The distinct lower-case words of some texts."""
    return frozenset(word for text in texts if text for word in _WORD.findall(text.lower()))


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Tasks with their words, ready to be asked for the nearest ones.

    Likeness is the weighted Jaccard index of the words of goal, documents read and scenes:
    ``sum of idf over common words / sum of idf over all words``, with ``idf = ln(tasks / tasks with the
    word)``, so words that every game has say nothing (Jaccard 1912; Sparck Jones 1972).
    """

    task_ids: tuple[str, ...]
    families: tuple[str, ...]
    present: NDArray[np.float64]  # [tasks, words], 0 or 1
    weights: NDArray[np.float64]  # [words]

    @classmethod
    def of(cls, snapshots: pl.DataFrame) -> Neighbours:
        """Tasks of a SNAPSHOTS or LABELED table, each described by all its snapshots."""
        texts = (
            snapshots.sort("task_id", "snapshot_id")
            .group_by("task_id", maintain_order=True)
            .agg(pl.col("family").first(), "goal", "memo", "scene")
        )
        words = [words_of(*goal, *memo, *scene) for _, _, goal, memo, scene in texts.iter_rows()]
        vocabulary = sorted(frozenset().union(*words))
        present = np.array([[word in own for word in vocabulary] for own in words], dtype=np.float64)
        present = present.reshape(len(words), len(vocabulary))
        weights = np.log(len(words) / np.maximum(1.0, present.sum(axis=0)))
        return cls(tuple(texts["task_id"]), tuple(texts["family"]), present, weights)

    def nearest(self, task_id: str, candidates: Sequence[str], number: int) -> list[str]:
        """Up to ``number`` of ``candidates`` of the same family, most alike first (ties by id), never the task itself.

        Raises :class:`KeyError` for an unknown task.
        """
        index = {task: i for i, task in enumerate(self.task_ids)}
        here = index[task_id]
        rows = [index[c] for c in sorted(set(candidates) - {task_id}) if self.families[index[c]] == self.families[here]]
        both = (self.present[rows] * self.present[here]) @ self.weights
        either = np.maximum(self.present[rows], self.present[here]) @ self.weights
        likeness = np.divide(both, either, out=np.zeros(len(rows)), where=either > 0)
        return [self.task_ids[rows[i]] for i in np.argsort(-likeness, kind="stable")[:number]]
