"""A command list as a tree of tokens, so that one forward pass behind a shared prompt scores all of it.

Commands share beginnings ("take apple", "take apple from counter"), so their distinct token prefixes form a
tree. A command's last token, the end-of-action token, only ever has to be predicted, never read, so it is
not a node: eleven commands of five tokens are typically about twenty nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from teachable.student.errors import StudentError

ROOT = -1  # the last token of the prompt


@dataclass(frozen=True, slots=True)
class TokenTree:
    """The distinct proper prefixes of K token sequences; N nodes, parents before children."""

    tokens: np.ndarray  # [N] int64, the token a node reads
    depths: np.ndarray  # [N] int64, 0 for a child of the root
    attends: np.ndarray  # [N, N] bool, a node and its ancestors
    sources: np.ndarray  # [S] int64, node (or ROOT) whose output predicts ...
    targets: np.ndarray  # [S] int64, ... this token
    owners: np.ndarray  # [S] int64, the command the prediction belongs to
    lengths: np.ndarray  # [K] int64, tokens per command, the end-of-action token included

    @property
    def size(self) -> int:
        return len(self.tokens)

    def scores(self, log_probabilities: np.ndarray, *, mean: bool) -> np.ndarray:
        """Scores [K] of the commands: the sum (or mean) of their tokens' log-probabilities [S]."""
        totals = np.zeros(len(self.lengths))
        np.add.at(totals, self.owners, log_probabilities)
        return totals / self.lengths if mean else totals


def _integers(values: Sequence[int]) -> np.ndarray:
    return np.asarray(values, dtype=np.int64)


def build_tree(sequences: Sequence[Sequence[int]]) -> TokenTree:
    """The tree of token `sequences`, each of which ends in an end-of-action token.

    Raises StudentError when two sequences are equal, since a policy over them would be ambiguous.
    """
    if len({tuple(sequence) for sequence in sequences}) != len(sequences):
        raise StudentError("two admissible commands have the same tokens; a command list must not repeat itself")
    children: dict[tuple[int, int], int] = {}
    parents: list[int] = []
    tokens: list[int] = []
    depths: list[int] = []
    sources: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    for owner, sequence in enumerate(sequences):
        node = ROOT
        for depth, token in enumerate(sequence):
            sources.append(node)
            targets.append(token)
            owners.append(owner)
            if depth + 1 == len(sequence):
                break
            child = children.get((node, token))
            if child is None:
                child = children[node, token] = len(tokens)
                parents.append(node)
                tokens.append(token)
                depths.append(depth)
            node = child
    attends = np.eye(len(tokens), dtype=bool)
    for node, parent in enumerate(parents):
        if parent != ROOT:
            attends[node] |= attends[parent]
    return TokenTree(
        tokens=_integers(tokens),
        depths=_integers(depths),
        attends=attends,
        sources=_integers(sources),
        targets=_integers(targets),
        owners=_integers(owners),
        lengths=_integers([len(sequence) for sequence in sequences]),
    )
