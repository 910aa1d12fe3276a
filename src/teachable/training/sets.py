"""Training sets: the twelve cells, the two baselines, recovery and selection, with their budget.

Everything here works on *assignments* (which snapshot, in which format, for which run) and only then renders text, so
the three formats of a quadrant teach from the very same snapshots and differ in nothing else.

A snapshot may be taught from when it is on the train side of the panels, its advice is valid and the task
can still be won there. Sizes are equal where the data allow it; what differs stands in the budget table,
and no example is repeated unless ``upsample`` asks for it, in which case the table counts the copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from teachable import seeds, tables
from teachable.terms import EVERYTHING, FORMATS, QUADRANTS, RANDOM_ANSWER, UNIFORM, cell_name
from teachable.training.budget import CountTokens, Replay, budget, preference_budget
from teachable.training.errors import SetError, SplitError
from teachable.training.preferences import preference_pairs

Row = Mapping[str, Any]
Render = Callable[[Row, Row, str], tuple[str, str]]  # snapshot row, advice row, format -> prompt, completion
RenderDecision = Callable[[Row, str], tuple[str, str]]  # decision, command -> plain prompt, completion

ASSIGNMENTS: tables.Schema = {
    "run": pl.String,
    "draw": pl.Int64,  # the training seed it serves; null: all of them
    "snapshot_id": pl.String,
    "task_id": pl.String,
    "family": pl.String,
    "quadrant": pl.String,
    "format": pl.String,
    "plain": pl.Boolean,  # a contrast or hint example without its patch
    "copy": pl.Int64,  # 0 for the example itself, 1.. for its repetitions by up-sampling
}


@dataclass(frozen=True, slots=True)
class SetSettings:
    """How training sets are drawn.

    ``examples_per_run``: examples of a cell at most. Every cell has as many as the smallest quadrant that has
    any, but no more than that, so that all are equal. ``upsample``: instead repeat examples of a cell that has
    fewer (counted in the budget table). ``plain``: share of contrast and hint examples without their patch.
    ``trainings``: how often each run is trained; every training draws its own examples, so that what a draw happens to
    hold is in the spread between trainings and no run's fate.
    ``recovery_minimum``: recovery learns from snapshots whose ``L_upper`` is strictly above it.
    """

    seed: int
    examples_per_run: int | None = None
    upsample: bool = False
    plain: float = 0.0
    trainings: int = 1
    recovery_minimum: float = 0.5

    def __post_init__(self) -> None:
        if self.examples_per_run is not None and self.examples_per_run < 1:
            raise SetError(f"examples_per_run is {self.examples_per_run}: it must be at least 1, or null.")


# ------------------------------------------------------------------------------------------- who may teach


def check_sides(panels: pl.DataFrame) -> None:
    """Raise :class:`SplitError` when a task stands on the train side and on the held-out side."""
    sides = panels.group_by("task_id").agg(pl.col("side").unique().sort())
    both = sides.filter(pl.col("side").list.len() > 1)["task_id"].sort()
    if len(both):
        raise SplitError(
            f"{len(both)} tasks are on both sides of the panels, e.g. {both[0]!r}: every game must serve "
            "either training or evaluation. Make the panels again."
        )


def train_side(labeled: pl.DataFrame, panels: pl.DataFrame) -> pl.DataFrame:
    """The labelled, winnable snapshots on the train side, sorted by ``snapshot_id``.

    Raises :class:`SplitError` when a game is on both sides.
    """
    check_sides(panels)
    train = panels.filter((pl.col("panel") == "train") & (pl.col("side") == "train"))
    held_out = panels.filter(pl.col("side") == "held_out")["task_id"].unique()
    pool = labeled.filter(
        pl.col("snapshot_id").is_in(train["snapshot_id"].drop_nulls().implode())
        & ~pl.col("unwinnable").fill_null(False)
        & pl.col("quadrant").is_in(QUADRANTS)
    ).sort("snapshot_id")
    leaked = pool.filter(pl.col("task_id").is_in(held_out.implode()))["task_id"]
    if len(leaked):
        raise SplitError(f"Task {leaked[0]!r} gives a training snapshot but is held out by the panels.")
    return pool


def teachable_pool(labeled: pl.DataFrame, advice: pl.DataFrame, panels: pl.DataFrame) -> pl.DataFrame:
    """The snapshots of :func:`train_side` whose advice is valid: those that may be taught from."""
    valid = advice.filter(pl.col("valid") & pl.col("suggested_action").is_not_null())["snapshot_id"]
    return train_side(labeled, panels).filter(pl.col("snapshot_id").is_in(valid.implode()))


def expert_pool(expert: pl.DataFrame, advice: pl.DataFrame, panels: pl.DataFrame) -> pl.DataFrame:
    """The expert's failure snapshots (setup B) that may be taught from: winnable, with valid advice, and of a game
    that the panels put on the train side."""
    check_sides(panels)
    games = panels.filter(pl.col("side") == "train")["task_id"].unique()
    valid = advice.filter(pl.col("valid") & pl.col("suggested_action").is_not_null())["snapshot_id"]
    return expert.filter(
        pl.col("task_id").is_in(games.implode())
        & pl.col("snapshot_id").is_in(valid.implode())
        & ~pl.col("unwinnable").fill_null(False)
        & pl.col("quadrant").is_in(QUADRANTS)
    ).sort("snapshot_id")


# ------------------------------------------------------------------------------------ matrix and baselines


def matrix_assignments(pool: pl.DataFrame, settings: SetSettings) -> tuple[pl.DataFrame, dict[str, int]]:
    """Assignments of the fourteen runs and of ``C_random``, and each run's target size.

    A cell's examples are drawn anew for each of its trainings (``draw``), the same for its three formats.
    ``B1_uniform`` draws uniformly from all quadrants as many examples as a cell has, and ``C_random`` takes the
    very same; ``B2_all`` takes the whole pool, in every training. All three are written as demonstrations. The
    target of every run is the common cell size, so ``B2_all`` shows in the budget how much more it sees. A quadrant
    without a training snapshot gives no assignment: its runs cannot be, and with an empty pool no run can.
    """
    sizes = {q: pool.filter(pl.col("quadrant") == q).height for q in QUADRANTS}
    least = min((size for size in sizes.values() if size), default=0)
    if not least:
        return pl.DataFrame(schema=dict(ASSIGNMENTS)), {}
    wanted = settings.examples_per_run or least
    target = wanted if settings.upsample else min(wanted, least)
    parts: list[pl.DataFrame] = []
    for training in range(1, settings.trainings + 1):
        for quadrant in QUADRANTS:
            rows = pool.filter(pl.col("quadrant") == quadrant)
            if rows.is_empty():
                continue
            chosen, copies = _draw(rows.height, target, settings, training, "cell", quadrant)
            for format_ in FORMATS:
                run = cell_name(quadrant, format_)
                plain = None if format_ == "demo" else _plain(len(chosen), settings, training, run)
                parts.append(_assign(run, rows[chosen], format_, copies, training, plain))
        chosen, copies = _draw(pool.height, target, settings, training, UNIFORM)
        parts += [_assign(run, pool[chosen], "demo", copies, training) for run in (UNIFORM, RANDOM_ANSWER)]
    parts.append(_assign(EVERYTHING, pool, "demo", [0] * pool.height))
    assignments = pl.concat(parts)
    return assignments, dict.fromkeys(assignments["run"].unique(maintain_order=True), target)


def _plain(size: int, settings: SetSettings, training: int, run: str) -> list[bool]:
    """Which of ``size`` examples stand on the plain prompt: exactly ``round(settings.plain * size)``, drawn by seed."""
    order = seeds.stream(settings.seed, "training sets", "plain", run, training).permutation(size)
    drawn = order[: round(settings.plain * size)]
    return [index in set(drawn.tolist()) for index in range(size)]


def _draw(
    available: int, wanted: int, settings: SetSettings, training: int, *names: str
) -> tuple[list[int], list[int]]:
    """Indices drawn without replacement, in rounds when up-sampling, and the round (copy) of each."""
    rng = seeds.stream(settings.seed, "training sets", *names, training)
    chosen: list[int] = []
    copies: list[int] = []
    for copy in range(-(-wanted // available) if settings.upsample else 1):
        part = rng.permutation(available)[: wanted - len(chosen)].tolist()
        chosen += part
        copies += [copy] * len(part)
    return chosen, copies


def _assign(
    run: str,
    rows: pl.DataFrame,
    format_: str,
    copies: Sequence[int],
    training: int | None = None,
    plain: Sequence[bool] | None = None,
) -> pl.DataFrame:
    return rows.select(
        pl.lit(run).alias("run"),
        pl.lit(training, pl.Int64).alias("draw"),
        "snapshot_id",
        "task_id",
        "family",
        "quadrant",
        pl.lit(format_).alias("format"),
        pl.Series("plain", [format_ == "demo"] * rows.height if plain is None else plain, dtype=pl.Boolean),
        pl.Series("copy", copies, dtype=pl.Int64),
    )


# ----------------------------------------------------------------------------------------------- selection


def selection_assignments(
    pool: pl.DataFrame, selection: pl.DataFrame, target: int | None = None
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Assignments of selection runs (``SELECTION`` rows, best first) and their target sizes.

    ``target`` is the budget that every method had; without it, the size of the largest run in the table.
    Every chosen snapshot must be in ``pool``; a run that chose one that cannot be taught from, or one
    twice, raises :class:`SetError` rather than quietly losing part of its budget.
    """
    unknown = selection.filter(~pl.col("snapshot_id").is_in(pool["snapshot_id"].implode()))
    if unknown.height:
        raise SetError(
            f"Run {unknown['run'][0]!r} selected {unknown['snapshot_id'][0]!r} ({unknown.height} in all), which is no "
            "training snapshot with valid advice in a winnable state: select from the train side only."
        )
    if selection.select(pl.struct("run", "draw", "snapshot_id").is_duplicated().any()).item():
        raise SetError("A selection run chose the same snapshot twice: a budget counts distinct snapshots.")
    odd = selection.filter(~pl.col("format").is_in(FORMATS))
    if odd.height:
        raise SetError(f"Run {odd['run'][0]!r} asks for the format {odd['format'][0]!r}: expected one of {FORMATS}.")
    rows = (
        selection.sort("run", "draw", "rank", "snapshot_id")
        .join(
            pool.select("snapshot_id", "task_id", "family", "quadrant"),
            on="snapshot_id",
            how="left",
            maintain_order="left",
        )
        .select(
            "run",
            "draw",
            "snapshot_id",
            "task_id",
            "family",
            "quadrant",
            "format",
            (pl.col("format") == "demo").alias("plain"),
            pl.lit(0, pl.Int64).alias("copy"),
        )
    )
    sizes = rows.group_by("run", "draw").len().group_by("run").agg(pl.col("len").max())
    target = target or int(sizes["len"].max() or 0)  # type: ignore[arg-type]
    return rows, dict.fromkeys(sizes["run"].sort(), target)


