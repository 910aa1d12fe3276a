"""One study as one object: play, mine, label, train, evaluate. The library's front door.

The workflow's stages call the same functions on files, one stage a job; here they are called on tables in memory, which
is what a notebook wants. Tables are Polars frames with the schemas of :mod:`teachable.tables`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from teachable.config import Config, load_config
from teachable.config.load import merge, read_yaml
from teachable.evaluation.panels import PanelStarts, Repeats, panel_starts, play_panels
from teachable.evaluation.resampling import Resampling
from teachable.evaluation.summary import Summary, summarise
from teachable.labels.label import label, sets
from teachable.labels.panels import make_panels
from teachable.pipeline.advising import advise
from teachable.pipeline.collecting import collect, continue_after_advice
from teachable.pipeline.experts import expert_of, link_expert
from teachable.pipeline.fitting import fit
from teachable.pipeline.prompting import Prompter
from teachable.pipeline.valuing import value_snapshots
from teachable.rollouts.episodes import Played, PlaySettings, Progress
from teachable.rollouts.expert import Expert
from teachable.rollouts.snapshots import choose_snapshots, retention_panel
from teachable.rollouts.values import Values
from teachable.terms import BASE
from teachable.training.budget import Replay
from teachable.training.replay import replay_examples
from teachable.training.sets import SetSettings, matrix_sets, teachable_pool
from teachable.worlds.base import Task, World
from teachable.worlds.words import Explain, explain

if TYPE_CHECKING:
    from teachable.student.model import Student


def configure(preset: str = "laptop", **sections: Any) -> Config:
    """The configuration of a preset, with the given scalars and keys of sections in place of its own.

    ``configure("pilot", seed=3, training={"epochs": 2})``. Raises :class:`teachable.errors.ConfigError`, naming the
    key, for one that there is not or a value of the wrong type.
    """
    source = files("teachable.data") / "workflow_config.yaml"
    raw = read_yaml(Path(str(source)))
    return load_config(merge(raw, {"override": sections}), source="configure", preset=preset)


@dataclass(frozen=True, slots=True)
class Labels:
    """The labelled failures and what is behind them."""

    table: pl.DataFrame  # LABELED rows of the student's failures: U, L_local, ELP_net, quadrant, route, ...
    expert: pl.DataFrame  # LABELED rows of the expert's (setup B), cut where the student's are
    thresholds: dict[str, Any]  # cuts of U and L_local, their spread, counts by quadrant
    advice: pl.DataFrame  # ADVICE
    values: Values  # estimates, action values, every sampled episode and every node of the trees


@dataclass(frozen=True, slots=True)
class Split:
    """Which games serve training and which evaluation."""

    panels: pl.DataFrame  # PANELS: train, held_out, failure, validation, drift
    retention: pl.DataFrame  # PANELS: tasks that the student wins


@dataclass(frozen=True, slots=True)
class TrainingSets:
    """What the runs of the matrix and their controls learn from."""

    examples: pl.DataFrame  # EXAMPLES by run
    replay: pl.DataFrame  # EXAMPLES: decisions of the student's own won episodes
    budget: pl.DataFrame  # BUDGET: examples, replayed decisions, tokens and steps of every run
    labeled: pl.DataFrame | None = None  # LABELED: what the student did, for runs by direct preference optimisation


class Study:
    """A student in a world: where it fails, which of its failures are worth teaching from, and what teaching does.

    Args:
        student: who fails; it is trained in place, by adapters that can be taken off again.
        world: an object with the two members of :class:`teachable.worlds.base.World`.
        tasks: the tasks to fail at. Those of split ``test``, if any, are kept for :meth:`evaluate`.
        games: the directory that ``Task.game`` is relative to.
        config: the preset and its changes, by :func:`configure`; only sections that a step needs are read.
        explain: the world's reasons, for the oracle: ``get_reasons("textworld")``; those that hold anywhere otherwise.
        progress: called with ``(done, total)`` by steps that play.

    Every random choice is named by ``config.seed``: the same calls give the same tables.
    """

    def __init__(
        self,
        student: Student,
        world: World,
        tasks: Iterable[Task],
        *,
        games: Path | str = ".",
        config: Config | None = None,
        explain: Explain = explain,
        progress: Progress | None = None,
    ) -> None:
        self.explain = explain
        self.student, self.world, self.games = student, world, Path(games)
        self.config = config or configure()
        self.progress = progress
        self.tasks = {task.task_id: task for task in tasks}
        self._trained: dict[str, int] = {}
        self._prompter = Prompter(student.layout_spec, student.tokenizer)

    def play(self) -> Played:
        """Episodes of the student, and of the expert, on every training task: ``EPISODES`` and ``STEPS``."""
        with self._expert() as expert:
            return collect(
                self.student,
                self.world,
                self.games,
                [task for task in self.tasks.values() if task.split != "test"],
                self.config.rollouts,
                max_steps=self.config.world.max_steps,
                run_seed=self.config.seed,
                expert=expert,
                progress=self.progress,
            )

    @contextmanager
    def _expert(self) -> Iterator[Expert]:
        """Who takes over, by ``config.expert``: a checkpoint is tried out each time."""
        section = self.config.expert
        linked = None
        if section.source == "checkpoint":
            linked = link_expert(section, self.config.student, lambda: self.student)
        with expert_of(section, linked, student=lambda: self.student) as expert:
            yield expert

    def mine(self, played: Played) -> pl.DataFrame:
        """``SNAPSHOTS``: the decisions around the one that lost each failed episode."""
        return choose_snapshots(played.steps, played.episodes, self.config.snapshots, run_seed=self.config.seed)

    def label(self, snapshots: pl.DataFrame, advice: pl.DataFrame | None = None) -> Labels:
        """Uncertainty, leverage, patch test and quadrant of every snapshot, by counterfactual rollouts.

        ``advice`` (``ADVICE`` rows) is asked of the configured teacher where it is not given.
        """
        config, layout = self.config, self.student.layout
        if advice is None:
            advice = advise(self.world, self.games, self.tasks, snapshots, config.teacher, self.explain, layout=layout)
        with self._expert() as playing:
            values = value_snapshots(
                self.student,
                self.world,
                self.games,
                self.tasks,
                snapshots,
                advice,
                config.estimation,
                layout=layout,
                max_steps=config.world.max_steps,
                run_seed=config.seed,
                expert=playing,
                progress=self.progress,
            )
        labeled, thresholds = label(snapshots, advice, values.estimates, config.labels)
        own, expert = sets(labeled, config.labels)
        return Labels(own, expert, thresholds, advice, values)

    def split(self, labels: Labels, played: Played) -> Split:
        """A training and a held-out side, by game, and the panels drawn from them."""
        section = self.config.panels
        retention = retention_panel(played.steps, played.episodes, section.retention)
        panels = make_panels(labels.table, section, run_seed=self.config.seed, held_out_tasks=set(retention["task_id"]))
        return Split(panels, retention)

    def training_sets(self, labels: Labels, split: Split, played: Played) -> TrainingSets:
        """The sets of the fourteen runs and their controls, equal in size, and what is replayed beside them."""
        training = self.config.training
        if training.continuations:
            played = self._with_continuations(labels, split, played)
        held_out = split.panels.filter(pl.col("side") == "held_out")["task_id"]
        replay = replay_examples(
            played.steps,
            played.episodes,
            {*held_out, *split.retention["task_id"]},
            self._prompter.render_decision,
            labels.table,
        )
        examples, budget = matrix_sets(
            labels.table,
            labels.advice,
            split.panels,
            self._prompter.render,
            self._prompter.count_tokens,
            SetSettings(
                seed=self.config.seed,
                examples_per_run=training.max_examples,
                plain=training.plain,
                trainings=training.seeds,
            ),
            Replay(training.replay, replay.height, training.epochs, training.batch_size),
            self.config.dpo.quadrants,
        )
        return TrainingSets(examples, replay, budget, labels.table)

    def _with_continuations(self, labels: Labels, split: Split, played: Played) -> Played:
        """What the student played, and what it plays after the teacher's command."""
        more = continue_after_advice(
            self.student,
            self.world,
            self.games,
            self.tasks,
            teachable_pool(labels.table, labels.advice, split.panels),
            labels.advice,
            self.config.training.continuations,
            settings=PlaySettings(max_steps=self.config.world.max_steps, horizon=self.config.estimation.horizon),
            run_seed=self.config.seed,
            progress=self.progress,
        )
        return Played(pl.concat([played.episodes, more.episodes]), pl.concat([played.steps, more.steps]))

    def train(self, run: str, sets: TrainingSets, out: Path | str, *, train_seed: int = 1) -> dict[str, Any]:
        """Train the adapter of one run, e.g. ``Q1_demo`` or ``Q4_dpo``, into the directory ``out``; the student then
        has it by the run's name. Returns its record (:func:`teachable.pipeline.fitting.fit`)."""
        record = fit(
            lambda: self.student,
            run,
            sets.examples,
            sets.replay,
            self.config.training,
            self.config.lora,
            out=Path(out),
            run_seed=self.config.seed,
            train_seed=train_seed,
            labeled=sets.labeled,
            beta=self.config.dpo.beta,
        )
        self._trained[run] = train_seed
        return record

    def evaluate(self, labels: Labels, split: Split, run: str = BASE, *, train_seed: int = 1) -> pl.DataFrame:
        """``EPISODES`` of the base student, or of the adapter trained last for ``run``, on held-out failures, on tasks
        of split ``test`` and on tasks that the student won.

        All models of one training seed play the same episodes with the same random numbers; ``train_seed`` says which
        those are for the base student. An adapter's is the one that it was trained with.
        """
        train_seed = train_seed if run == BASE else self._trained.get(run, 1)
        played = play_panels(
            self.student,
            self.world,
            self._starts(labels, split),
            self._repeats(),
            PlaySettings(max_steps=self.config.world.max_steps, horizon=self.config.estimation.horizon),
            games=self.games,
            test_games=self.games,
            run_seed=self.config.seed,
            model=run,
            adapter=None if run == BASE else run,
            train_seed=train_seed,
            progress=self.progress,
        )
        return played.with_columns(pl.lit(train_seed, pl.Int64).alias("train_seed"))

    def summarise(self, labels: Labels, episodes: Iterable[pl.DataFrame]) -> Summary:
        """Success and stuckness of every model, paired contrasts with intervals clustered by game (and by training,
        where a run was trained more than once), and transfer between quadrants."""
        settings = Resampling(**self.config.statistics.model_dump())
        return summarise(pl.concat(list(episodes)), labels.table, settings, seed=self.config.seed)

    def _starts(self, labels: Labels, split: Split) -> PanelStarts:
        test = [task for task in self.tasks.values() if task.split == "test"]
        return panel_starts(labels.table, split.panels, split.retention, self.tasks, test)

    def _repeats(self) -> Repeats:
        section = self.config.evaluation
        return Repeats(section.test_repeats, section.failure_repeats, section.retention_repeats)
