"""What each run learns from, counted: the table that shows whether runs had equal budgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import polars as pl

from teachable import tables
from teachable.terms import REPLAY_ONLY, UNIFORM, cell_name, describe, preference_name

CountTokens = Callable[[Sequence[str]], Sequence[int]]  # texts -> tokens of each


@dataclass(frozen=True, slots=True)
class Replay:
    """How many decisions an epoch replays beside n examples, and how many steps the run takes.

    ``share`` r of an epoch is replayed, so n examples go with round(n r / (1 - r)) decisions, out of ``pool``
    there are; with an empty pool with none.
    """

    share: float
    pool: int
    epochs: int
    batch_size: int

    def beside(self, examples: int) -> int:
        """Decisions replayed in each epoch beside ``examples``."""
        return round(examples * self.share / (1 - self.share)) if self.pool else 0

    def steps(self, trained_on: int) -> int:
        """Optimiser steps of a run whose epochs have ``trained_on`` examples and replayed decisions."""
        return self.epochs * ceil(trained_on / self.batch_size)


def budget(
    examples: pl.DataFrame, targets: Mapping[str, int], count_tokens: CountTokens, replay: Replay
) -> pl.DataFrame:
    """``BUDGET`` rows, one a run: examples, tokens, copies, what is replayed, and the difference to the target.

    ``tokens`` counts prompt and completion of every example once an epoch; ``repeated`` says how many of
    the examples are copies made by up-sampling. A run without an example has no row, but for ``C_replay``: it
    replays in every epoch as many decisions as ``B1_uniform`` has examples and replayed decisions together.
    """
    examples = examples.filter(pl.col("draw").fill_null(1) == 1)  # every training has as many
    texts = pl.concat([examples["prompt"], examples["completion"]]).unique(maintain_order=True).to_list()
    lengths = dict(zip(texts, count_tokens(texts), strict=True))
    completion = [lengths[text] for text in examples["completion"]]
    prompt = [lengths[text] for text in examples["prompt"]]
    counted = (
        examples.with_columns(
            pl.Series("_completion", completion, dtype=pl.Int64),
            pl.Series("_tokens", [p + c for p, c in zip(prompt, completion, strict=True)], dtype=pl.Int64),
        )
        .group_by("run", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("examples"),
            pl.col("_tokens").sum().alias("tokens"),
            pl.col("_completion").sum().alias("completion_tokens"),
            (pl.len() - pl.struct("snapshot_id", "format", "prompt").n_unique()).cast(pl.Int64).alias("repeated"),
            (pl.col("plain") & (pl.col("format") != "demo")).sum().cast(pl.Int64).alias("plain"),
        )
    )
    runs = [describe(name) for name in counted["run"]]
    rows = counted.with_columns(
        pl.Series("quadrant", [run.quadrant for run in runs], dtype=pl.String),
        pl.Series("format", [run.format for run in runs], dtype=pl.String),
        pl.Series("target_examples", [targets[run.name] for run in runs], dtype=pl.Int64),
        pl.lit(replay.epochs, pl.Int64).alias("epochs"),
        pl.Series("replayed", [replay.epochs * replay.beside(n) for n in counted["examples"]], dtype=pl.Int64),
        pl.Series("steps", [replay.steps(n + replay.beside(n)) for n in counted["examples"]], dtype=pl.Int64),
    ).with_columns((pl.col("examples") - pl.col("target_examples")).alias("difference"))
    made = tables.conform(rows.select(list(tables.BUDGET)), tables.BUDGET, "budget")
    uniform = made.filter(pl.col("run") == UNIFORM)
    if replay.pool and uniform.height:
        alone = describe(REPLAY_ONLY)
        zero = dict.fromkeys(("examples", "tokens", "completion_tokens", "repeated", "plain"), 0)
        changed = {
            "run": alone.name,
            "quadrant": alone.quadrant,
            "format": alone.format,
            **zero,
            "difference": -uniform["target_examples"][0],
            "replayed": uniform["replayed"][0] + uniform["examples"][0] * replay.epochs,
        }
        row = uniform.with_columns(pl.lit(value, tables.BUDGET[name]).alias(name) for name, value in changed.items())
        made = pl.concat([made, row])
    return made


def preference_budget(
    pairs: Mapping[str, pl.DataFrame], cells: pl.DataFrame, count_tokens: CountTokens
) -> pl.DataFrame:
    """``BUDGET`` rows of the runs by direct preference optimisation, from the pairs of each quadrant.

    Steps and replayed decisions are those of the quadrant's contrast cell in ``cells`` (``BUDGET``), so is the target;
    ``difference`` counts the pairs that were dropped. ``tokens`` counts the prompt with each of its two commands. Where
    trainings dropped different numbers the first is counted. A quadrant without a pair has no row.
    """
    made = [cells.clear()]
    for quadrant, every in pairs.items():
        rows = every.filter(pl.col("draw").fill_null(1) == 1)
        cell = cells.filter(pl.col("run") == cell_name(quadrant, "contrast"))
        if rows.is_empty() or cell.is_empty():
            continue
        prompts, chosen, rejected = (sum(count_tokens(rows[c].to_list())) for c in ("prompt", "completion", "rejected"))
        changed = {
            "run": preference_name(quadrant),
            "examples": rows.height,
            "tokens": 2 * prompts + chosen + rejected,
            "completion_tokens": chosen + rejected,
            "difference": rows.height - cell["target_examples"][0],
            "plain": rows["plain"].sum(),
            "repeated": rows.height - rows.select("snapshot_id", "prompt").n_unique(),
        }
        columns = [pl.lit(value, tables.BUDGET[name]).alias(name) for name, value in changed.items()]
        made.append(cell.with_columns(columns))
    return pl.concat(made)