# ----------------------------------------------------------------------------------------------- rendering


def render_examples(
    assignments: pl.DataFrame, pool: pl.DataFrame, advice: pl.DataFrame, render: Render, *, seed: int = 0
) -> pl.DataFrame:
    """``EXAMPLES`` rows of ``assignments``. Each (snapshot, format) is rendered once, however many runs use it.

    On the plain prompt an example of any format reads as a demonstration. The answer of ``C_random`` is a command drawn
    by seed from the admissible ones other than the teacher's; where there is no other the example is left out.
    """
    assignments = assignments.with_columns(pl.when("plain").then(pl.lit("demo")).otherwise("format").alias("written"))
    wanted = assignments["snapshot_id"].unique().implode()
    snapshots = _by_id(pool.filter(pl.col("snapshot_id").is_in(wanted)))
    advices = _by_id(advice.filter(pl.col("snapshot_id").is_in(wanted)))
    texts: dict[tuple[str, str], tuple[str, str]] = {}
    for snapshot_id, format_ in assignments.select("snapshot_id", "written").unique(maintain_order=True).iter_rows():
        if snapshot_id not in snapshots or snapshot_id not in advices:
            raise SetError(f"Snapshot {snapshot_id!r} is assigned to a run but has no label or no advice.")
        texts[snapshot_id, format_] = render(snapshots[snapshot_id], advices[snapshot_id], format_)
    keys = list(assignments.select("snapshot_id", "written").iter_rows())
    completions: list[str | None] = [texts[key][1] for key in keys]
    for row, (run, (snapshot_id, _)) in enumerate(zip(assignments["run"], keys, strict=True)):
        if run == RANDOM_ANSWER:
            completions[row] = _other(snapshots[snapshot_id], str(completions[row]), seed)
    made = assignments.select(
        "run",
        "draw",
        pl.when(pl.col("copy") == 0)
        .then(pl.format("{}:{}", "snapshot_id", "format"))
        .otherwise(pl.format("{}:{}:copy{}", "snapshot_id", "format", "copy"))
        .alias("example_id"),
        "snapshot_id",
        "task_id",
        "family",
        "quadrant",
        "format",
        "plain",
        pl.Series("prompt", [texts[key][0] for key in keys], dtype=pl.String),
        pl.Series("completion", completions, dtype=pl.String),
    )
    return made.filter(pl.col("completion").is_not_null())


