"""What each stage is configured by: sections of the configuration, by their names, plus what the rule adds.

A field with the name of a configuration section or scalar is filled from the resolved configuration; the others
(``shard``, ``run``, ...) are given by the rule. A stage sees nothing else, so an edit to any other knob cannot
change, or rerun, it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from teachable.config import model as c
from teachable.config.teacher import Teacher


class Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Params):
    pass


class Seeded(Params):
    seed: int


class ResolveConfig(Params):
    config: dict[str, Any]


class MakeTasks(Seeded):
    world_name: str
    max_steps: int
    options: dict[str, Any]  # of the world's generator, for this split
    split: c.Split
    items: list[tuple[str, int]]  # (family, index within the family and split)


class Demonstrate(Seeded):
    world: c.World
    trajectories: int
    noise: float
    gaps: dict[str, c.Gap]
    own_lights: float


class BuildStudent(Seeded):
    world: c.World
    builtin: c.Builtin


class LinkStudent(Params):
    student: c.Student


class Concat(Params):
    schema_name: str  # e.g. STEPS


class Rollout(Seeded):
    world: c.World
    rollouts: c.Rollouts


class EpisodeValues(Seeded):
    world: c.World
    estimation: c.Estimation


class MineSnapshots(Seeded):
    snapshots: c.Snapshots


class RestoreCheck(Params):
    world: c.World


class RetentionPanel(Params):
    retention: int


class Advise(Seeded):
    world: c.World
    teacher: Teacher
    student_layout: str  # compact | chat: how wordy the advice may be
    shard: int
    shards: int


class ActionValues(Seeded):
    world: c.World
    estimation: c.Estimation
    shard: int
    shards: int


class Label(Seeded):
    labels: c.Labels


class Skills(Seeded):
    world_name: str
    gaps: dict[str, c.Gap]  # planted in the student
    statistics: c.Statistics


class MakePanels(Seeded):
    panels: c.Panels


class Microtrain(Seeded):
    world: c.World
    estimation: c.Estimation
    lora: c.Lora
    microtraining: c.Microtraining
    shard: int
    shards: int


class CptCorrelation(Seeded):
    statistics: c.Statistics
    microtraining: c.Microtraining


class Continuations(Seeded):
    world: c.World
    horizon: Literal["fresh", "remaining"]
    continuations: int


class Replaying(Seeded):
    epochs: int
    batch_size: int
    replay: float


class MakeExamples(Replaying):
    max_examples: int
    plain: float
    trainings: int


class RecoveryExamples(Replaying):
    world: c.World
    max_examples: int
    recovery_minimum: float


class Train(Seeded):
    run: str
    train_seed: int
    lora: c.Lora
    training: c.Training


class Evaluate(Seeded):
    model: str
    train_seed: int | None  # null for the base
    world: c.World
    horizon: Literal["fresh", "remaining"]
    test_repeats: int
    failure_repeats: int
    retention_repeats: int


class Summarise(Seeded):
    statistics: c.Statistics


class Drift(Seeded):
    model: str
    world: c.World
    estimation: c.Estimation
    drift_episodes: int
    retention_repeats: int


class Features(Params):
    world_name: str


class Predict(Seeded):
    predictor: c.Predictor
    statistics: c.Statistics


class Select(Seeded):
    k: int
    method: str
    draws: int  # of the random choice, one for every training


class SelectionExamples(Replaying):
    k: int


class PaperItem(Params):
    item: str  # e.g. h1_1
    world_name: str | None = None  # of an item that reads the vocabulary of the world


class Criteria(Params):
    student_source: str
    criteria: c.Criteria


class Report(Params):
    benchmarks: str  # directory of Snakemake's benchmark files
    libraries: list[str]  # distributions that the world is made of, whose versions are shown
