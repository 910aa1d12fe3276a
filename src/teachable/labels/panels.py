"""Which snapshots serve training and which evaluation: a split by game, and the panels drawn from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from teachable import tables
from teachable.errors import TableError
from teachable.seeds import stream
from teachable.terms import QUADRANTS

if TYPE_CHECKING:
    from teachable.config.model import Panels


def make_panels(
    labeled: pl.DataFrame,
    settings: Panels,
    *,
    run_seed: int,
    held_out_tasks: Collection[str] = (),
) -> pl.DataFrame:
    """Rows of PANELS, from the labelled snapshots that have a quadrant.

    ========== ========= ==============================================================================
    panel      side      snapshots
    ========== ========= ==============================================================================
    train      train     all of the training side
    held_out   held_out  all of the other side
    failure    held_out  ``failure_per_quadrant`` per quadrant
    validation held_out  ``validation_per_quadrant`` per quadrant (micro-training starts from the base
                         student each time, so it may share snapshots with the failure panel)
    drift      held_out  ``drift``, in turn over the strata of quadrant, ELP tercile and step
    ========== ========= ==============================================================================

    Snapshots of expert failures (setup B) are on the two sides, but in none of the three panels.

    Within a quadrant the draw goes round the games, so that no game dominates. ``held_out_tasks`` (the
    retention panel) are on the held-out side whatever the draw says. A panel takes what there is when there
    are fewer snapshots than it asks for.

    Raises :class:`TableError` when there are labelled snapshots and none has a quadrant.
    """
    frame = labeled.filter(pl.col("quadrant").is_not_null()).sort("snapshot_id")
    if frame.is_empty() and (patched := labeled["ELP_net"].count()):
        raise TableError(
            f"labelled snapshots: {patched} have a patch test and none has a quadrant. Run the stage `label` again, or "
            "see labels.thresholds if they all lie between two cuts."
        )
    sides = split_tasks(frame, settings.held_out, run_seed=run_seed, held_out_tasks=held_out_tasks)
    frame = frame.with_columns(side=pl.col("task_id").replace_strict(sides, return_dtype=pl.String))
    train, held = (frame.filter(pl.col("side") == side) for side in ("train", "held_out"))
    own = held.filter(pl.col("source").ne_missing("expert"))
    panels = [
        ("train", train["snapshot_id"].to_list()),
        ("held_out", held["snapshot_id"].to_list()),
        ("failure", _per_quadrant(own, settings.failure_per_quadrant, run_seed, "failure")),
        ("validation", _per_quadrant(own, settings.validation_per_quadrant, run_seed, "validation")),
        ("drift", _in_turn(_drift_strata(own), settings.drift, run_seed, "drift")),
    ]
    of = {row[0]: row[1:] for row in frame.select("snapshot_id", "side", "task_id", "quadrant").iter_rows()}
    rows = [
        dict(zip(tables.PANELS, (panel, of[s][0], s, of[s][1], of[s][2], order), strict=True))
        for panel, chosen in panels
        for order, s in enumerate(chosen)
    ]
    return pl.DataFrame(rows, schema=dict(tables.PANELS))


def split_tasks(
    frame: pl.DataFrame, share: float, *, run_seed: int, held_out_tasks: Collection[str] = ()
) -> dict[str, str]:
    """Every task of ``frame`` to ``train`` or ``held_out``: each quadrant and family split by ``share``.

    Greedy: the tasks with most snapshots first (ties in the order of a seeded shuffle), each to the side that
    leaves the held-out shares of quadrants and families closest to ``share``; families count a quarter of
    quadrants. Then, where a quadrant has snapshots in two games or more but one side has none, the smallest
    game that mends this without emptying another quadrant's side changes sides. Forced tasks never move.
    """
    forced = set(held_out_tasks)
    strata = list(QUADRANTS) + sorted(frame["family"].unique().to_list())
    column = {name: index for index, name in enumerate(strata)}
    weight = np.array([1.0] * len(QUADRANTS) + [0.25] * (len(strata) - len(QUADRANTS)))
    counts: dict[str, np.ndarray] = {}
    for task, quadrant, family in frame.select("task_id", "quadrant", "family").iter_rows():
        vector = counts.setdefault(task, np.zeros(len(strata)))
        vector[column[quadrant]] += 1
        vector[column[family]] += 1
    total = np.maximum(1.0, sum(counts.values(), np.zeros(len(strata))))
    tasks = sorted(counts)
    shuffled = [tasks[i] for i in stream(run_seed, "panels", "split").permutation(len(tasks))]
    order = sorted(shuffled, key=lambda task: -counts[task].sum())
    sides = {task: "held_out" for task in tasks if task in forced}
    held = sum((counts[task] for task in sides), np.zeros(len(strata)))
    for task in order:
        if task in sides:
            continue
        stay = float((weight * (held / total - share) ** 2).sum())
        move = float((weight * ((held + counts[task]) / total - share) ** 2).sum())
        sides[task] = "held_out" if move < stay else "train"
        if sides[task] == "held_out":
            held = held + counts[task]
    if 0.0 < share < 1.0:
        _mend(sides, counts, order, forced)
    return sides


def _mend(
    sides: dict[str, str], counts: Mapping[str, np.ndarray], order: Sequence[str], forced: Collection[str]
) -> None:
    def present(quadrant: int, side: str) -> int:
        return sum(1 for task, vector in counts.items() if vector[quadrant] and sides[task] == side)

    for quadrant in range(len(QUADRANTS)):
        if sum(1 for vector in counts.values() if vector[quadrant]) < 2:
            continue
        for side, other in (("held_out", "train"), ("train", "held_out")):
            if present(quadrant, side):
                continue
            for task in reversed(order):  # smallest first
                vector = counts[task]
                safe = all(present(q, other) > 1 for q in range(len(QUADRANTS)) if vector[q])
                if vector[quadrant] and task not in forced and safe:
                    sides[task] = side
                    break


def _per_quadrant(frame: pl.DataFrame, number: int, run_seed: int, name: str) -> list[str]:
    chosen: list[str] = []
    for quadrant in QUADRANTS:
        part = frame.filter(pl.col("quadrant") == quadrant)
        chosen += _in_turn(part.with_columns(stratum=pl.col("task_id")), number, run_seed, name, quadrant)
    return chosen


def _drift_strata(frame: pl.DataFrame) -> pl.DataFrame:
    """``stratum`` = quadrant x tercile of ELP_net x tercile of step."""
    if frame.is_empty():
        return frame.with_columns(stratum=pl.lit(""))
    return frame.with_columns(stratum=pl.concat_str("quadrant", _tercile("ELP_net"), _tercile("step"), separator="/"))


def _tercile(column: str) -> pl.Expr:
    return ((pl.col(column).rank("ordinal") - 1) * 3 // pl.len()).cast(pl.String)


def _in_turn(frame: pl.DataFrame, number: int, run_seed: int, *names: str) -> list[str]:
    """``number`` snapshot ids, one from each ``stratum`` in turn, all in seeded random order."""
    rng = stream(run_seed, "panels", *names)
    groups: dict[str, list[str]] = {}
    for snapshot_id, stratum in frame.select("snapshot_id", "stratum").sort("snapshot_id").iter_rows():
        groups.setdefault(stratum or "", []).append(snapshot_id)
    keys = sorted(groups)
    shuffled = [[groups[keys[i]][j] for j in rng.permutation(len(groups[keys[i]]))] for i in rng.permutation(len(keys))]
    rounds = zip_longest(*shuffled)
    return [snapshot_id for turn in rounds for snapshot_id in turn if snapshot_id is not None][:number]
