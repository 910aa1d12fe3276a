"""Looking before leaping: plans, graphs and clear errors, without a GPU, a model, a key or a network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from workflow.workplace import BIN, ROOT, Workplace

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(2400)]  # one test waits for the whole smoke run


@pytest.fixture
def empty(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path, str(tmp_path / "store"))


@pytest.mark.parametrize("preset", ["laptop", "pretrained", "pilot", "paper"])
def test_every_preset_can_be_planned(empty: Workplace, preset: str) -> None:
    result = empty.snakemake("--dry-run", "--quiet", "rules", "--config", f"preset={preset}")
    assert result.returncode == 0, result.stderr[-2000:]
    for rule in ("make_tasks", "action_values", "train", "evaluate", "criteria", "report"):
        assert rule in result.stdout + result.stderr
    assert not (empty.directory / "results").exists()


def test_a_bare_command_goes_on_with_the_preset_that_stands_here(empty: Workplace) -> None:
    kept = empty.path("results/preset")
    kept.parent.mkdir()
    kept.write_text("smoke\n")

    def jobs(plan: subprocess.CompletedProcess[str]) -> str:
        assert plan.returncode == 0, plan.stderr[-2000:]
        return plan.stdout.split("Job stats:")[1].partition("\n\n")[0]

    bare = empty.snakemake("--dry-run")
    smoke = empty.snakemake("--dry-run", "--config", "preset=smoke")
    assert jobs(bare) == jobs(smoke)
    assert "Going on with preset smoke" in bare.stdout
    assert jobs(empty.snakemake("--dry-run", "--config", "preset=pilot")) != jobs(smoke), "a plan writes nothing"
    assert empty.snakemake("--rulegraph").stdout.startswith("digraph")


def test_another_preset_does_not_write_over_what_stands_here(empty: Workplace) -> None:
    kept = empty.path("results/preset")
    kept.parent.mkdir()
    kept.write_text("smoke\n")
    result = empty.snakemake("--cores", "1", "--config", "preset=laptop", "--", "results/config.json")
    assert result.returncode != 0
    assert "was made with preset 'smoke', and preset 'laptop' would write over it" in result.stderr
    assert [path.name for path in kept.parent.iterdir()] == ["preset"]
    first = empty.snakemake("--cores", "1", "--", "results/config.json")
    assert first.returncode == 0, first.stderr[-2000:]
    assert json.loads(empty.path("results/config.json").read_text())["preset"] == "smoke"


def test_the_rulegraph_that_the_readme_prints_leaves_out_what_hangs_below(empty: Workplace) -> None:
    """All rules, one for each figure and table among them, are too many for a page."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    line = next(line for line in readme.splitlines() if line.startswith("snakemake --rulegraph"))
    result = empty.snakemake(*line.partition(" | ")[0].split()[1:])
    assert result.returncode == 0
    rules = re.findall(r'label = "([^"]+)"', result.stdout)
    assert {"make_tasks", "label", "train", "predict", "criteria"} <= set(rules)
    assert len(rules) < 60
    assert not [rule for rule in rules if rule.startswith(("fig_", "tab_"))]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (["trainin={epochs: 3}"], "trainin: unknown key; did you mean 'training'?"),
        (["training={epochs: three}"], "training.epochs"),
        (["preset=lapto"], "did you mean 'laptop'?"),
        (["tasks={train: {eazy: 3}}"], "tasks.train"),
        (["world={options: {prun: []}}"], "world.options.prun: world 'textworld' has no such option; did you mean"),
        (["selection={methods: [random, orcale]}"], "did you mean 'oracle'?"),
        (["student={layout: chatty}"], "student.layout: no layout is called 'chatty'; there are chat, compact"),
    ],
)
def test_a_bad_configuration_stops_before_any_job(empty: Workplace, config: list[str], expected: str) -> None:
    result = empty.snakemake("--cores", "1", "--config", *config)
    assert result.returncode != 0
    assert expected in result.stdout + result.stderr
    assert not (empty.directory / "results").exists()