def _other(snapshot: Row, command: str, seed: int) -> str | None:
    """An admissible command other than ``command``, each as likely; None where there is none."""
    rest = [other for other in snapshot["commands"] if other != command]
    if not rest:
        return None
    generator = seeds.stream(seed, "training sets", RANDOM_ANSWER, snapshot["snapshot_id"])
    return str(rest[int(generator.integers(len(rest)))])


def _by_id(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return tables.index(frame, "snapshot_id")


# ---------------------------------------------------------------------------------------------- whole sets


def matrix_sets(
    labeled: pl.DataFrame,
    advice: pl.DataFrame,
    panels: pl.DataFrame,
    render: Render,
    count_tokens: CountTokens,
    settings: SetSettings,
    replay: Replay,
    preferring: Sequence[str] = (),
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``EXAMPLES`` and ``BUDGET`` of the fourteen runs and the controls, from the student's own failures.

    ``C_replay`` has no example; its row in the budget says how many decisions it replays. Nor have the runs by direct
    preference optimisation, those of the quadrants ``preferring``: they take the examples of their quadrant's contrast
    cell (:mod:`teachable.training.preferences`), and the budget has a row for each.
    """
    pool = teachable_pool(labeled, advice, panels)
    assignments, targets = matrix_assignments(pool, settings)
    made = render_examples(assignments, pool, advice, render, seed=settings.seed)
    examples = tables.conform(made, tables.EXAMPLES, "examples")
    rows = budget(examples, targets, count_tokens, replay)
    pairs = {quadrant: preference_pairs(examples, labeled, quadrant) for quadrant in preferring}
    return examples, pl.concat([rows, preference_budget(pairs, rows, count_tokens)])


def selection_sets(
    labeled: pl.DataFrame,
    advice: pl.DataFrame,
    panels: pl.DataFrame,
    selection: pl.DataFrame,
    render: Render,
    count_tokens: CountTokens,
    replay: Replay,
    *,
    expert: pl.DataFrame | None = None,
    target: int | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``EXAMPLES`` and ``BUDGET`` of the selection runs, each example in the format its row asks for. A run with
    several draws is counted once, by its first. ``expert`` are the expert's failures, of which a method may choose.

    ``target`` is the budget K, which the budget table holds every run against.
    """
    pool = teachable_pool(labeled, advice, panels)
    if expert is not None:
        pool = pl.concat([pool, expert_pool(expert, advice, panels)])
    assignments, targets = selection_assignments(pool, selection, target)
    examples = tables.conform(render_examples(assignments, pool, advice, render), tables.EXAMPLES, "examples")
    return examples, budget(examples, targets, count_tokens, replay)


__all__ = [
    "ASSIGNMENTS",
    "SetSettings",
    "budget",
    "check_sides",
    "matrix_assignments",
    "matrix_sets",
    "render_examples",
    "selection_assignments",
    "selection_sets",
    "teachable_pool",
    "train_side",
]
