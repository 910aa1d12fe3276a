"""Shards, progress, and what the engine failed at."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

import polars as pl


def shard_of(frame: pl.DataFrame, shard: int, shards: int) -> pl.DataFrame:
    """Every ``shards``-th row from row ``shard`` on: shards of equal size whatever the number of rows."""
    return frame.gather_every(shards, offset=shard) if len(frame) > shard else frame.head(0)


def tell_faults(faults: Mapping[str, str]) -> None:
    """A line into the stage's log for every snapshot that is left out."""
    for name, reason in faults.items():
        print(f"{name}: left out, the engine failed: {reason}", flush=True)


class Reporter:
    """A progress callback ``(done, total)`` that writes a line every few seconds: done, total, rate, time left."""

    def __init__(self, what: str, every_s: float = 10.0) -> None:
        self._what, self._every = what, every_s
        self._begun = self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self._last < self._every:
            return
        self._last = now
        rate = done / max(now - self._begun, 1e-9)
        left = (total - done) / rate if rate else 0.0
        print(f"{done}/{total} {self._what}  {rate:.1f}/s  {left:.0f} s left", file=sys.stderr, flush=True)
