"""The recovery run: every decision of the expert's winning continuations from snapshots it can still win from."""

from __future__ import annotations

from typing import Any

import polars as pl

from teachable import seeds, tables
from teachable.terms import RECOVERY
from teachable.training.budget import CountTokens, Replay, budget
from teachable.training.sets import RenderDecision, SetSettings, train_side


def recovery_snapshots(pool: pl.DataFrame, settings: SetSettings) -> list[str]:
    """Snapshots worth an expert continuation: ``L_upper`` strictly above the configured minimum.

    In the seeded order in which the recovery set will use them, so a stage may stop playing when it has
    enough. Empty when there is none: then there is nothing to recover.
    """
    high = pool.filter(pl.col("L_upper").fill_nan(None) > settings.recovery_minimum)["snapshot_id"].sort()
    order = seeds.stream(settings.seed, "training sets", RECOVERY).permutation(len(high))
    return [high[int(i)] for i in order]


def recovery_pool(labeled: pl.DataFrame, panels: pl.DataFrame, settings: SetSettings) -> pl.DataFrame:
    """The training-side rows of ``labeled`` that are :func:`recovery_snapshots`, in that order."""
    pool = train_side(labeled, panels)
    order = {name: rank for rank, name in enumerate(recovery_snapshots(pool, settings))}
    return (
        pool.filter(pl.col("snapshot_id").is_in(list(order)))
        .with_columns(rank=pl.col("snapshot_id").replace_strict(order, return_dtype=pl.Int64))
        .sort("rank")
    )


def recovery_examples(
    pool: pl.DataFrame,
    continuations: pl.DataFrame,
    render_decision: RenderDecision,
    settings: SetSettings,
    *,
    target: int,
) -> pl.DataFrame:
    """``EXAMPLES`` rows of the recovery run: every decision of successful expert continuations.

    ``continuations`` has the columns of :data:`tables.CONTINUATIONS`. Continuations are taken whole, in the order of
    :func:`recovery_snapshots`, until ``target`` examples are reached; the last one is cut there. A decision that two
    continuations share (same prompt, same command) is taught once. Failed continuations are never used.
    """
    continuations = tables.conform(
        continuations.select(list(tables.CONTINUATIONS)), tables.CONTINUATIONS, "continuations"
    )
    groups = {
        str(key[0]): part.sort("step")
        for key, part in continuations.filter(pl.col("success")).group_by("snapshot_id", maintain_order=True)
    }
    about = {row["snapshot_id"]: row for row in pool.select("snapshot_id", "family", "quadrant").iter_rows(named=True)}
    rows: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    for snapshot_id in recovery_snapshots(pool, settings):
        for row in groups[snapshot_id].iter_rows(named=True) if snapshot_id in groups else ():
            prompt, completion = render_decision(row, row["action"])
            if (prompt, completion) in seen or len(rows) >= target:
                continue
            seen.add((prompt, completion))
            rows.append(
                {
                    "run": RECOVERY,
                    "draw": None,
                    "example_id": f"{snapshot_id}:recovery:{row['step']}",
                    **about[snapshot_id],
                    "task_id": row["task_id"],
                    "format": "demo",
                    "plain": True,
                    "prompt": prompt,
                    "completion": completion,
                }
            )
    return pl.DataFrame(rows, schema=dict(tables.EXAMPLES))


def recovery_set(
    labeled: pl.DataFrame,
    panels: pl.DataFrame,
    continuations: pl.DataFrame,
    render_decision: RenderDecision,
    count_tokens: CountTokens,
    settings: SetSettings,
    replay: Replay,
    *,
    target: int,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``EXAMPLES`` and ``BUDGET`` of the recovery run, with ``target`` examples where the continuations give them."""
    pool = train_side(labeled, panels)
    examples = recovery_examples(pool, continuations, render_decision, settings, target=target)
    examples = tables.conform(examples, tables.EXAMPLES, "examples")
    return examples, budget(examples, {RECOVERY: target}, count_tokens, replay)
