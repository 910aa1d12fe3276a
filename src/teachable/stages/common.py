"""Shards and progress."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import polars as pl

T = TypeVar("T")


def shard_of(frame: pl.DataFrame, shard: int, shards: int) -> pl.DataFrame:
    """Every ``shards``-th row from row ``shard`` on: shards of equal size whatever the number of rows."""
    return frame.gather_every(shards, offset=shard) if len(frame) > shard else frame.head(0)


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """``items`` with a line in the log every few seconds: done, total, rate, time left."""
    from tqdm import tqdm

    interactive = sys.stderr.isatty()
    bar: Any = tqdm(
        items,
        desc=what,
        total=total,
        mininterval=0.2 if interactive else 10,
        ascii=not interactive,
        file=sys.stderr,
        dynamic_ncols=interactive,
    )
    yield from bar
