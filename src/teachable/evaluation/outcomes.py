"""Episodes of many models on the same starts, lined up as arrays.

A *slot* is one pairing unit: a start (a task, or a snapshot of it) and a repeat. Every model plays the same
slots, was trained under S training seeds, and plays a slot with the same random numbers as any other model of
that training seed; so the array of an outcome is ``[seeds, slots, models]`` and a paired comparison is a
difference of columns. The base student was not trained: it plays the episodes of every training seed.

Every metric is a ratio of sums over episodes, ``sum(top) / sum(bottom)``:

============== ============================================ ========================
metric         top                                          bottom
============== ============================================ ========================
success        1 for a won game                             1
repeat_rate    commands equal to the one before             commands
loop_rate      returns to a state met before in the episode commands
wasted_rate    commands that left the world unchanged       commands
escape_latency steps stuck, 0 when never stuck              1
efficiency     reference steps / steps if won, else 0       1
============== ============================================ ========================

Efficiency is success weighted by path length (Anderson et al. 2018): the reference is the expert's way from the same
start where the table has one (``behaviour == "expert"``), else the shortest winning episode of any model in the table.
Episodes with a fault of the engine are no failures: they are left out, for every model they meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable.evaluation.errors import EvaluationError
from teachable.terms import BASE, QUADRANTS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

METRICS = ("success", "repeat_rate", "loop_rate", "wasted_rate", "escape_latency", "efficiency")
STUCKNESS = ("repeat_rate", "loop_rate", "wasted_rate", "escape_latency", "efficiency")
PANELS = ("test", "failure", "retention")
EXPERT = "expert"
_SLOT = ("task_id", "snapshot_id", "repeat")
_TOP = {
    "success": pl.col("success").cast(pl.Float64),
    "repeat_rate": pl.col("repeats").cast(pl.Float64),
    "loop_rate": pl.col("loops").cast(pl.Float64),
    "wasted_rate": pl.col("wasted").cast(pl.Float64),
    "escape_latency": pl.col("escape").cast(pl.Float64),
    "efficiency": pl.when(pl.col("success"))
    .then(pl.col("reference") / pl.max_horizontal("steps", "reference"))
    .otherwise(0.0),
}
_BOTTOM = {name: pl.col("steps").cast(pl.Float64) if name.endswith("_rate") else pl.lit(1.0) for name in _TOP}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One panel: ``slots`` (task_id, snapshot_id, repeat, family, quadrant) and arrays ``[seeds, slots, models]``.

    ``seeds`` says how many training seeds each model has; they fill the first places of the first axis.
    ``top`` and ``bottom`` are NaN where a model has no (faultless) episode in the slot, and beyond its seeds.
    """

    panel: str
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    slots: pl.DataFrame
    top: Mapping[str, Floats]
    bottom: Mapping[str, Floats]

    def column(self, model: str) -> int:
        """The column of ``model``; raises :class:`EvaluationError` when it did not play this panel."""
        try:
            return self.models.index(model)
        except ValueError:
            raise EvaluationError(
                f"Model {model!r} has no episodes on the {self.panel} panel; those that have: {', '.join(self.models)}."
            ) from None

    def present(self, metric: str = "success") -> Flags:
        """``[slots, models]``: whether every training seed of the model has an outcome in the slot."""
        beyond = np.arange(len(self.top[metric]))[:, None, None] >= np.asarray(self.seeds)
        known = ~(np.isnan(self.top[metric]) | np.isnan(self.bottom[metric]))
        return np.asarray((known | beyond).all(axis=0))

    @property
    def games(self) -> list[str]:
        """The game of each slot: the independent unit."""
        return self.slots["task_id"].to_list()

    def groups(self) -> dict[str, Flags]:
        """Slots of ``all``, of each quadrant (failure panel) and of each family, in this order, none empty."""
        masks = {"all": np.ones(self.slots.height, dtype=np.bool_)}
        if self.panel == "failure":
            for quadrant in QUADRANTS:
                masks[quadrant] = (self.slots["quadrant"] == quadrant).fill_null(False).to_numpy()
        for family in self.slots["family"].drop_nulls().unique().sort():
            masks[family] = (self.slots["family"] == family).fill_null(False).to_numpy()
        return {name: mask for name, mask in masks.items() if mask.any()}


