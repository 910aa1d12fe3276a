"""The same with a real (tiny, untrained) language model and real LoRA adapters in place of tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from rollouts.tiny import GAMES, Maze, TinyWorld, make_task

from teachable import tables
from teachable.evaluation.decisions import decision_probes
from teachable.evaluation.measuring import RolloutEvaluator
from teachable.evaluation.panels import PanelStarts, Repeats, play_panels
from teachable.evaluation.probes import adapter_probes
from teachable.pipeline.microtuning import Tuner
from teachable.rollouts import PlaySettings, Start, TreeSettings, starts_of, tree_values
from teachable.student import Context, Student
from teachable.student.builder import StudentSettings, new_model, save_student, train_tokenizer
from teachable.student.completions import Example
from teachable.student.layouts.compact import CompactLayout
from teachable.student.lora import LoraSettings, train_lora
from teachable.training import micro
from teachable.worlds.textworld.words import WORDS

from .test_micro import advice, micro_section, panels, snapshots

SEEDS = [s for s in range(60) if 0 in Maze(s).distance() and len(Maze(s).commands(0)) > 2][:4]
PLAY = PlaySettings(max_steps=6, stop_unwinnable=True)
LORA = LoraSettings(rank=4, alpha=8, learning_rate=1e-2, max_steps=3, schedule="constant", warmup=0.0)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("student") / "tiny"
    settings = StudentSettings(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, vocabulary=300)
    tokenizer = train_tokenizer(["go a", "go b", "go c", "room 1 you go from by begin get out"], 300)
    save_student(
        out, new_model(settings, len(tokenizer), seed=3), tokenizer, CompactLayout("recipe"), name="tiny", about={}
    )
    return Student.load(out, device="cpu")


def test_microtraining_moves_a_real_model(student: Student) -> None:
    labeled = snapshots(SEEDS)

    def prompt(row: Any) -> str:
        return student.prompt(Context.of(row))

    settings = micro_section(similar_tasks=1)
    trials, _ = micro.plan_trials(
        labeled,
        advice(labeled),
        panels(labeled),
        lambda row, text, form: (prompt(row), text["suggested_action"]),
        settings,
    )
    evaluator = RolloutEvaluator(
        student,
        TinyWorld(),
        GAMES,
        labeled,
        {make_task(seed).task_id: make_task(seed) for seed in SEEDS},
        lambda policy, questions: tree_values(
            policy,
            TinyWorld(),
            GAMES,
            questions,
            TreeSettings(prompts=10, episodes=10, play=PLAY),
            run_seed=1,
        ),
        PLAY,
        run_seed=1,
    )
    result = micro.microtrain(
        trials,
        Tuner(student, LORA, 1),
        evaluator,
        lambda asked: adapter_probes(
            student,
            [name for name, _ in asked],
            [prompt(row) for _, row in asked],
            [row["commands"] for _, row in asked],
        ),
        settings,
        group=2,
    )
    rows = result.rows
    assert rows.height == len(SEEDS)
    assert (rows["loss_last"] < rows["loss_first"]).all()
    assert (rows["probe_shift"] > 0.01).all()
    assert (rows["delta_snapshot"].abs() > 0).all(), "the tuned student was measured"
    assert student.adapters == []


def test_panels_and_probes_with_an_adapter_from_disk(student: Student, tmp_path: Path) -> None:
    labeled = snapshots(SEEDS).with_columns(expert_action=pl.col("commands").list.first())
    row = labeled.row(0, named=True)
    example = Example(student.prompt(Context.of(row)), row["commands"][-1])
    train_lora(student, [example], LORA, seed=1, out=tmp_path / "adapter")
    student.add_adapter("recovery", tmp_path / "adapter")
    tasks = {make_task(seed).task_id: make_task(seed) for seed in SEEDS}
    starts = PanelStarts(
        test=tuple(Start(task) for task in tasks.values()),
        failure=tuple(starts_of(labeled, tasks)),
        retention=(),
    )
    played = [
        play_panels(
            student,
            TinyWorld(),
            starts,
            Repeats(test=2, failure=2, retention=1),
            PLAY,
            games=GAMES,
            test_games=GAMES,
            run_seed=1,
            model=model,
            adapter=adapter,
        )
        for model, adapter in (("base", None), ("recovery", "recovery"))
    ]
    base, tuned = played[0].filter(pl.col("behaviour") == "student"), played[1]
    assert base["seed"].to_list() == tuned["seed"].to_list()
    assert base["actions"].to_list() != tuned["actions"].to_list()
    probes = [
        decision_probes(student, labeled, WORDS, model=model, adapter=adapter)
        for model, adapter in (("base", None), ("recovery", "recovery"))
    ]
    assert probes[0]["expert_probability"].to_list() != probes[1]["expert_probability"].to_list()
    assert probes[0]["hidden"].list.len().unique().to_list() == [32]
    assert probes[0]["hidden"].to_list() != probes[1]["hidden"].to_list()
    tables.conform(probes[1], tables.PROBES)
    student.remove_adapter("recovery")
