"""Phase 1b: does a snapshot that the patch test calls teachable really teach? Train on it alone and look.

For every snapshot of the validation panel one example makes one adapter; success from the snapshot, and on
similar held-out games, is measured with the base student and with *that adapter*. How an adapter is trained
and how success is measured are passed in, so this module holds only the design:

``delta_snapshot = after - before`` from the snapshot, ``delta_similar`` the same as a mean over the similar games, and
``delta_micro = w * delta_snapshot + (1 - w) * delta_similar`` with ``w = snapshot_weight`` (``delta_snapshot`` alone
where there is no similar game). Both parts are stored, so another weight needs no new run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import polars as pl

from teachable import tables
from teachable.training.errors import SetError, TrainingError
from teachable.training.sets import Render, check_sides
from teachable.training.similar import Neighbours

if TYPE_CHECKING:
    from teachable.config.model import Microtraining

Row = Mapping[str, Any]
# (adapter, snapshot row) each -> largest change of a command's probability there
Probe = Callable[[Sequence[tuple[str, Row]]], Sequence[float]]
Purpose = Literal["before", "after"]
Progress = Callable[[int, int], None]  # (done, total)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What one tiny training did: loss (nats a completion token) at the first and last step."""

    loss_first: float
    loss_last: float


class Tuner(Protocol):
    """Trains adapters from the base student, one example each, and keeps them under a name."""

    def fit(self, asked: Sequence[tuple[str, str, str]]) -> Sequence[Fitted]:
        """Of each (adapter, prompt, completion); side by side or not, the adapters know nothing of each other."""
        ...

    def discard(self, adapter: str) -> None: ...


class Evaluator(Protocol):
    """Measures success with a named adapter; ``None`` is the base student."""

    def from_snapshots(
        self, asked: Sequence[tuple[str, str | None]], purpose: Purpose
    ) -> Mapping[str, tuple[float, float]]:
        """P(success) and its standard error by snapshot, for distinct (snapshot, adapter) pairs of distinct snapshots.

        ``purpose`` names the random streams: calls with different ones are independent of each other and of the
        labels. A snapshot whose engine failed is left out.
        """
        ...

    def on_tasks(self, asked: Sequence[tuple[str, str | None]], purpose: Purpose) -> Sequence[float | None]:
        """Share of successes of each (task, adapter) pair; ``None`` where every episode had a fault."""
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """One snapshot to train on: its row, the example, and the games to try the adapter on."""

    row: Row
    format: str
    prompt: str
    completion: str
    similar: tuple[str, ...]

    @property
    def adapter(self) -> str:
        """A name of its own, so that no memory keyed by name can answer for another adapter, or for the base."""
        return f"micro/{self.row['snapshot_id']}"


@dataclass(frozen=True, slots=True)
class MicroResult:
    """``MICROTRAINING`` rows, and why snapshots were left out (``snapshot_id`` -> reason)."""

    rows: pl.DataFrame
    skipped: dict[str, str]


def plan_trials(
    labeled: pl.DataFrame, advice: pl.DataFrame, panels: pl.DataFrame, render: Render, section: Microtraining
) -> tuple[list[Trial], dict[str, str]]:
    """The trials of the validation panel in its order, and why snapshots are left out.

    Similar games are held out, of the same family and never the snapshot's own; nearest
    first (:class:`~teachable.training.similar.Neighbours`).
    """
    check_sides(panels)
    chosen = panels.filter((pl.col("panel") == "validation") & pl.col("snapshot_id").is_not_null())
    held_out = set(panels.filter(pl.col("side") == "held_out")["task_id"])
    told = labeled.filter(pl.col("task_id").is_in(list(held_out)))
    neighbours = Neighbours.of(told)
    rows = {row["snapshot_id"]: row for row in told.iter_rows(named=True)}
    advices = {row["snapshot_id"]: row for row in advice.iter_rows(named=True)}
    trials: list[Trial] = []
    skipped: dict[str, str] = {}
    for snapshot_id in chosen.sort("quadrant", "order", "snapshot_id")["snapshot_id"]:
        row, text = rows.get(snapshot_id), advices.get(snapshot_id)
        if row is None:
            raise SetError(f"Validation snapshot {snapshot_id!r} has no label: make the panels again.")
        format_ = row["route"] if section.format == "route" else section.format
        if text is None or not text["valid"]:
            skipped[snapshot_id] = "no valid advice"
        elif format_ is None:
            skipped[snapshot_id] = "no route: the patch test has no estimate here"
        elif len(row["commands"]) < 2:
            skipped[snapshot_id] = "a single admissible command: there is nothing to choose"
        else:
            prompt, completion = render(row, text, format_)
            near = neighbours.nearest(row["task_id"], neighbours.task_ids, section.similar_tasks)
            trials.append(Trial(row, format_, prompt, completion, tuple(near)))
    return trials, skipped


