"""Phase 1b: train on one example at a time, and see what it changes: from the snapshot, and on similar games."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from teachable import seeds
from teachable.evaluation.measuring import RolloutEvaluator
from teachable.evaluation.probes import adapter_probes
from teachable.pipeline.prompting import Prompter
from teachable.pipeline.valuing import valuer
from teachable.rollouts.episodes import PlaySettings, Progress
from teachable.student.completions import Example
from teachable.student.lora import LoraSettings
from teachable.student.model import Student
from teachable.student.prompt import Context
from teachable.student.stacked import Job, train_stacked
from teachable.training.micro import Fitted, MicroResult, microtrain, plan_trials
from teachable.worlds.base import Task, World

if TYPE_CHECKING:
    from teachable.config import model as c


class Tuner:
    """LoRA adapters of one example each, from the same base student, trained side by side."""

    def __init__(self, student: Student, settings: LoraSettings, seed: int) -> None:
        self._student, self._settings, self._seed = student, settings, seed

    def fit(self, asked: Sequence[tuple[str, str, str]]) -> list[Fitted]:
        """Of each (adapter, prompt, completion): its loss at the first and the last step."""
        jobs = [
            Job([Example(prompt, completion)], seeds.integer(self._seed, "microtrain", adapter), adapter)
            for adapter, prompt, completion in asked
        ]
        records = train_stacked(self._student, jobs, self._settings)
        return [Fitted(record.losses[0], record.losses[-1]) for record in records]

    def discard(self, adapter: str) -> None:
        self._student.remove_adapter(adapter)


def micro_train(
    student: Student,
    world: World,
    games: Path,
    tasks: Mapping[str, Task],
    labeled: pl.DataFrame,
    advice: pl.DataFrame,
    panels: pl.DataFrame,
    section: c.Microtraining,
    estimation: c.Estimation,
    lora: c.Lora,
    *,
    max_steps: int,
    run_seed: int,
    shard: int = 0,
    shards: int = 1,
    progress: Progress | None = None,
) -> tuple[MicroResult, pl.DataFrame]:
    """Every ``shards``-th snapshot of the validation panel from ``shard`` on; and the ``EPISODES`` behind the numbers.

    What is left out is named in ``MicroResult.skipped``. Tables are LABELED, ADVICE and PANELS.
    """
    render = Prompter(student.layout_spec, student.tokenizer).render
    trials, skipped = plan_trials(labeled, advice, panels, render, section)
    estimation = estimation.model_copy(
        update={"tree_prompts": section.tree_prompts, "tree_episodes": section.tree_episodes}
    )
    tuning = LoraSettings(
        rank=lora.rank,
        alpha=lora.alpha,
        dropout=lora.dropout,
        gradient_checkpointing=lora.gradient_checkpointing,
        learning_rate=section.learning_rate,
        max_steps=section.steps,
        schedule="constant",
        warmup=0.0,
    )

    def probe(asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
        prompts = [student.prompt(Context.of(row)) for _, row in asked]
        return adapter_probes(
            student, [adapter for adapter, _ in asked], prompts, [row["commands"] for _, row in asked]
        )

    evaluator = RolloutEvaluator(
        student,
        world,
        games,
        labeled,
        tasks,
        valuer(world, games, estimation, max_steps=max_steps, run_seed=run_seed),
        PlaySettings(max_steps=max_steps, stop_unwinnable=True),
        run_seed=run_seed,
        shard=shard,
    )
    tuner = Tuner(student, tuning, run_seed)
    result = microtrain(trials[shard::shards], tuner, evaluator, probe, section, progress=progress)
    return MicroResult(result.rows, {**skipped, **result.skipped}), evaluator.episodes
