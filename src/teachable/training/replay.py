"""Experience replay: decisions of the student's own won episodes, trained on beside the examples.

Examples come from moments of failure, so none shows what comes after a success: how a game is brought to its end.
Trained on failures alone the student unlearns just that. What it did right, in its own words, holds it there.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from teachable import tables
from teachable.terms import REPLAY
from teachable.training.sets import RenderDecision


def replay_examples(
    steps: pl.DataFrame, episodes: pl.DataFrame, held_out: Collection[str], render: RenderDecision
) -> pl.DataFrame:
    """``EXAMPLES`` rows, run ``replay``: every decision of the student's won episodes, on the plain prompt.

    ``steps`` and ``episodes`` are those of phase 0; no game of ``held_out`` (evaluation and retention) gives one.
    Empty where the student never won: there is nothing to keep then.
    """
    won = episodes.filter(
        (pl.col("behaviour") == "student")
        & pl.col("success").fill_null(False)
        & ~pl.col("task_id").is_in(sorted(held_out))
    ).sort("episode_id")
    decisions = steps.join(won.select("episode_id"), on="episode_id", how="semi").sort("episode_id", "step")
    rows = []
    history: list[dict[str, str]] = []
    last: dict[str, str] = {}
    for row in decisions.iter_rows(named=True):
        history = [] if row["step"] == 0 else [*history, {**last, "observation": row["observation"]}]
        last = {"command": row["action"]}
        prompt, completion = render({**row, "history": history}, row["action"])
        rows.append(
            {
                **dict.fromkeys(tables.EXAMPLES),
                "run": REPLAY,
                "example_id": f"{row['episode_id']}@{row['step']:02d}:replay",
                "task_id": row["task_id"],
                "format": REPLAY,
                "plain": True,
                "prompt": prompt,
                "completion": completion,
            }
        )
    return pl.DataFrame(rows, schema=dict(tables.EXAMPLES))
