"""Tokens that a model read, and the fewest that would have done."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from teachable.student.trees import TokenTree

_PRIME = 0x9E3779B97F4A7C15  # odd, of no pattern in binary
_LARGEST = 2**64


class Asked(Protocol):
    """A decision that was asked about."""

    @property
    def prompt(self) -> list[int]: ...
    @property
    def tree(self) -> TokenTree: ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts of a process. `encoded`: tokens of forward passes, padding apart. `fewest`: distinct tokens in the tree of
    all texts asked about (prompts with their commands), each adapter's apart, since weights change what is kept."""

    decisions: int = 0
    encoded: int = 0
    fewest: int = 0


class Distinct:
    """Counts distinct 64-bit hashes in bounded memory: exactly up to `keep`, then within about 1 / sqrt(keep).

    The k smallest hashes are kept; of N uniform ones in [0, 1) the k-th smallest is about k / N (Bar-Yossef et al.
    2002, Counting distinct elements in a data stream).
    """

    def __init__(self, keep: int = 1 << 18) -> None:
        self._keep = keep
        self._kept = np.empty(0, dtype=np.uint64)
        self._fresh: list[np.ndarray] = []
        self._waiting = 0
        self._full = False

    def add(self, hashes: np.ndarray) -> None:
        """Count `hashes` [N] uint64."""
        if self._full:
            hashes = hashes[hashes < self._kept[-1]]
        self._fresh.append(hashes)
        self._waiting += len(hashes)
        if self._waiting > self._keep:
            self._settle()

    def _settle(self) -> None:
        found = np.unique(np.concatenate([self._kept, *self._fresh]))
        self._full = self._full or len(found) > self._keep
        self._kept = found[: self._keep]
        self._fresh, self._waiting = [], 0

    def count(self) -> int:
        """How many distinct hashes there were."""
        self._settle()
        if not self._full:
            return len(self._kept)
        return round((self._keep - 1) * _LARGEST / float(self._kept[-1]))


class Meter:
    """Adds up what the models of a process read."""

    def __init__(self) -> None:
        self._decisions = self._encoded = 0
        self._distinct = Distinct()
        self._powers = np.ones(1, dtype=np.uint64)

    def asked(self, requests: Sequence[Asked], adapter: str | None) -> None:
        """Decisions that had to be computed."""
        salt = np.uint64(zlib.crc32(repr(adapter).encode()) * _PRIME % _LARGEST)
        self._decisions += len(requests)
        for request in requests:
            self._distinct.add(_mixed(self._prefixes(request) + salt))

    def read(self, tokens: int) -> None:
        """Tokens that went through the model."""
        self._encoded += tokens

    def tokens(self) -> Tokens:
        return Tokens(self._decisions, self._encoded, self._distinct.count())

    def take(self) -> Tokens:
        """The counts since they were taken last."""
        found = self.tokens()
        self._decisions = self._encoded = 0
        self._distinct = Distinct()
        return found

    def _prefixes(self, request: Asked) -> np.ndarray:
        """A hash of every token together with all before it [prompt + nodes]: sum of mixed(token) * prime ** place."""
        tree, length = request.tree, len(request.prompt)
        self._reach(length + tree.size)
        prompt = np.cumsum(_mixed(np.array(request.prompt, dtype=np.uint64)) * self._powers[:length])
        places = length + tree.depths
        nodes = _mixed(tree.tokens.astype(np.uint64)) * self._powers[places]
        return np.concatenate([prompt, prompt[-1:] + tree.attends.astype(np.uint64) @ nodes])

    def _reach(self, length: int) -> None:
        if length > len(self._powers):
            steps = np.full(max(length, 2 * len(self._powers)), _PRIME, dtype=np.uint64)
            steps[0] = 1
            self._powers = np.cumprod(steps)


def _mixed(values: np.ndarray) -> np.ndarray:
    """[N] uint64, well spread: the finaliser of SplitMix64 (Steele et al. 2014)."""
    mixed = values + np.uint64(_PRIME)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return found


METER = Meter()  # of this process
