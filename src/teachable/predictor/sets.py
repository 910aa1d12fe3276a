"""Feature sets: tier 1 values and tier 2 vectors of the same snapshots, and their form as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from teachable.predictor.errors import PredictorError
from teachable.predictor.features import tier1_features
from teachable.tables import FEATURES, conform

if TYPE_CHECKING:
    from teachable.worlds.words import Words

Floats = NDArray[np.float64]
PARTS = ("state", "goal", "history")


@dataclass(frozen=True, slots=True)
class References:
    """States of episodes with known outcomes, from which the typical success and failure states are made.

    ``vectors[M, H]`` in the space of the ``state`` part; ``success[M]`` is 1 for a state of a won episode, 0
    of a lost one, or a probability of success. Tasks are kept so that a snapshot never meets prototypes made
    from its own game.
    """

    vectors: Floats
    task_id: NDArray[np.str_]
    success: Floats

    def __post_init__(self) -> None:
        if not len(self.vectors) == len(self.task_id) == len(self.success):
            raise PredictorError("references need one task and one outcome for each vector.")


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features of N snapshots: ``table[N, F]`` with ``names`` (tier 1), ``embeddings`` by part (tier 2)."""

    snapshot_id: NDArray[np.str_]
    task_id: NDArray[np.str_]
    names: tuple[str, ...]
    table: Floats
    embeddings: Mapping[str, Floats] = field(default_factory=dict)
    references: References | None = None

    def __len__(self) -> int:
        return len(self.snapshot_id)

    def take(self, rows: ArrayLike) -> FeatureSet:
        """The rows of an index or a mask."""
        index = np.asarray(rows)
        return replace(
            self,
            snapshot_id=self.snapshot_id[index],
            task_id=self.task_id[index],
            table=self.table[index],
            embeddings={part: vectors[index] for part, vectors in self.embeddings.items()},
        )

    def sorted(self) -> FeatureSet:
        """By snapshot id, so that nothing downstream depends on the order of a file."""
        return self.take(np.argsort(self.snapshot_id, kind="stable"))

    def with_columns(self, extra: Mapping[str, ArrayLike]) -> FeatureSet:
        """More tier 1 columns, e.g. the measured quantities of the upper bound."""
        columns = np.stack([np.asarray(values, dtype=np.float64) for values in extra.values()], axis=1)
        return replace(self, names=(*self.names, *extra), table=np.concatenate([self.table, columns], axis=1))


def feature_set(
    snapshots: pl.DataFrame,
    words: Words,
    embeddings: Mapping[str, ArrayLike] | None = None,
    references: References | None = None,
) -> FeatureSet:
    """Features of ``snapshots`` (SNAPSHOTS columns and MEASURES), ``embeddings`` ``[N, H]`` by part.

    ``words``: the vocabulary of their world.
    """
    tier1 = tier1_features(snapshots, words)
    ids = tier1["snapshot_id"].to_list()
    if len(set(ids)) != len(ids):
        raise PredictorError("a snapshot is there twice: features need one row a snapshot.")
    vectors = {part: np.asarray(values, dtype=np.float64) for part, values in (embeddings or {}).items()}
    _check(vectors, len(ids), references)
    names = tuple(tier1.columns[2:])
    return FeatureSet(
        snapshot_id=np.asarray(ids, dtype=np.str_),
        task_id=np.asarray(tier1["task_id"].to_list(), dtype=np.str_),
        names=names,
        table=tier1.select(names).to_numpy().astype(np.float64).reshape(len(ids), len(names)),
        embeddings=vectors,
        references=references,
    )


def label_references(labeled: pl.DataFrame, states: ArrayLike) -> References:
    """References from labelled snapshots: ``states[N, H]`` in their order, success the measured ``p_policy``.

    For when no states of other episodes were embedded. ``p_policy`` is a label, which is why prototypes are
    made from the training folds only and leave out the snapshot's own game.
    """
    known = labeled["p_policy"].is_not_null().to_numpy()
    return References(
        vectors=np.asarray(states, dtype=np.float64)[known],
        task_id=np.asarray(labeled["task_id"].to_list(), dtype=np.str_)[known],
        success=labeled["p_policy"].to_numpy().astype(np.float64)[known],
    )


