"""What each run learns from, counted: the table that shows whether runs had equal budgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from teachable import tables
from teachable.training.errors import SetError
from teachable.training.matrix import describe

CountTokens = Callable[[Sequence[str]], Sequence[int]]  # texts -> tokens of each


def budget(examples: pl.DataFrame, targets: Mapping[str, int], count_tokens: CountTokens) -> pl.DataFrame:
    """``BUDGET`` rows, one a run: examples, tokens, copies, and the difference to the run's target size.

    ``tokens`` counts prompt and completion of every example once an epoch; ``repeated`` says how many of
    the examples are copies made by up-sampling. Raises :class:`SetError` when a run has no example.
    """
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
        )
    )
    empty = [run for run in targets if run not in set(counted["run"])]
    if empty:
        raise SetError(f"Runs without a single example: {', '.join(empty)}.")
    runs = [describe(name) for name in counted["run"]]
    return tables.conform(
        counted.with_columns(
            pl.Series("quadrant", [run.quadrant for run in runs], dtype=pl.String),
            pl.Series("format", [run.format for run in runs], dtype=pl.String),
            pl.Series("target_examples", [targets[run.name] for run in runs], dtype=pl.Int64),
        )
        .with_columns((pl.col("examples") - pl.col("target_examples")).alias("difference"))
        .select(list(tables.BUDGET)),
        tables.BUDGET,
        "budget",
    )
