"""Train on one example at a time, and see what it changes: from the snapshot, and on similar games."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from teachable import seeds, tables
from teachable.evaluation.measuring import RolloutEvaluator
from teachable.evaluation.probes import adapter_probe
from teachable.pipeline.prompting import Prompter
from teachable.pipeline.valuing import valuer
from teachable.rollouts.episodes import PlaySettings
from teachable.stages.common import Reporter
from teachable.stages.games import games_root, open_world
from teachable.stages.models import load_student
from teachable.stages.tasks import read_tasks
from teachable.student.lora import Example, LoraSettings, train_lora
from teachable.student.model import Student
from teachable.student.prompt import Context
from teachable.supervision import context_fields
from teachable.training.micro import Fitted, MicroSettings, microtrain, plan_trials

if TYPE_CHECKING:
    from teachable.stages.params import Microtrain
    from teachable.stages.runner import Inputs, Outputs


class Tuner:
    """LoRA adapters of one example each, from the same base student."""

    def __init__(self, student: Student, settings: LoraSettings, seed: int) -> None:
        self._student, self._settings, self._seed = student, settings, seed

    def fit(self, adapter: str, prompt: str, completion: str) -> Fitted:
        begun = time.perf_counter()
        record = train_lora(
            self._student,
            [Example(prompt, completion)],
            self._settings,
            seed=seeds.integer(self._seed, "microtrain", adapter),
            name=adapter,
        )
        return Fitted(record.losses[0], record.losses[-1], time.perf_counter() - begun)

    def discard(self, adapter: str) -> None:
        self._student.remove_adapter(adapter)


def run(inputs: Inputs, outputs: Outputs, params: Microtrain) -> None:
    section = params.microtraining
    student = load_student(inputs["student"][0])
    labeled = tables.read(inputs["labeled"][0], tables.LABELED)
    world, games = open_world(params.world), games_root(inputs["games"])
    tasks = {task.task_id: task for task in read_tasks(*inputs["tasks"])}
    settings = MicroSettings(
        format=section.format,
        similar_tasks=section.similar_tasks,
        snapshot_weight=section.snapshot_weight,
    )
    trials, skipped = plan_trials(
        labeled,
        tables.read(inputs["advice"][0], tables.ADVICE),
        tables.read(inputs["panels"][0], tables.PANELS),
        Prompter(student.layout_spec, student.tokenizer).render,
        settings,
    )
    estimation = params.estimation.model_copy(
        update={"tree_prompts": section.tree_prompts, "tree_episodes": section.tree_episodes}
    )

    def probe(adapter: str, row: Mapping[str, Any]) -> float:
        prompt = student.prompt(Context(**context_fields(row)))
        return adapter_probe(student, adapter, [prompt], [row["commands"]])

    evaluator = RolloutEvaluator(
        student,
        world,
        games,
        labeled,
        tasks,
        valuer(world, games, estimation, max_steps=params.world.max_steps, run_seed=params.seed),
        PlaySettings(max_steps=params.world.max_steps, stop_unwinnable=True),
        run_seed=params.seed,
    )
    result = microtrain(
        trials[params.shard :: params.shards],
        Tuner(
            student,
            LoraSettings(
                rank=params.lora.rank,
                alpha=params.lora.alpha,
                dropout=params.lora.dropout,
                learning_rate=section.learning_rate,
                max_steps=section.steps,
                schedule="constant",
                warmup=0.0,
            ),
            params.seed,
        ),
        evaluator,
        probe,
        settings,
        progress=Reporter("snapshots trained on"),
    )
    for name, reason in {**skipped, **result.skipped}.items():
        print(f"snapshot {name}: left out: {reason}", flush=True)
    tables.write(result.rows, outputs["microtraining"], tables.MICROTRAINING)
    tables.write(evaluator.episodes, outputs["episodes"], tables.EPISODES)