def to_table(features: FeatureSet) -> pl.DataFrame:
    """A feature set as rows of FEATURES."""
    parts = [_rows(features.snapshot_id, features.task_id, "tier1", features.table, names=features.names)]
    parts.extend(
        _rows(features.snapshot_id, features.task_id, part, vectors) for part, vectors in features.embeddings.items()
    )
    if features.references is not None:
        reference = features.references
        names = [f"reference-{i:06d}" for i in range(len(reference.vectors))]
        parts.append(_rows(names, reference.task_id, "reference", reference.vectors, success=reference.success))
    return conform(pl.concat(parts), FEATURES, "features")


def _rows(
    ids: Sequence[str] | NDArray[np.str_],
    tasks: NDArray[np.str_],
    part: str,
    vectors: Floats,
    *,
    names: tuple[str, ...] | None = None,
    success: Floats | None = None,
) -> pl.DataFrame:
    count = len(ids)
    return pl.DataFrame(
        {
            "item_id": [str(i) for i in ids],
            "task_id": [str(t) for t in tasks],
            "part": [part] * count,
            "names": [None if names is None else list(names)] * count,
            "vector": vectors.tolist(),
            "success": [None] * count if success is None else success.tolist(),
        },
        schema=dict(FEATURES),
    )


def from_table(frame: pl.DataFrame) -> FeatureSet:
    """The feature set in rows of FEATURES, sorted by snapshot."""
    frame = conform(frame, FEATURES, "features")
    tier1 = frame.filter(pl.col("part") == "tier1").sort("item_id")
    if tier1.is_empty():
        raise PredictorError("the feature table has no tier 1 rows: make the features again.")
    layouts = {tuple(names) for names in tier1["names"].unique().to_list()}
    if len(layouts) != 1:
        raise PredictorError("the feature table mixes two versions of the tier 1 features: make it again.")
    ids = np.asarray(tier1["item_id"].to_list(), dtype=np.str_)
    embeddings = {}
    for part in PARTS:
        rows = frame.filter(pl.col("part") == part).sort("item_id")
        if rows.is_empty():
            continue
        if rows["item_id"].to_list() != ids.tolist():
            raise PredictorError(f"the feature table lacks the part {part!r} for some snapshots: make it again.")
        embeddings[part] = np.asarray(rows["vector"].to_list(), dtype=np.float64)
    rows = frame.filter(pl.col("part") == "reference").sort("item_id")
    references = None
    if not rows.is_empty():
        references = References(
            vectors=np.asarray(rows["vector"].to_list(), dtype=np.float64),
            task_id=np.asarray(rows["task_id"].to_list(), dtype=np.str_),
            success=rows["success"].to_numpy().astype(np.float64),
        )
    _check(embeddings, len(ids), references)
    return FeatureSet(
        snapshot_id=ids,
        task_id=np.asarray(tier1["task_id"].to_list(), dtype=np.str_),
        names=layouts.pop(),
        table=np.asarray(tier1["vector"].to_list(), dtype=np.float64),
        embeddings=embeddings,
        references=references,
    )


def _check(vectors: Mapping[str, Floats], count: int, references: References | None) -> None:
    unknown = [part for part in vectors if part not in PARTS]
    if unknown:
        raise PredictorError(f"unknown parts of the embeddings {unknown}: use {list(PARTS)}.")
    for part, values in vectors.items():
        if values.ndim != 2 or len(values) != count:
            raise PredictorError(f"the embeddings of {part} have shape {values.shape}, expected {count} rows.")
        if not np.isfinite(values).all():
            raise PredictorError(f"the embeddings of {part} are not all finite: embed the snapshots again.")
    if references is not None and "state" in vectors and references.vectors.shape[1] != vectors["state"].shape[1]:
        raise PredictorError("reference states and snapshots were embedded by different students.")
