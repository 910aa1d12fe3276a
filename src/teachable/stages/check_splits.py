"""No game may be in two splits: the digests of their canonicalised descriptions must not meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.errors import TeachableError

if TYPE_CHECKING:
    from typing import Any

    import polars as pl

ABOUT = {
    "about": "verify that no game is in two splits",
    "inputs": "tasks*",
    "outputs": {"splits": ("phase0/splits.json", "SPLITS", "games by split")},
}


class SplitsOverlap(TeachableError):
    """A game is in two splits."""


def run(tasks: pl.DataFrame) -> dict[str, Any]:
    seen: dict[str, str] = {}
    counts: dict[str, int] = {}
    for task_id, split, digest in tasks.select("task_id", "split", "digest").iter_rows():
        counts[split] = counts.get(split, 0) + 1
        other = seen.setdefault(digest, split)
        if other != split:
            raise SplitsOverlap(f"{task_id}: the same game is in splits {other} and {split}; choose another `seed`.")
    return {"games": counts, "distinct": len(seen), "overlaps": 0}
