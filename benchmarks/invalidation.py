"""Which stages an edit reruns: fourteen kinds of edit against every stage, expected beside observed.

    python benchmarks/invalidation.py [--finished DIR --store DIR]

Takes a finished run of preset smoke (or makes one, in minutes), applies one edit after the other to a copy of the
sources, to the results or to the configuration, and asks Snakemake for its plan. A cell is the number of jobs of a
stage in that plan. What is expected comes from the graph of steps below, which is written by hand and knows nothing of
the rules. Prints the table, writes it to ``invalidation/table.md`` and ends with status 1 if any cell differs.

A plan is an upper bound: what reruns to the same bytes costs its consumers nothing, which shows only when jobs run. So
edit 9 is carried out too, and its executions are counted apart from the jobs that the store answered.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runs import ROOT, run

from teachable.paper import CRITERIA_INPUTS, FIGURES, TABLES
from teachable.stages import STAGES


@dataclass(frozen=True)
class Step:
    """Some jobs of one stage, and the steps (or names of the paper's data) they read."""

    stage: str
    jobs: int
    reads: str = ""


MATRIX_JOBS = 3  # twelve cells, two baselines, two controls and recovery, trained twice each, sixteen to a job
STEPS: dict[str, Step] = {
    "config": Step("resolve-config", 1),
    "games_warmstart": Step("make-tasks", 1),
    "games_train": Step("make-tasks", 1),
    "games_test": Step("make-tasks", 1),
    "tasks_warmstart": Step("concat", 1, "games_warmstart"),
    "tasks_train": Step("concat", 1, "games_train"),
    "tasks_test": Step("concat", 1, "games_test"),
    "splits": Step("check-splits", 1, "tasks_warmstart tasks_train tasks_test"),
    "demonstrations": Step("demonstrate", 1, "games_warmstart"),
    "built": Step("build-student", 1, "demonstrations games_warmstart"),
    "student": Step("link-student", 1, "built"),
    # phases 0 and 1
    "rollouts": Step("rollout", 1, "games_train student"),
    "episodes": Step("concat", 2, "rollouts"),  # steps and episodes
    "snapshots": Step("snapshots", 1, "episodes"),
    "restore_check": Step("restore-check", 1, "snapshots tasks_train"),
    "retention": Step("retention-panel", 1, "episodes"),
    "advised": Step("advise", 2, "snapshots tasks_train"),
    "advice": Step("concat", 1, "advised"),
    "values": Step("action-values", 2, "snapshots advice tasks_train student"),
    "estimates": Step("concat", 1, "values"),
    "value_tables": Step("concat", 3, "values"),  # action values, episodes and nodes of trees
    "labeled": Step("label", 1, "snapshots advice estimates"),
    "panels": Step("panels", 1, "labeled retention"),
    "label_metrics": Step("label-metrics", 1, "labeled"),
    "quadrant_shares": Step("quadrant-shares", 1, "labeled"),
    "setups": Step("setups", 1, "labeled"),
    "skills": Step("skills", 1, "labeled"),
    # phases 1b and 2
    "micro": Step("microtrain", 1, "labeled advice panels tasks_train student"),
    "microtraining": Step("concat", 2, "micro"),  # changes and episodes
    "cpt_correlation": Step("cpt-correlation", 1, "microtraining labeled"),
    "continued": Step("continuations", 1, "labeled advice panels tasks_train student"),
    "replay": Step("replay-examples", 1, "episodes continued labeled panels retention student"),
    "examples": Step("examples", 1, "labeled advice panels replay student"),
    "recovery_examples": Step("recovery-examples", 1, "labeled panels replay tasks_train student"),
    "trained": Step("train", MATRIX_JOBS, "examples recovery_examples replay student"),
    "training_summary": Step("training-summary", 1, "trained"),
    # phase 3
    "played_base": Step("evaluate", 1, "labeled panels retention tasks_train tasks_test student"),
    "played": Step("evaluate", MATRIX_JOBS, "trained played_base"),  # reads what the base model's evaluation reads
    "metrics": Step("evaluation-summary", 1, "played_base played labeled"),
    "mechanistic": Step("mechanistic-summary", 1, "played_base played labeled"),
    "drifted": Step("drift", 1, "trained labeled advice panels retention tasks_train student"),
    "drift": Step("concat", 1, "drifted"),
    "checkpoints": Step("checkpoint-summary", 1, "played_base drifted drift labeled"),
    # phases 4 and 5
    "features": Step("features", 1, "labeled student"),
    "predictions": Step("predict", 1, "features labeled panels student"),
    "failures": Step("failures", 1, "trained episodes panels tasks_train student"),  # of phase 3, as is the next
    "feature_drift": Step("feature-drift", 1, "failures features panels"),
    "selected": Step("select", 1, "predictions features labeled panels"),  # all methods in one job, and so behind it
    "selection": Step("concat", 1, "selected"),
    "selection_examples": Step("selection-examples", 1, "selected labeled advice panels replay student"),
    "trained_selections": Step("train", 1, "selection_examples replay student"),
    "played_selections": Step("evaluate", 1, "trained_selections played_base"),
    "selection_metrics": Step("selection-summary", 1, "played_base played_selections labeled"),
    "losses": Step("training-losses", 1, "trained trained_selections"),
    "viewer": Step(
        "viewer",
        1,
        "labeled advice value_tables episodes microtraining examples selection_examples played_base played "
        "played_selections",
    ),
    # paper
    "criteria": Step("criteria", 1, " ".join(CRITERIA_INPUTS)),
    **{f"fig_{name}": Step("figure", 1, " ".join(item.inputs)) for name, item in FIGURES.items()},
    **{f"tab_{name}": Step("table", 1, " ".join(item.inputs)) for name, item in TABLES.items()},
}
STEPS["report"] = Step(
    "report",
    1,
    " ".join(
        [
            "config criteria labeled skills splits episodes training_summary",
            *(name for name in STEPS if name[:4] in ("fig_", "tab_")),
        ]
    ),
)
ALONE = {  # a label by itself, and what a mode or a method asks for that is off: no part of the plan
    *("uncertainty", "leverage", "leverage-values", "patch-test", "patch-values", "recovery-trajectories"),
    "validation-panel",
    *("episode-values", "influence", "checkpoints", "end2end", "judge", "judge-agreement", "link-expert", "warm-start"),
}
ALIASES = {  # data of the paper that a step makes beside its namesake
    "expert": "labeled",
    "thresholds": "labeled",
    "effectiveness": "metrics",
    "budget": "examples",
    "contrasts": "metrics",
    "transfer": "metrics",
    "drift_metrics": "checkpoints",
    "predictor_metrics": "predictions",
    "calibration": "predictions",
    "importance": "predictions",
    "confusion": "predictions",
    "cost": "predictions",
    "selection_contrasts": "selection_metrics",
}


def readers(*roots: str, without: tuple[str, ...] = ()) -> Counter[str]:
    """Jobs a stage of the steps ``roots`` and of all that follow, but for the steps ``without``."""
    found = set(roots)
    for name, step in STEPS.items():  # in the order of the data
        sources = {ALIASES.get(read, read) for read in step.reads.split()}
        assert sources <= STEPS.keys(), sources - STEPS.keys()
        if sources & found and name not in without:
            found.add(name)
    return Counter(stage for name in found for stage in [STEPS[name].stage] * STEPS[name].jobs)


@dataclass(frozen=True)
class Edit:
    """One kind of edit to the copy of the repository, to the finished results or to the configuration."""

    name: str
    roots: tuple[str, ...] = ()  # the steps it changes
    source: Callable[[Path], None] | None = None
    results: Callable[[Path], None] | None = None
    config: str | None = None


def append(path: str, text: str) -> Callable[[Path], None]:
    def edit(copy: Path) -> None:
        with (copy / path).open("a", encoding="utf-8") as file:
            file.write(text)

    return edit


def reformat(path: str) -> Callable[[Path], None]:
    """The same program with other line breaks and without its comments."""

    def edit(copy: Path) -> None:
        (copy / path).write_text(ast.unparse(ast.parse((copy / path).read_text(encoding="utf-8"))), encoding="utf-8")

    return edit


def touch(pattern: str) -> Callable[[Path], None]:
    def edit(place: Path) -> None:
        found = [path for path in place.glob(pattern) if path.is_file()]
        assert found, f"{place} has no {pattern}"
        for path in found:
            os.utime(path)

    return edit


CODE = "\n\ndef _added_by_the_benchmark() -> int:\n    return 1\n"
WITH_STUDENT = (
    "built",
    "rollouts",
    "values",
    "micro",
    "continued",
    "trained",
    "played_base",
    "drifted",
    "failures",
    "features",
)
SUMMARIES = (
    "label_metrics",
    "quadrant_shares",
    "setups",
    "skills",
    "cpt_correlation",
    "metrics",
    "mechanistic",
    "checkpoints",
    "feature_drift",
    "selection_metrics",
)
EDITS = (
    Edit("every source file touched", source=touch("src/**/*.py")),
    Edit("a comment in the rollout tree", source=append("src/teachable/rollouts/tree.py", "\n# a remark\n")),
    Edit("the scoring of commands reformatted", source=reformat("src/teachable/student/scoring.py")),
    Edit("a module edited that no stage reaches", source=append("src/teachable/artifacts/archive.py", CODE)),
    Edit("every table of phase 1 touched", results=touch("results/phase1/*.parquet")),
    Edit("one figure edited", ("fig_h6_2",), source=append("src/teachable/paper/figures/h6_2.py", CODE)),
    Edit(
        "`training.learning_rate`",
        ("config", "trained", "trained_selections"),
        config="training={learning_rate: 7e-4}",
    ),
    Edit("one more test game", ("config", "games_test"), config="tasks={test: {easy: 5}}"),
    Edit("`statistics.repetitions`", ("config", "predictions", *SUMMARIES), config="statistics={repetitions: 300}"),
    Edit("`labels.thresholds`", ("config", "labeled"), config="labels={thresholds: percentiles}"),
    Edit("`evaluation.test_repeats`", ("config", "played_base"), config="evaluation={test_repeats: 1}"),
    Edit("the scoring of commands edited", WITH_STUDENT, append("src/teachable/student/scoring.py", CODE)),
    Edit(
        "how games are made edited",
        ("games_warmstart", "games_train", "games_test"),
        append("src/teachable/generation/textworld/make.py", CODE),
    ),
    Edit("`teacher.budget_usd`", config="teacher={budget_usd: 5.0}"),
)
EXECUTED = EDITS[8]
CUT_OFF = ("selected", "selection", "selection_examples", "trained_selections", "played_selections")
"""What follows the predictions, which do not change with the width of an interval."""


class Runs:
    """Runs of the workflow in one directory, with the sources of a copy of the repository."""

    def __init__(self, copy: Path, directory: Path, store: str) -> None:
        self.copy, self.directory, self.store = copy, directory, store

    def snakemake(self, *arguments: str, config: str | None = None) -> str:
        """What it printed; raises RuntimeError with that when it fails."""
        extra = [config] if config else []
        return run(self.directory, self.store, *arguments, "--config", "preset=smoke", *extra, root=self.copy)

    def plan(self, config: str | None = None) -> Counter[str]:
        """Jobs a stage that Snakemake would run."""
        output = self.snakemake("--dry-run", config=config)
        table = re.search(r"^job\s+count\n-+\s+-+\n(.*?)\n\n", output, re.DOTALL | re.MULTILINE)
        counts: Counter[str] = Counter()
        for line in table[1].splitlines() if table else ():
            rule, count = line.split()
            if stage := stage_of(rule):
                counts[stage] += int(count)
        return counts

    def execute(self, config: str | None) -> tuple[Counter[str], Counter[str]]:
        """Jobs a stage that were computed, and that the store answered."""
        since = time.time() - 1
        self.snakemake("--cores", str(os.cpu_count()), config=config)
        computed: Counter[str] = Counter()
        restored: Counter[str] = Counter()
        for log in (self.directory / "logs").rglob("*.log"):
            if log.stat().st_mtime >= since:
                stage, _, last = log.read_text(encoding="utf-8").splitlines()[-1].partition(": ")
                (restored if last.startswith("restored") else computed)[stage] += 1
        return computed, restored


PREFIXES = {  # rules that are made in numbers, or beside another
    "fig-": "figure",
    "tab-": "table",
    "concat-": "concat",
    "train-": "train",
    "evaluate-": "evaluate",
    "select-": "select",
    "selection-examples-": "selection-examples",
    "make-warmstart-tasks": "make-tasks",
}


def stage_of(rule: str) -> str | None:
    """The stage that a rule runs; None for a target without a command."""
    name = rule.replace("_", "-")
    if name in STAGES:
        return name
    for prefix, stage in PREFIXES.items():
        if name.startswith(prefix):
            return stage
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finished", type=Path, help="working directory of a finished run of preset smoke")
    parser.add_argument("--store", help="the store of that run")
    parser.add_argument("--plans-only", action="store_true", help="do not carry out edit 9")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/invalidation/table.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="invalidation-") as scratch:
        return measure(Path(scratch), arguments)


