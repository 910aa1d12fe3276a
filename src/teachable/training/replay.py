"""Experience replay: decisions of the student's own won episodes, trained on beside the examples.

Examples come from moments of failure, so none shows what comes after a success: how a game is brought to its end.
Trained on failures alone the student unlearns just that. What it did right, in its own words, holds it there. Nor does
an example show what comes after its own decision: taught to do a thing, the student does it again
where it is done. So the episodes that the student wins once the teacher's command is forced are replayed, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from teachable import tables
from teachable.student.prompt import Transition
from teachable.terms import REPLAY
from teachable.training.sets import RenderDecision


def replay_examples(
    steps: pl.DataFrame,
    episodes: pl.DataFrame,
    held_out: Collection[str],
    render: RenderDecision,
    snapshots: pl.DataFrame,
) -> pl.DataFrame:
    """``EXAMPLES`` rows, run ``replay``: every decision of the student's won episodes, on the plain prompt.

    ``steps`` and ``episodes`` are those of phase 0 and of the continuations, which begin at one of ``snapshots`` with
    the teacher's command: that one is not the student's and is left out. No game of ``held_out`` (evaluation and
    retention) gives a decision. Empty where the student never won: there is nothing to keep then.
    """
    won = episodes.filter(
        (pl.col("behaviour") == "student")
        & pl.col("success").fill_null(False)
        & ~pl.col("task_id").is_in(sorted(held_out))
    )
    begun = tables.index(won, "episode_id", "snapshot_id")
    families = tables.index(won, "episode_id", "family")
    histories = tables.index(snapshots, "snapshot_id", "history")
    decisions = steps.filter(pl.col("episode_id").is_in(list(begun))).sort("episode_id", "step")
    rows: list[dict[str, Any]] = []
    for (episode_id,), part in decisions.group_by("episode_id", maintain_order=True):
        origin = begun[episode_id]
        history = [] if origin is None else list(histories[origin])
        last: Mapping[str, Any] | None = None
        for row in part.iter_rows(named=True):
            if last is not None:
                behind = Transition.of(last, last["action"], row["observation"])
                history = [*history, behind.columns()]
            taught = origin is not None and last is None
            last = row
            if taught:
                continue
            prompt, completion = render({**row, "history": history}, row["action"])
            rows.append(
                {
                    **dict.fromkeys(tables.EXAMPLES),
                    "run": REPLAY,
                    "example_id": f"{episode_id}@{row['step']:02d}:replay",
                    "snapshot_id": origin,
                    "task_id": row["task_id"],
                    "family": families[episode_id],
                    "format": REPLAY,
                    "plain": True,
                    "prompt": prompt,
                    "completion": completion,
                }
            )
    return pl.DataFrame(rows, schema=dict(tables.EXAMPLES))
