"""Every knob of the workflow with its type, unit and meaning. Values live in ``workflow_config.yaml``.

The models are closed: an unknown key is an error. There are no defaults here, so the YAML file is the one place to
read what a run will do; ``docs/configuration.md`` is generated from these descriptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from teachable.config.expert import Expert, completed
from teachable.config.section import (
    NO_TRUTH,
    OPERATIONAL,
    Above0,
    Below1,
    Count,
    Distinct,
    Fraction,
    From0,
    LocalPath,
    Number,
    Positive,
    Section,
)
from teachable.config.teacher import Judge, Teacher
from teachable.terms import FORMATS, Quadrant, describe, preference_name, preference_runs, selection_of

MOST_JOBS, MOST_GAMES = 100_000, 1_000_000
Split = Literal["warmstart", "train", "test"]
if TYPE_CHECKING:
    Route = str
else:
    Route = Literal[("route", *FORMATS)]


class World(Section):
    name: str = Field(
        description="the world that tasks come from: textworld, textworld_express, scienceworld or one of a package"
    )
    max_steps: Positive = Field(description="commands an episode may take")
    options: dict[str, Any] = Field(description="how the world is played: its own options, see below")


class Tasks(Section):
    warmstart: dict[str, Count] = Field(description="games per family the built-in student is cloned from")
    train: dict[str, Count] = Field(description="games per family for rollouts, snapshots and training")
    test: dict[str, Count] = Field(description="held-out games per family")
    options: dict[str, Any] = Field(description="how the world's games are made: its own options, see below")
    test_options: dict[str, Any] = Field(description="what is different for the test games")
    shard_size: Annotated[Positive, OPERATIONAL] = Field(description="games per job, for generation and for rollouts")


class Student(Section):
    source: Literal["builtin", "hf"] = Field(description="built-in student, or a Hugging Face causal LM")
    path: LocalPath | None = Field(description="for hf: local directory or hub name, e.g. Qwen/Qwen3-8B")
    revision: str | None = Field(description="for hf: commit of the hub repository, so that weights cannot move")
    layout: str | None = Field(
        description="how a decision is written down, a module of student/layouts; null: as the student's file says, "
        "chat where there is none"
    )
    temperature: Above0 = Field(description="policy(a) = softmax(score / temperature)")
    length_normalisation: Literal["none", "mean"] = Field(
        description="score of a command: sum of its tokens' log-likelihoods, or their mean"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(description="where the model runs; auto takes a GPU if there is one")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(description="auto: bfloat16 on a GPU, float32 on a CPU")
    batch_tokens: Positive = Field(description="tokens per forward pass to begin with; halved on out-of-memory")
    prefix_cache_gb: Above0 | None = Field(
        description="memory for what the student keeps of prompts, so that it reads nothing twice; null: 2 GB on a "
        "CPU, half of what the weights leave free on a GPU"
    )

    @model_validator(mode="after")
    def _path_for_hf(self) -> Student:
        if self.source == "hf" and not self.path:
            raise ValueError("student.path is needed when student.source is hf")
        return self


class Gap(Section):
    known: Fraction = Field(description="share of needs in which the demonstrator does the right thing")
    otherwise: Literal["habit", "dither"] = Field(
        description="what it does else, wrong and harmless. habit: always the same; dither: anything"
    )


class Builtin(Section):
    hidden: Positive = Field(description="hidden size of the built-in model")
    layers: Positive = Field(description="transformer layers")
    heads: Positive = Field(description="attention heads")
    key_value_heads: Positive = Field(description="key-value heads")
    intermediate: Positive = Field(description="MLP size")
    vocabulary: Positive = Field(description="entries of the byte-level BPE")
    trajectories: Positive = Field(description="trajectories per warm-start game; the first is the expert's own")
    noise: Fraction = Field(description="share of random, not losing, commands in the others")
    gaps: dict[str, Gap] = Field(
        description="skills the demonstrator lacks, each {known: share of needs in which it does the right thing, "
        "otherwise: habit (one wrong, harmless command, always the same) or dither (any)}; the world says which "
        "skills there are; {}: it is the expert"
    )
    own_lights: Fraction = Field(description="share of the trajectories in which the demonstrator's gaps are played")
    learning_rate: Above0 = Field(description="peak learning rate of AdamW, for embeddings and norms")
    matrix_rate: From0 = Field(description="peak learning rate of Muon, for weight matrices; 0: AdamW for all")
    batch_size: Positive = Field(description="examples per step")
    max_steps: Positive = Field(description="optimiser steps; all of them are made")
    band_low: Fraction = Field(description="a student with less validation success than this is an error")
    band_high: Fraction = Field(description="a student with more is one, too: it has nothing left to learn")
    validation_games: Positive = Field(description="warm-start games kept for validation")
    validation_episodes: Positive = Field(description="sampled episodes on each of them")
    threads: Positive = Field(description="CPU threads for training")


class Rollouts(Section):
    episodes_per_task: Positive = Field(description="student episodes per train task, sampled at temperature 1")
    expert_episodes_per_task: Count = Field(description="noisy expert episodes per train task (setup B)")
    expert_noise: Fraction = Field(description="share of random commands in those")


class Snapshots(Section):
    mode: Literal["deciding", "fall"] = Field(
        description="which decisions of a failed episode come first: those around the deciding one, at distances "
        "nearest to farthest, or those at which the estimated chance of success falls most, at any distance"
    )
    max_snapshots: Positive = Field(description="failure snapshots of the student's own episodes at most")
    max_expert_snapshots: Count = Field(description="failure snapshots of expert episodes (setup B) at most")
    per_episode: Positive = Field(description="failure snapshots of one episode at most")
    nearest: Positive = Field(description="least distance of a snapshot to the deciding decision; 1 is that decision")
    farthest: Positive = Field(description="greatest distance of a snapshot to the deciding decision")
    interval: Positive = Field(description="steps between the snapshots that recovery depth reads")
    interval_episodes: Count = Field(description="failed episodes that get interval snapshots")
    shard_size: Annotated[Positive, OPERATIONAL] = Field(description="snapshots per job, for advice and labels")

    @model_validator(mode="after")
    def _ordered(self) -> Snapshots:
        if self.nearest > self.farthest:
            raise ValueError("snapshots.nearest must not exceed snapshots.farthest")
        return self


class Estimation(Section):
    estimator: Literal["monte_carlo", "tree"] = Field(description="how success probabilities are estimated")
    patch_scope: Literal["decision", "episode"] = Field(description="how long a patch stays in the context")
    horizon: Literal["fresh", "remaining"] = Field(
        description="commands an episode from a snapshot may take: max_steps anew, or what the prefix leaves of them"
    )
    policy_episodes: Positive = Field(description="monte_carlo: episodes for p_policy")
    force_episodes: Positive = Field(description="monte_carlo: episodes for p_force")
    expert_episodes: Positive = Field(description="monte_carlo: episodes for p_expert")
    condition_episodes: Positive = Field(description="monte_carlo: episodes per patch condition")
    tree_prompts: Positive = Field(description="tree: prompts expanded per snapshot")
    tree_episodes: Positive = Field(description="tree: episodes sampled from its frontier per snapshot")


class Labels(Section):
    uncertainty: Literal[
        "entropy", "entropy_normalised", "margin", "topk_spread", "effective_actions", "logp_chosen"
    ] = Field(description="which measure is U")
    topk: Annotated[int, Field(ge=2), NO_TRUTH] = Field(description="k of the top-k spread p1 - pk")
    thresholds: Literal["median", "percentiles", "given"] = Field(
        description="how U and L_local are cut into quadrants"
    )
    given_U: Number | None = Field(description="threshold of U when thresholds: given, nats")
    given_L: Number | None = Field(description="threshold of L_local when thresholds: given")
    setup_b: Literal["apart", "together"] = Field(
        description="apart: the expert's failures (setup B) are cut where the student's are, and count nowhere; "
        "together: they enter the student's set, its thresholds, counts, training side, predictor and figures"
    )


class Panels(Section):
    held_out: Fraction = Field(description="share of the labelled games kept for evaluation and validation")
    failure_per_quadrant: Positive = Field(description="held-out snapshots per quadrant in the failure panel")
    validation_per_quadrant: Positive = Field(description="snapshots per quadrant for micro-training")
    drift: Positive = Field(description="held-out snapshots of the drift panel")
    retention: Positive = Field(description="tasks of the retention panel")


class Lora(Section):
    rank: Positive = Field(description="rank of the adapters")
    alpha: Positive = Field(description="LoRA alpha")
    dropout: Fraction = Field(description="dropout on the adapter's input")


class Microtraining(Section):
    learning_rate: Above0 = Field(description="learning rate of the one-example updates")
    steps: Positive = Field(description="optimiser steps on that example")
    format: Route = Field(description="format of the example: that of the snapshot's route, or one for all")
    similar_tasks: Count = Field(description="tasks of the same family played before and after")
    snapshot_weight: Fraction = Field(description="weight of the snapshot in delta_micro; the rest is similar tasks")
    tree_prompts: Positive = Field(description="prompts expanded when the snapshot is valued with the tuned student")
    tree_episodes: Positive = Field(description="frontier episodes of the same")
    shard_size: Annotated[Positive, OPERATIONAL] = Field(description="snapshots per job")

    @model_validator(mode="after")
    def _similar_tasks_where_they_weigh(self) -> Microtraining:
        if self.snapshot_weight < 1 and not self.similar_tasks:
            raise ValueError("snapshot_weight below 1 needs similar_tasks of at least 1")
        return self


class Training(Section):
    learning_rate: Above0 = Field(description="learning rate of the matrix")
    epochs: Positive = Field(description="passes over a run's examples")
    batch_size: Positive = Field(description="effective batch; reached by accumulation where memory is short")
    micro_batch: Positive = Field(description="examples per forward pass to begin with; halved on out-of-memory")
    max_examples: Positive = Field(description="examples of one run at most (B2_all excepted)")
    warmup: Fraction = Field(description="share of the steps with rising learning rate")
    recovery_minimum: Fraction = Field(description="L_upper above which expert continuations are trained on")
    seeds: Positive = Field(description="trainings of every run, each with its own weights, draw and order of examples")
    replay: Below1 = Field(
        description="share of what an epoch trains on that is decisions of the student's own won training-side "
        "episodes, other ones every epoch, as many of each family"
    )
    continuations: Count = Field(
        description="episodes that the student plays on from a training-side snapshot after the teacher's command; "
        "decisions of those it wins are replayed, too"
    )
    plain: Fraction = Field(description="share of contrast and hint examples written on the plain prompt")
    base_penalty: From0 = Field(
        description="weight of the Kullback-Leibler divergence from the base student, per token of the completions"
    )


class Dpo(Section):
    quadrants: Distinct[Quadrant] = Field(
        description="quadrants whose contrast examples are also learned by direct preference optimisation, each a "
        "further run, e.g. Q4_dpo: the teacher's command rather than the student's own; []: none"
    )
    beta: Above0 = Field(
        description="strength of the preference loss: the larger, the closer the run stays to the base student"
    )


class Evaluation(Section):
    test_repeats: Positive = Field(description="episodes per test task; the first is greedy, the others sampled")
    failure_repeats: Positive = Field(description="sampled episodes per failure snapshot")
    retention_repeats: Positive = Field(description="episodes per retention task; the first is greedy")
    drift_runs: Distinct[str] = Field(description="runs whose checkpoints are tested again")
    drift_episodes: Positive = Field(description="drift: episodes per condition, or frontier episodes of the tree")
    retention_curves: Literal["drift_runs", "all"] = Field(
        description="runs whose checkpoints play the retention panel: those of drift_runs, or all that are trained in "
        "phase 2"
    )

    @field_validator("drift_runs")
    @classmethod
    def _runs_of_the_matrix(cls, runs: list[str]) -> list[str]:
        for run in runs:
            if selection_of(run):
                raise ValueError(f"{run!r} is a run of the selection; only those of the matrix have checkpoints")
            describe(run)
        return runs


class Predictor(Section):
    folds: Annotated[int, Field(ge=2), NO_TRUTH] = Field(description="folds, grouped by game")
    trees: Positive = Field(description="trees of the extremely randomised forest, one of the learners that compete")
    k: Distinct[Positive] = Field(description="k of NDCG@k and Precision@k")
    sample_sizes: Distinct[Fraction] = Field(description="shares of the training folds for the sample-efficiency curve")


class Selection(Section):
    epochs: Positive = Field(description="passes over the chosen snapshots; in place of training.epochs")
    replay: Below1 = Field(
        description="share of replayed decisions; in place of training.replay: beside few examples it must be larger"
    )
    retention_repeats: Positive = Field(description="episodes per retention task, as evaluation.retention_repeats")
    k: Annotated[Distinct[Positive], Field(min_length=1)] = Field(
        description="snapshots each method may choose; every method is trained with each of these budgets"
    )
    methods: Distinct[str] = Field(
        description="selection methods that are trained and compared: modules of teachable.selection.methods"
    )


class Statistics(Section):
    repetitions: Positive = Field(description="bootstrap repetitions")
    level: Annotated[float, Field(gt=0, lt=1), NO_TRUTH] = Field(description="confidence level")


class Criteria(Section):
    per_quadrant: Positive = Field(description="snapshots that each quadrant needs")


class Store(Section):
    enabled: bool = Field(description="keep every result by content and never compute it twice")
    path: LocalPath = Field(description="directory of the store; TEACHABLE_STORE overrides it")


class Monitoring(Section):
    """Where one may look while a run goes; it changes no result."""

    tensorboard: Annotated[str | None, OPERATIONAL] = Field(
        description="directory for TensorBoard's event files of every training, <run>/<training seed>/: loss, learning "
        "rate, tokens a second; needs the package tensorboard; null: none"
    )


class AskAbove(Section):
    """What a run may plan without a question before its first job; it changes no result."""

    core_hours: Annotated[Above0 | None, OPERATIONAL] = Field(description="core-hours of the jobs to run; null: any")
    gpu_hours: Annotated[Above0 | None, OPERATIONAL] = Field(description="GPU-hours of the jobs to run; null: any")
    usd: Annotated[Above0 | None, OPERATIONAL] = Field(description="US dollars for the teacher; null: any")
    disk_gb: Annotated[Above0 | None, OPERATIONAL] = Field(description="gigabytes still to be written; null: any")
    unanswered: Annotated[Literal["go", "stop"], OPERATIONAL] = Field(
        description="what a run above one of these does where nobody is at a terminal: go on with a sentence, or stop"
    )


class Resources(Section):
    gpus: Count = Field(description="GPUs of a job that loads the student")
    gpu_memory_gb: Positive = Field(description="memory such a job asks for, gigabytes")
    memory_gb: Positive = Field(description="memory any other job asks for, gigabytes")
    student_minutes: Positive = Field(description="run time of a job that loads the student")
    minutes: Positive = Field(description="run time of any other job")
    threads: Positive = Field(description="CPU threads of a job that loads the student")
    models_per_job: Positive = Field(description="adapters that one job trains, or evaluates, one after the other")


class Config(Section):
    """The resolved configuration of a run."""

    preset: str = Field(description="which preset was asked for")
    seed: Count = Field(description="seed of everything random")
    world: World
    tasks: Tasks
    student: Student
    builtin: Builtin
    teacher: Teacher
    judge: Judge
    expert: Expert
    rollouts: Rollouts
    snapshots: Snapshots
    estimation: Estimation
    labels: Labels
    panels: Panels
    lora: Lora
    microtraining: Microtraining
    training: Training
    dpo: Dpo
    evaluation: Evaluation
    predictor: Predictor
    selection: Selection
    statistics: Statistics
    criteria: Criteria
    store: Store
    ask_above: AskAbove
    monitoring: Monitoring
    resources: Resources

    @model_validator(mode="before")
    @classmethod
    def _with_experts_teacher(cls, values: Any) -> Any:
        return completed(values)

    @model_validator(mode="after")
    def _possible(self) -> Config:
        if self.labels.thresholds == "given" and (self.labels.given_U is None or self.labels.given_L is None):
            raise ValueError("labels.given_U and labels.given_L are needed when labels.thresholds is given")
        if self.student.source == "builtin" and not sum(self.tasks.warmstart.values()):
            raise ValueError("tasks.warmstart has no games, but the built-in student is cloned from them")
        if not sum(self.tasks.train.values()) or not sum(self.tasks.test.values()):
            raise ValueError("tasks.train and tasks.test need at least one game each")
        judge = self.judge.endpoint(self.teacher).model
        if self.judge.asked and judge not in self.teacher.prices:
            raise ValueError(
                f"there is no price for the judge's model {judge!r}, so the budget cannot be kept: add "
                f"teacher.prices.{judge}: {{input: ..., output: ...}} in US dollars per million tokens"
            )
        preferring = {preference_name(quadrant) for quadrant in self.dpo.quadrants}
        for run in self.evaluation.drift_runs:
            if run in {known.name for known in preference_runs()} - preferring:
                raise ValueError(
                    f"evaluation.drift_runs names {run!r}, which is not trained: add {describe(run).quadrant} to "
                    "dpo.quadrants or leave it out"
                )
        self._countable()
        return self

    def _countable(self) -> None:
        """Raise ValueError for sizes that no plan can list, let alone a machine work off."""
        tasks, snapshots = self.tasks, self.snapshots
        games = {name: sum(getattr(tasks, name).values()) for name in ("warmstart", "train", "test")}
        mined = snapshots.max_snapshots + snapshots.max_expert_snapshots
        mined += snapshots.interval_episodes * -(-self.world.max_steps // snapshots.interval)
        jobs = {f"tasks.{name}": count // tasks.shard_size for name, count in games.items()}
        jobs["snapshots.max_snapshots"] = mined // snapshots.shard_size
        jobs["panels.validation_per_quadrant"] = (
            4 * self.panels.validation_per_quadrant // self.microtraining.shard_size
        )
        jobs["training.seeds"] = self.training.seeds * (20 + len(self.selection.k) * len(self.selection.methods))
        for key, count in jobs.items():
            if count > MOST_JOBS:
                raise ValueError(f"{key}: there would be {count:,} jobs, and {MOST_JOBS:,} is the most that a plan has")
        for name, count in games.items():
            if count > MOST_GAMES:
                raise ValueError(f"tasks.{name}: {count:,} games are more than the {MOST_GAMES:,} that a run may have")
