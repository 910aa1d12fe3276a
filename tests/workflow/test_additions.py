"""What one adds is one file, in a copy of the repository: it is found in the plan."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from lawful import rows

from teachable import tables
from teachable.student.builder import StudentSettings, new_model, train_tokenizer
from workflow.workplace import BIN, ROOT

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(300)]

NEW_FIGURE = '''"""Figure A9: a new one."""

from matplotlib.figure import Figure

from teachable.paper import style
from teachable.paper.inputs import Data, frame

ABOUT = {"hypothesis": "appendix", "title": "New", "caption": "A new figure.", "inputs": ("labeled",)}


def draw(data: Data) -> Figure:
    figure, axes = style.single(style.COLUMN, 2.0)
    axes.hist(frame(data, "labeled", "U")["U"])
    return figure
'''
NEW_TABLE = '''"""Table A9: a new one."""

import polars as pl

from teachable.paper.inputs import Data, frame

ABOUT = {"hypothesis": "appendix", "title": "New", "caption": "A new table.", "inputs": ("labeled",)}
HEADINGS = {"family": "Family", "len": "Snapshots"}


def make(data: Data) -> pl.DataFrame:
    return frame(data, "labeled", "family").group_by("family").len().sort("family")
'''
NEW_METHOD = '''"""The latest decisions first."""

from teachable.selection.pool import Choice, Pool

ABOUT = {"source": "student"}


def choose(pool: Pool) -> Choice:
    return pool.best(pool.measured("step"))
'''

NEW_FORMAT = """
order = 4
shows_patch = true
names_action = false
colour = "#CC79A7"
marker = "v"

[template]
compact = ["think:", "{rationale}"]
full = ["This is what to think about:", "{rationale}"]
"""
NEW_STAGE = '''"""Snapshots by family."""

import polars as pl

ABOUT = {
    "about": "count snapshots by family",
    "inputs": "labeled",
    "outputs": {"family_counts": ("phase1/family_counts.json", None, "snapshots by family")},
    "params": "seed least=labels.topk",
}


def run(labeled: pl.DataFrame, least: int) -> dict[str, int]:
    counts = labeled.group_by("family").len().sort("family")
    return {family: count for family, count in counts.iter_rows() if count >= least}
'''
NEW_RULE = """

rule family_counts:
    input: **needs("family-counts")
    output: **makes("family-counts")
    log: log_of("phase1/family_counts")
    params: code=code("family-counts"), settings=settings("family-counts")
    shell: command("family-counts")
"""
NEW_LAYOUT = '''"""One line."""

from teachable.student.prompt import Context


class Terse:
    name, version = "terse", 1
    verbosity = "full"
    templated = special_tokens = False
    command_prefix, end = " ", "\\n"

    @classmethod
    def of(cls, record: object, tokenizer: object) -> "Terse":
        return cls()

    def render(self, context: Context) -> str:
        return f"{context.goal} | {context.scene} | {context.patch} >"


LAYOUT = Terse
'''
READ = """
from pathlib import Path

from teachable.student import Context, Student

student = Student.load(Path({student!r}), layout="terse")
print(student.prompt(Context("win", "", "a room", "", (), ("go north",))), student.layout)
"""
PATCHES = """
from teachable import tables
from teachable.supervision import AdviceText, patches

words = "it must be done first because nothing else works here"
advice = AdviceText("go north", rationale=words, diagnosis=words, bad_action="wait", why_bad=words, tried=True)
print(patches(advice)["reason"])
assert {"p_reason", "net_reason"} <= set(tables.LABELED)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("src", "rules"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in ("Snakefile", "workflow_config.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def plan(copy: Path, *targets: str, config: str = "preset=smoke") -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PATH": f"{BIN}:{os.environ['PATH']}"}
    command = [BIN / "snakemake", "--dry-run", "--printshellcmds", "--config", "preset=smoke", config, "--", *targets]
    result = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout + result.stderr


def test_a_figure_and_a_table_are_one_file_each(copy: Path) -> None:
    paper = copy / "src" / "teachable" / "paper"
    (paper / "figures" / "a9.py").write_text(NEW_FIGURE)
    (paper / "tables" / "a9.py").write_text(NEW_TABLE)
    planned = plan(copy, "report")
    assert "figures/fig_a9.png" in planned
    assert "tables/tab_a9.csv" in planned


def test_a_selection_method_is_one_file(copy: Path) -> None:
    (copy / "src" / "teachable" / "selection" / "methods" / "latest.py").write_text(NEW_METHOD)
    planned = plan(copy, "phase5", config="selection={methods: [random, latest]}")
    assert "choose the snapshots of S_random_k4 S_latest_k4" in planned


def test_a_stage_is_one_file_and_its_rule(copy: Path) -> None:
    (copy / "src" / "teachable" / "stages" / "family_counts.py").write_text(NEW_STAGE)
    with (copy / "rules" / "phase1.smk").open("a") as rules:
        rules.write(NEW_RULE)
    planned = plan(copy, "family_counts")
    assert "--in labeled=results/phase1/labeled_snapshots.parquet" in planned
    assert """--out family_counts=results/phase1/family_counts.json --params '{"least": 3, "seed": 1}'""" in planned

    inputs, made = copy / "labeled.parquet", copy / "counts.json"
    families = ["walk"] * 3 + ["easy"] * 2
    named = [{"snapshot_id": f"s{i}", "family": name} for i, name in enumerate(families)]
    tables.write(rows(tables.LABELED, *named), inputs, tables.LABELED)
    line = ["family-counts", "--in", f"labeled={inputs}", "--out", f"family_counts={made}", "--params"]
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
    command = [BIN / "teachable", *line, '{"least": 3, "seed": 1}']
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert tables.read_json(made) == {"walk": 3}


def test_a_format_of_supervision_is_one_file(copy: Path) -> None:
    (copy / "src" / "teachable" / "formats" / "reason.toml").write_text(NEW_FORMAT)
    planned = plan(copy, "phase2")
    assert "Q3_reason/1" in planned
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
    result = subprocess.run(
        [BIN / "python", "-c", PATCHES], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("similar case: think: it must be done first")


def test_a_student_s_prompt_is_one_file(copy: Path, tmp_path: Path) -> None:
    (copy / "src" / "teachable" / "student" / "layouts" / "terse.py").write_text(NEW_LAYOUT)
    planned = plan(
        copy, "results/phase0/advice.parquet", config="student={source: hf, path: some/model, layout: terse}"
    )
    assert '"student_layout": "terse"' in planned
    model = tmp_path / "model"
    settings = StudentSettings(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, vocabulary=300)
    tokenizer = train_tokenizer(["go north", "a room"], settings.vocabulary)
    new_model(settings, len(tokenizer), seed=3).save_pretrained(model)
    tokenizer.save_pretrained(model)
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
    code = READ.format(student=str(model))
    result = subprocess.run([BIN / "python", "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "win | a room |  > terse\n"
