"""A judge of trajectories, asked about failed episodes and about advice, beside what is known of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from teachable import tables
from teachable.errors import ConfigError
from teachable.evaluation.judging import best_by_values
from teachable.rollouts.snapshots import decisions_of_failures
from teachable.seeds import stream
from teachable.teacher.asking import Progress
from teachable.teacher.judge import ADVICE, DECISION, Question, about_advice, about_episode, judge_all

if TYPE_CHECKING:
    from teachable.config.teacher import Judge, Teacher

Item = TypeVar("Item")


def judge(
    steps: pl.DataFrame,
    episodes: pl.DataFrame,
    labeled: pl.DataFrame,
    advice: pl.DataFrame,
    action_values: pl.DataFrame,
    section: Judge,
    teacher: Teacher,
    *,
    run_seed: int,
    progress: Progress | None = None,
    sleep: Callable[[float], object] | None = None,
) -> pl.DataFrame:
    """``JUDGEMENTS`` on ``section.episodes`` of the student's failed episodes (STEPS, EPISODES) and on
    ``section.advice`` snapshots (LABELED) with valid ADVICE, in an order drawn by ``run_seed``: asking for more keeps
    the first. ``truth`` is the deciding decision, counted from 1, and whether the advised command is the best by
    ACTION_VALUES; null where that is not known. Of an episode that was lost before its first decision nobody is asked.

    Raises ConfigError when nothing is asked for, and what :func:`teachable.teacher.judge.judge_all` does.
    """
    if not section.episodes and not section.advice:
        raise ConfigError(
            "judge.episodes and judge.advice are both 0, so the judge has nothing to do: ask for some, e.g. --config "
            "'judge={episodes: 50, advice: 50}'."
        )
    questions, truth = _episodes(steps, episodes, section.episodes, run_seed)
    asked, known = _advice(labeled, advice, action_values, section.advice, run_seed)
    found = judge_all([*questions, *asked], section.endpoint(teacher), progress=progress, sleep=sleep)
    truths = pl.DataFrame(
        [(DECISION, name, value) for name, value in truth.items()]
        + [(ADVICE, name, int(value)) for name, value in known.items()],
        schema={"subject": pl.String, "item_id": pl.String, "truth": pl.Int64},
        orient="row",
    )
    joined = found.drop("truth").join(truths, on=["subject", "item_id"], how="left", maintain_order="left")
    return tables.conform(joined.select(list(tables.JUDGEMENTS)), tables.JUDGEMENTS, "judgements")


def _episodes(
    steps: pl.DataFrame, episodes: pl.DataFrame, count: int, run_seed: int
) -> tuple[list[Question], Mapping[str, int]]:
    """Questions on failed episodes, and the number of the deciding decision of each."""
    own = episodes.filter(pl.col("behaviour") == "student")
    decided = decisions_of_failures(steps, own).group_by("episode_id", "task_id").agg(pl.col("step").max() + 1)
    chosen = _drawn(decided.sort("episode_id").rows(), count, run_seed, DECISION)
    names = [episode_id for episode_id, _, _ in chosen]
    parts = steps.filter(pl.col("episode_id").is_in(names)).sort("episode_id", "step").partition_by("episode_id")
    rows = {part["episode_id"][0]: part.to_dicts() for part in parts}
    questions = [about_episode(episode_id, task_id, rows[episode_id]) for episode_id, task_id, _ in chosen]
    return questions, {episode_id: end for episode_id, _, end in chosen}


def _advice(
    labeled: pl.DataFrame, advice: pl.DataFrame, action_values: pl.DataFrame, count: int, run_seed: int
) -> tuple[list[Question], Mapping[str, bool]]:
    """Questions on valid advice, and whether each advised command is the best, where that is known."""
    given = {row["snapshot_id"]: row for row in advice.filter("valid").iter_rows(named=True)}
    rows = [row for row in labeled.sort("snapshot_id").iter_rows(named=True) if row["snapshot_id"] in given]
    chosen = _drawn(rows, count, run_seed, ADVICE)
    commands = pl.DataFrame(
        [(row["snapshot_id"], given[row["snapshot_id"]]["suggested_action"]) for row in chosen],
        schema={"snapshot_id": pl.String, "command": pl.String},
        orient="row",
    )
    questions = [about_advice(row, given[row["snapshot_id"]]) for row in chosen]
    return questions, best_by_values(action_values, commands)


def _drawn(items: list[Item], count: int, run_seed: int, subject: str) -> list[Item]:
    order = stream(run_seed, "judge", subject).permutation(len(items))
    return [items[int(index)] for index in order[:count]]