def reference_steps(episodes: pl.DataFrame) -> pl.DataFrame:
    """Frame (task_id, snapshot_id, reference): steps of the expert's win from each start, else of the shortest win."""
    wins = episodes.filter(pl.col("success").fill_null(False))
    expert = pl.col("steps").filter(pl.col("behaviour") == "expert").min()
    return wins.group_by("task_id", "snapshot_id").agg(
        pl.coalesce(expert, pl.col("steps").min()).cast(pl.Float64).alias("reference")
    )


def line_up(episodes: pl.DataFrame, panel: str, quadrants: Mapping[str, str]) -> Outcomes | None:
    """The episodes of one panel as :class:`Outcomes`; ``None`` when nobody played it.

    ``quadrants`` gives the quadrant of every snapshot. A model without episodes here (a run that could not be
    trained) has no column. Raises :class:`EvaluationError` when two episodes of a model and training seed
    share a slot, when models played a slot with different seeds, or when a snapshot has no quadrant.
    """
    played = episodes.filter(pl.col("panel") == panel)
    student = played.filter(pl.col("behaviour") == "student")
    if student.is_empty():
        return None
    _check(student, panel, quadrants)
    models = sorted(student["model"].unique(), key=lambda name: (name != BASE, name))
    slots = (
        student.group_by(*_SLOT)
        .agg(pl.col("family").first())
        .sort(*_SLOT)
        .with_row_index("_slot")
        .with_columns(
            pl.col("snapshot_id").replace_strict(quadrants, default=None, return_dtype=pl.String).alias("quadrant")
        )
    )
    joined = (
        student.filter(pl.col("success").is_not_null())
        .join(slots.select("_slot", *_SLOT), on=_SLOT, how="left", nulls_equal=True)
        .join(reference_steps(played), on=("task_id", "snapshot_id"), how="left", nulls_equal=True)
    )
    trained = student.select("model", "train_seed").unique().sort("model", "train_seed")
    places = trained.with_columns((pl.int_range(pl.len()).over("model")).alias("_seed"))
    joined = joined.join(places, on=("model", "train_seed"), how="left", nulls_equal=True)
    counts = dict(trained.group_by("model").len().iter_rows())
    seeds = tuple(int(counts[model]) for model in models)
    layers, rows = joined["_seed"].to_numpy(), joined["_slot"].to_numpy()
    columns = joined["model"].replace_strict({m: i for i, m in enumerate(models)}, return_dtype=pl.Int64).to_numpy()
    top: dict[str, Floats] = {}
    bottom: dict[str, Floats] = {}
    for name in METRICS:
        values = joined.select(_TOP[name].alias("top"), _BOTTOM[name].alias("bottom"))
        for side, arrays in (("top", top), ("bottom", bottom)):
            array = np.full((max(seeds), slots.height, len(models)), np.nan)
            array[layers, rows, columns] = values[side].fill_null(np.nan).to_numpy()
            arrays[name] = array
    return Outcomes(panel, tuple(models), seeds, slots.drop("_slot"), top, bottom)


def _check(student: pl.DataFrame, panel: str, quadrants: Mapping[str, str]) -> None:
    doubled = student.filter(pl.struct("model", "train_seed", *_SLOT).is_duplicated())
    if doubled.height:
        row = doubled.row(0, named=True)
        raise EvaluationError(
            f"Model {row['model']!r} has {panel} task {row['task_id']!r} repeat {row['repeat']} "
            "more than once: give the episodes of each model and training seed once."
        )
    apart = student.group_by(*_SLOT, "train_seed").agg(pl.struct("seed", "greedy").n_unique().alias("kinds"))
    apart = apart.filter(pl.col("kinds") > 1)
    if apart.height:
        raise EvaluationError(
            f"On the {panel} panel, task {apart['task_id'][0]!r} was played with different seeds by different models "
            f"({apart.height} such starts): they cannot be compared in pairs. Evaluate them with one run seed."
        )
    if panel == "failure":
        known = student["snapshot_id"].is_in(list(quadrants)).fill_null(False)
        if not known.all():
            strange = student.filter(~known)["snapshot_id"][0]
            raise EvaluationError(f"The failure panel has snapshot {strange!r}, which has no quadrant.")


def check_held_out(episodes: pl.DataFrame, train_tasks: set[str]) -> None:
    """Raise :class:`EvaluationError` when an evaluated game also gave training snapshots."""
    leaked = sorted(set(episodes["task_id"]) & train_tasks)
    if leaked:
        raise EvaluationError(f"{len(leaked)} evaluated games also served training, e.g. {leaked[0]!r}.")
