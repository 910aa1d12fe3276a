"""How strongly must a run be trained to teach? Other settings on the examples, panels and student of a finished run.

    python benchmarks/training_strength.py results --settings 8:1e-3:0.5 8:3e-3:0.5 --runs B1_uniform C_replay

A setting is epochs:learning rate:replay. Every setting trains every run. A run may also be ``uniform:80`` (80 examples
drawn from the whole pool), ``random:8`` (others for every training), ``oracle:8`` (highest ELP_net) or ``entropy:8``.
Each adapter plays the held-out panels with the random numbers that the base student plays them with; printed are the
changes of success against it, from failures also by quadrant. Nothing of the run is changed. About 20 s a training on
one core.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import polars as pl
import torch

from teachable import seeds, tables
from teachable.config.model import World
from teachable.evaluation.panels import Repeats, panel_starts, play_panels
from teachable.pipeline.games import games_root, open_world, shared_environments
from teachable.pipeline.models import load_student
from teachable.pipeline.tasks import by_id, tasks_in
from teachable.rollouts.episodes import PlaySettings
from teachable.selection.pool import candidates
from teachable.student.completions import Example
from teachable.student.lora import LoraSettings, train_lora
from teachable.terms import BASE, EVERYTHING, QUADRANTS, REPLAY_ONLY, UNIFORM
from teachable.training.budget import Replay

PANELS = ("test", "failure", "retention")
ADAPTER = "tried"
RANKED = {"oracle": "ELP_net", "entropy": "U"}  # choices of the snapshots that are highest in a label


def texts(table: pl.DataFrame) -> list[Example]:
    return [Example(prompt, completion) for prompt, completion in table.select("prompt", "completion").iter_rows()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--settings", nargs="+", default=["8:1e-3:0.5", "8:3e-3:0.5"])
    parser.add_argument("--runs", nargs="+", default=[UNIFORM, "Q1_demo", REPLAY_ONLY])
    parser.add_argument("--trainings", nargs="+", type=int, default=[1])
    given = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(given.results)
    base = {training: study.play(BASE, None, training) for training in given.trainings}
    means = study.success(pl.concat(base.values()))
    print(f"{BASE}: " + ", ".join(f"{panel} {value:.3f}" for panel, value in means.items()), flush=True)
    for run in given.runs:
        for setting in given.settings:
            for training in given.trainings:
                begun = time.perf_counter()
                steps = study.train(run, setting, training)
                taught = study.play(run, ADAPTER, training)
                seconds = time.perf_counter() - begun
                changes = ", ".join(
                    f"{name} {value:+.3f}" for name, value in study.changes(taught, base[training]).items()
                )
                print(f"{run} {setting} training {training}, {steps} steps: {changes} ({seconds:.0f} s)", flush=True)


class Study:
    """A finished run: its student, examples, replay and panels."""

    def __init__(self, results: Path) -> None:
        config = tables.read_json(results / "config.json")
        self.seed, self.lora, self.batch = config["seed"], config["lora"], config["training"]["batch_size"]
        self.world = World.model_validate(config["world"])
        self.settings = PlaySettings(max_steps=self.world.max_steps, horizon=config["estimation"]["horizon"])
        repeats = config["evaluation"]
        self.repeats = Repeats(*(repeats[f"{panel}_repeats"] for panel in PANELS))
        self.examples = tables.read(results / "phase2/examples.parquet", tables.EXAMPLES)
        replay = tables.read(results / "phase2/replay.parquet", tables.EXAMPLES)
        self.pool, self.strata = texts(replay), replay["family"].to_list()
        panels = tables.read(results / "phase1/panels.parquet", tables.PANELS)
        self.quadrants = panels.filter(panel="failure").select("snapshot_id", "quadrant")
        listed = {
            name: pl.concat(
                tables.read(path, tables.TASKS) for path in sorted(results.glob(f"world/{name}/tasks/*.parquet"))
            )
            for name in ("train", "test")
        }
        self.games, self.test_games = (
            games_root(sorted((results / "world" / name / "games").iterdir())) for name in ("train", "test")
        )
        self.labeled = tables.read(results / "phase1/labeled_snapshots.parquet", tables.LABELED)
        self.starts = panel_starts(
            self.labeled,
            panels,
            tables.read(results / "phase0/retention_panel.parquet", tables.PANELS),
            by_id(listed["train"]),
            tasks_in(listed["test"]),
        )
        self.student = load_student(results / "student")

    def train(self, run: str, setting: str, training: int) -> int:
        """Train :data:`ADAPTER` as the stage does, with other settings; the steps it made."""
        epochs, rate, share = (float(part) for part in setting.split(":"))
        replay = Replay(share, len(self.pool), int(epochs), self.batch)
        own = self.own(run, training)
        replayed = replay.beside(own.height)
        if run == REPLAY_ONLY:
            size = self.own(UNIFORM, training).height
            replayed = size + replay.beside(size)
        record = train_lora(
            self.student,
            texts(own),
            LoraSettings(
                **self.lora,
                learning_rate=rate,
                epochs=int(epochs),
                batch_size=self.batch,
                micro_batch=self.batch,
                warmup=0.05,
            ),
            seed=seeds.integer(self.seed, "train", run, training),
            replay=self.pool,
            strata=self.strata,
            replayed=replayed,
            name=ADAPTER,
        )
        return record.steps

    def own(self, run: str, training: int) -> pl.DataFrame:
        """The examples of a run; of ``<choice>:<number>``, so many of those of the run that takes all."""
        choice, _, size = run.partition(":")
        if not size:
            return self.examples.filter(run=run).filter(pl.col("draw").is_null() | (pl.col("draw") == training))
        eligible = candidates(self.labeled)["snapshot_id"]
        pool = self.examples.filter(run=EVERYTHING).filter(pl.col("snapshot_id").is_in(eligible.implode()))
        if choice in RANKED:
            ranks = self.labeled.select("snapshot_id", rank=RANKED[choice])
            best = pool.join(ranks, on="snapshot_id", how="left").sort("rank", "snapshot_id", descending=True)
            return best.head(int(size)).select(pool.columns)
        draw = seeds.integer(self.seed, "training strength", run, training if choice == "random" else 0)
        return pool.sample(int(size), seed=draw, shuffle=True)

    def play(self, model: str, adapter: str | None, training: int) -> pl.DataFrame:
        """The student's episodes on every panel; the expert's, which stand beside the base student's, left out."""
        played = play_panels(
            self.student,
            open_world(self.world),
            self.starts,
            self.repeats,
            self.settings,
            games=self.games,
            test_games=self.test_games,
            run_seed=self.seed,
            model=model,
            adapter=adapter,
            train_seed=training,
            environments=partial(shared_environments, self.world),
        )
        return played.filter(behaviour="student").join(self.quadrants, on="snapshot_id", how="left")

    def success(self, played: pl.DataFrame) -> dict[str, float]:
        """Mean success by panel, and by quadrant of the failure panel."""
        found = {panel: played.filter(panel=panel) for panel in PANELS}
        found |= {quadrant: found["failure"].filter(quadrant=quadrant) for quadrant in QUADRANTS}
        means = {name: part["success"].cast(pl.Float64).mean() for name, part in found.items()}
        return {name: float(value) for name, value in means.items() if isinstance(value, float)}

    def changes(self, taught: pl.DataFrame, base: pl.DataFrame) -> dict[str, float]:
        before = self.success(base)
        return {name: value - before[name] for name, value in self.success(taught).items()}


if __name__ == "__main__":
    main()
