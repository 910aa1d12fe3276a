"""The index of all snapshots: what the list shows and filters by, in columns."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from teachable.terms import BASE, RANDOM_ANSWER, RECOVERY, REPLAY_ONLY, RUNS
from teachable.viewer.encode import Json, names, numbers, unsigned, words
from teachable.viewer.sources import Sources

WORDS = ("family", "source", "kind", "quadrant", "route", "error_type", "student_action", "suggested_action")
NUMBERS = ("U", "L_local", "ELP_net", "distance", "step")
ENDED = "ended"
_KNOWN = (BASE, *RUNS, REPLAY_ONLY, RANDOM_ANSWER, RECOVERY)


def index(ordered: pl.DataFrame, sources: Sources) -> Json:
    """The index of ``ordered`` (:meth:`Sources.ordered`), as JSON values."""
    ends = ended(ordered, sources.episodes)
    return {
        "count": ordered.height,
        "ids": names(ordered["snapshot_id"].to_list()),
        "words": {name: words(ordered[name]) for name in WORDS} | {ENDED: words(ends)},
        "numbers": {name: numbers(ordered[name]) for name in NUMBERS},
        "runs": _runs(ordered, sources),
        "absent": sources.absent(),
    }


def ended(ordered: pl.DataFrame, episodes: pl.DataFrame | None) -> pl.Series:
    """How the episode of each snapshot ended: won | lost (the game was over) | out of steps | fault; null: unknown."""
    if episodes is None:
        return pl.Series(ENDED, [None] * ordered.height, dtype=pl.String)
    how = (
        pl.when(pl.col("success").is_null())
        .then(pl.lit("fault"))
        .when("success")
        .then(pl.lit("won"))
        .when(pl.col("lost").fill_null(False))
        .then(pl.lit("lost"))
        .otherwise(pl.lit("out of steps"))
    )
    known = episodes.select("episode_id", how.alias(ENDED)).unique("episode_id", keep="first", maintain_order=True)
    return ordered.select("episode_id").join(known, on="episode_id", how="left", maintain_order="left")[ENDED]


def models(sources: Sources) -> list[str]:
    """Every model that was trained on a snapshot, tried at one or probed there: the base, the matrix, the controls,
    then the others in alphabetical order."""
    found: set[str] = set()
    for table, column in ((sources.examples, "run"), (sources.tried(), "model"), (sources.probes, "model")):
        if table is not None and table.height:
            found |= set(table.filter(pl.col("snapshot_id").is_not_null())[column].unique())
    return [name for name in _KNOWN if name in found] + sorted(found - set(_KNOWN))


def _runs(ordered: pl.DataFrame, sources: Sources) -> list[Json]:
    """Of every model: the numbers of the snapshots it was ``trained`` on and of those it was ``tried`` at, and of the
    latter how many episodes it played and won."""
    number = ordered.select("snapshot_id").with_row_index("number")
    trained: dict[str, pl.DataFrame] = {}
    tried: dict[str, pl.DataFrame] = {}
    if sources.examples is not None:
        pairs = sources.examples.select("run", "snapshot_id").unique().join(number, on="snapshot_id")
        trained = _by(pairs, "run")
    played = sources.tried()
    if played is not None:
        counts = (
            played.drop_nulls("success")
            .group_by("model", "snapshot_id")
            .agg(pl.len().alias("plays"), pl.col("success").sum().alias("wins"))
            .join(number, on="snapshot_id")
        )
        tried = _by(counts, "model")
    nothing: Iterable[int] = ()
    return [
        {
            "name": name,
            "trained": unsigned(trained[name]["number"].to_numpy() if name in trained else list(nothing), 32),
            "tried": unsigned(tried[name]["number"].to_numpy() if name in tried else list(nothing), 32),
            "plays": unsigned(tried[name]["plays"].to_numpy() if name in tried else list(nothing), 16),
            "wins": unsigned(tried[name]["wins"].to_numpy() if name in tried else list(nothing), 16),
        }
        for name in models(sources)
    ]


def _by(frame: pl.DataFrame, column: str) -> dict[str, pl.DataFrame]:
    return {str(key[0]): part for key, part in frame.sort(column, "number").partition_by(column, as_dict=True).items()}