def test_every_run_has_a_retention_curve_only_where_that_is_asked_for(empty: Workplace) -> None:
    def jobs(plan: subprocess.CompletedProcess[str]) -> dict[str, str]:
        assert plan.returncode == 0, plan.stderr[-2000:]
        lines = plan.stdout.split("Job stats:")[1].partition("\n\n")[0].splitlines()
        return dict(line.split() for line in lines[3:])

    target = ("--dry-run", "--config", "preset=smoke")
    plain = jobs(empty.snakemake(*target))
    every = jobs(empty.snakemake(*target, "evaluation={retention_curves: all}"))
    assert "checkpoints" not in plain
    assert int(every["checkpoints"]) == 16, "fourteen runs, two controls and recovery, less the one that drift looks at"
    assert {"judge", "judge_agreement", "evaluate_end2end"}.isdisjoint(plain), "asked for by name alone"


def test_gradients_are_made_only_for_the_methods_that_ask_for_them(empty: Workplace) -> None:
    def plan(config: str) -> str:
        result = empty.snakemake("--dry-run", "--printshellcmds", "--config", "preset=smoke", config, "--", "phase5")
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
        return result.stdout + result.stderr

    planned = plan("selection={methods: [random, influence]}")
    (line,) = [line for line in planned.splitlines() if "teachable select " in line]
    random, asking = line.split("--then")
    assert "gradients=" not in random
    assert "gradients=results/phase5/gradients.parquet" in asking
    assert "--out gradients=results/phase5/gradients.parquet" in planned
    assert "phase5/gradients.parquet" not in plan("selection={methods: [random, loss, diversity]}")


def stage(directory: Path, name: str, arguments: list[str], params: dict[str, object], **environment: str) -> str:
    """The one line that a failing stage prints."""
    result = subprocess.run(
        [str(BIN / "teachable"), name, *arguments, "--params", json.dumps(params)],
        cwd=directory,
        env={
            **{k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"},
            "TEACHABLE_STORE": "off",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


def section(name: str, preset: str = "smoke") -> dict[str, object]:
    from teachable.config.load import read_yaml
    from teachable.workflow.configuration import configuration

    config, _ = configuration(read_yaml(ROOT / "workflow_config.yaml"), preset=preset)
    return config.model_dump(mode="json")[name]


def test_a_missing_model_path_is_named(tmp_path: Path) -> None:
    student = {**section("student"), "source": "hf", "path": "/nowhere/Qwen3-8B"}
    line = stage(tmp_path, "link-student", ["--out", "student=student"], {"student": student})
    assert "/nowhere/Qwen3-8B" in line
    assert "fetch-student" in line
    assert not list(tmp_path.iterdir())


def test_a_world_that_cannot_be_generated_is_one_sentence(tmp_path: Path) -> None:
    line = stage(
        tmp_path,
        "make-tasks",
        ["--out", "games=games", "tasks=tasks.parquet"],
        {
            "seed": 1,
            "world_name": "textworld",
            "max_steps": 1,  # no cooking game can be won in one command
            "options": {"foods": "train"},
            "split": "train",
            "items": [["easy", 0]],
        },
    )
    assert line.startswith("teachable: ")
    assert "easy" in line
    assert not (tmp_path / "games").exists()


def test_a_missing_input_names_the_command_that_makes_it(tmp_path: Path) -> None:
    line = stage(
        tmp_path,
        "label",
        [
            "--in",
            "snapshots=a.parquet",
            "advice=b.parquet",
            "estimates=c.parquet",
            "--out",
            "labeled=l",
            "expert=e",
            "thresholds=t",
        ],
        {"seed": 1, "labels": section("labels")},
    )
    assert "a.parquet" in line


def test_a_missing_key_of_the_teacher_is_one_sentence_and_costs_nothing(tmp_path: Path, smoke: Workplace) -> None:
    shutil.copytree(smoke.path("results/phase0"), tmp_path / "phase0")
    line = stage(
        tmp_path,
        "advise",
        ["--in", "snapshots=phase0/snapshots.parquet", "tasks=phase0/tasks_train.parquet",
         f"games={smoke.path('results/world/train/games/000')}", "--out", "advice=advice.parquet"],
        {
            "world": section("world"), "student_layout": "chat", "shard": 0, "shards": 1,
            "teacher": {**section("teacher"), "source": "openai"},
        },
    )  # fmt: skip
    assert line.startswith("teachable: ")
    assert "OPENAI_API_KEY is not set" in line
    assert not list(tmp_path.glob("*.parquet"))