def microtrain(
    trials: Sequence[Trial],
    tuner: Tuner,
    evaluator: Evaluator,
    probe: Probe,
    section: Microtraining,
    *,
    group: int = 16,
    progress: Progress | None = None,
) -> MicroResult:
    """Train and measure every trial; ``group`` adapters are trained, kept and measured side by side.

    Raises :class:`TrainingError` when an adapter leaves every probability at its snapshot as it was: then
    the base student would be what is measured, and the difference 0 by mistake.
    """
    before = evaluator.from_snapshots([(trial.row["snapshot_id"], None) for trial in trials], "before")
    tasks = sorted({task for trial in trials for task in trial.similar})
    on_base = dict(zip(tasks, evaluator.on_tasks([(task, None) for task in tasks], "before"), strict=True))
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    for done, part in _groups(trials, group):
        fitted = tuner.fit([(trial.adapter, trial.prompt, trial.completion) for trial in part])
        fits = {trial.adapter: fit for trial, fit in zip(part, fitted, strict=True)}
        probed = probe([(trial.adapter, trial.row) for trial in part])
        shifts = {trial.adapter: shift for trial, shift in zip(part, probed, strict=True)}
        same = [name for name, shift in shifts.items() if not shift > 0]
        if same:
            raise TrainingError(
                f"Adapter {same[0]!r} changes no probability at its snapshot ({len(same)} of {len(part)}): "
                "it would be the base student that is measured. Raise the learning rate or the steps."
            )
        after = evaluator.from_snapshots([(trial.row["snapshot_id"], trial.adapter) for trial in part], "after")
        pairs = [(task, trial.adapter) for trial in part for task in trial.similar]
        tuned = dict(zip(pairs, evaluator.on_tasks(pairs, "after"), strict=True))
        for trial in part:
            tuner.discard(trial.adapter)
            snapshot_id = trial.row["snapshot_id"]
            if snapshot_id not in before or snapshot_id not in after:
                skipped[snapshot_id] = "the engine failed"
                continue
            similar = [(on_base[task], tuned[task, trial.adapter]) for task in trial.similar]
            rows.append(
                _row(
                    trial,
                    before[snapshot_id],
                    after[snapshot_id],
                    [(a, b) for a, b in similar if a is not None and b is not None],
                    fits[trial.adapter],
                    shifts[trial.adapter],
                    section.snapshot_weight,
                )
            )
        if progress is not None:
            progress(done, len(trials))
    frame = pl.DataFrame(rows, schema=dict(tables.MICROTRAINING))
    return MicroResult(tables.conform(frame, tables.MICROTRAINING, "microtraining"), skipped)


def _groups(trials: Sequence[Trial], size: int) -> Iterator[tuple[int, Sequence[Trial]]]:
    """Parts of ``trials`` with how many are done after each."""
    for start in range(0, len(trials), size):
        part = trials[start : start + size]
        yield start + len(part), part


def _row(
    trial: Trial,
    before: tuple[float, float],
    after: tuple[float, float],
    similar: Sequence[tuple[float, float]],
    fitted: Fitted,
    shift: float,
    weight: float,
) -> dict[str, Any]:
    number = len(similar)
    similar_before = sum(a for a, _ in similar) / number if number else None
    similar_after = sum(b for _, b in similar) / number if number else None
    delta_snapshot = after[0] - before[0]
    delta_similar = None
    if similar_before is not None and similar_after is not None:
        delta_similar = similar_after - similar_before
    return {
        "snapshot_id": trial.row["snapshot_id"],
        "task_id": trial.row["task_id"],
        "quadrant": trial.row["quadrant"],
        "format": trial.format,
        "ELP_net": trial.row["ELP_net"],
        "L_local": trial.row["L_local"],
        "before": before[0],
        "before_se": before[1],
        "after": after[0],
        "after_se": after[1],
        "delta_snapshot": delta_snapshot,
        "similar_before": similar_before,
        "similar_after": similar_after,
        "similar_tasks": number,
        "delta_similar": delta_similar,
        "delta_micro": combine(delta_snapshot, delta_similar, weight),
        "loss_first": fitted.loss_first,
        "loss_last": fitted.loss_last,
        "probe_shift": shift,
    }


def combine(delta_snapshot: float, delta_similar: float | None, weight: float) -> float:
    """``weight * delta_snapshot + (1 - weight) * delta_similar``; the first alone where there is no second."""
    return delta_snapshot if delta_similar is None else weight * delta_snapshot + (1 - weight) * delta_similar