def measure(scratch: Path, arguments: argparse.Namespace) -> int:
    run = scratch / "run"
    store = arguments.store or str(scratch / "store")
    if arguments.finished:
        shutil.copytree(arguments.finished, run, symlinks=True)
    else:
        run.mkdir()
        Runs(ROOT, run, store).snakemake("--cores", str(os.cpu_count()))
    stages = list(dict.fromkeys(step.stage for step in STEPS.values()))
    assert set(stages) == set(STAGES) - ALONE, set(stages) ^ (set(STAGES) - ALONE)
    read = {*CRITERIA_INPUTS, *(name for item in (*FIGURES.values(), *TABLES.values()) for name in item.inputs)}
    assert {ALIASES.get(name, name) for name in read} <= STEPS.keys()
    rows, wrong = [], 0
    for number, edit in enumerate(EDITS, 1):
        copy = scratch / f"copy{number}"
        copy.mkdir()
        for part in ("Snakefile", "workflow_config.yaml", "rules", "profiles", "docs", "src"):
            source = ROOT / part
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, copy / part, ignore=ignore) if source.is_dir() else shutil.copy(source, copy / part)
        if edit.source:
            edit.source(copy)
        if edit.results:
            edit.results(run)
        runs = Runs(copy, run, store)
        expected, observed = readers(*edit.roots), runs.plan(edit.config)
        wrong += report_differences(edit.name, expected, observed)
        rows.append((f"{number}. {edit.name}", expected, observed))
        print(f"{number:2d}. {edit.name}: {observed.total()} jobs", flush=True)
        if edit is EXECUTED and not arguments.plans_only:
            other = scratch / "executed"
            shutil.copytree(run, other, symlinks=True)
            shutil.copytree(store, scratch / "its store")  # what is computed here is not to be found next time
            computed, restored = Runs(copy, other, str(scratch / "its store")).execute(edit.config)
            expected = readers(*edit.roots, without=CUT_OFF)
            wrong += report_differences(f"{edit.name}, computed", expected, computed)
            rows.append((f"{number}. ... computed; {restored.total()} from the store", expected, computed))
    arguments.out.write_text(table(stages, rows), encoding="utf-8")
    print(f"{len(rows) * len(stages)} cells, {wrong} differ from what was expected; {arguments.out}")
    return int(wrong > 0)


def report_differences(name: str, expected: Counter[str], observed: Counter[str]) -> int:
    differing = [stage for stage in STAGES if expected[stage] != observed[stage]]
    for stage in differing:
        print(f"    {name}: {stage}: expected {expected[stage]}, observed {observed[stage]}")
    return len(differing)


def table(stages: list[str], rows: list[tuple[str, Counter[str], Counter[str]]]) -> str:
    """Markdown: a row an edit, a column a stage; `3/2` where 3 were expected and 2 observed."""

    def cell(expected: int, observed: int) -> str:
        return (str(observed) if observed else "·") if expected == observed else f"**{expected}/{observed}**"

    lines = [
        "| edit | " + " | ".join(stages) + " |",
        "|---|" + "---:|" * len(stages),
        *(
            f"| {name} | " + " | ".join(cell(expected[stage], observed[stage]) for stage in stages) + " |"
            for name, expected, observed in rows
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
