"""The stages of the workflow: what each reads, writes and is configured by.

This table imports neither torch nor any room of science, so the Snakefile, the command line and the store can read it
in milliseconds. The code of a stage lives in the module the table names, in a function
``run(inputs, outputs, params)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from teachable.stages import params as p


@dataclass(frozen=True, slots=True)
class Stage:
    """One command line: ``teachable <name> --in NAME=PATH ... --out NAME=PATH ... --params JSON``."""

    name: str
    module: str  # holds run(inputs, outputs, params)
    doc: str
    inputs: tuple[str, ...]  # "name" one file or directory, "name*" any number, "name?" none or one
    outputs: tuple[str, ...]
    params: type[BaseModel]
    world: tuple[str, ...] = ()  # parts of the world that it runs: play, generator, words, reasons

    def modules(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The modules whose code this stage runs: its own, those of the parts of the world that it uses, and those that
        its parameters name (a figure, a table, a selection method; the report reads what each item declares).
        """
        return (*self._modules(params), *self._of_world(params))

    def _of_world(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        name = params.get("world_name") or (params.get("world") or {}).get("name")
        if not self.world or name is None:
            return ()
        from teachable.worlds.registry import get_entry

        return get_entry(name).modules(self.world)

    def _modules(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        if self.name in ("figure", "table"):
            return (self.module, f"teachable.paper.{self.name}s.{params['item']}")
        if self.name == "select":
            from teachable.selection import METHODS

            return (self.module, METHODS[params["method"]].module)
        if self.name == "report":
            from teachable.paper.registry import FIGURES, TABLES

            items = (*(item.module for item in FIGURES.values()), *(item.module for item in TABLES.values()))
            return (self.module, *items)
        return (self.module,)

    @property
    def loads_student(self) -> bool:
        """Whether the stage runs the model, on a GPU where there is one."""
        return self.name in LOAD_STUDENT

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(name.rstrip("*?") for name in self.inputs)


LOAD_STUDENT = {
    "rollout",
    "episode-values",
    "action-values",
    "microtrain",
    "continuations",
    "train",
    "evaluate",
    "drift",
    "features",
}


WORLD = {  # the parts of the world that stages run
    "make-tasks": "generator",
    "demonstrate": "play words",
    "build-student": "play words reasons",
    "rollout": "play",
    "episode-values": "play",
    "restore-check": "play",
    "advise": "play reasons",
    "action-values": "play",
    "skills": "words",
    "microtrain": "play",
    "continuations": "play",
    "recovery-examples": "play",
    "evaluate": "play words",
    "drift": "play",
    "features": "words",
    "table": "words",  # of an item that asks for them
}


def _stage(name: str, doc: str, inputs: str, outputs: str, params: type[BaseModel], module: str | None = None) -> Stage:
    module = f"teachable.stages.{module or name.replace('-', '_')}"
    world = tuple(WORLD.get(name, "").split())
    return Stage(name, module, doc, tuple(inputs.split()), tuple(outputs.split()), params, world)


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        _stage("resolve-config", "write the resolved configuration", "", "config", p.ResolveConfig),
        # world and student
        _stage("make-tasks", "generate games and play the expert once on each", "", "games tasks", p.MakeTasks),
        _stage(
            "check-splits",
            "verify that no game is in two splits",
            "tasks*",
            "report",
            p.Nothing,
            "check_splits",
        ),
        _stage(
            "demonstrate",
            "play the episodes that the built-in student is cloned from",
            "tasks games",
            "demonstrations",
            p.Demonstrate,
        ),
        _stage(
            "build-student",
            "make the built-in student from demonstrations",
            "demonstrations* tasks* games*",
            "weights",
            p.BuildStudent,
        ),
        _stage(
            "link-student",
            "record which model is the student and how it answers",
            "weights?",
            "student",
            p.LinkStudent,
        ),
        _stage("concat", "concatenate the shards of a table", "shards*", "table", p.Concat),
        # phase 0
        _stage("rollout", "play the student on tasks", "tasks games student", "steps episodes", p.Rollout),
        _stage(
            "episode-values",
            "estimate success at every decision of the failed episodes",
            "steps episodes tasks games student",
            "values",
            p.EpisodeValues,
        ),
        _stage(
            "snapshots",
            "mine decision points of failed episodes",
            "steps episodes values?",
            "snapshots",
            p.MineSnapshots,
        ),
        _stage(
            "restore-check",
            "restore every snapshot and compare",
            "snapshots tasks games*",
            "report",
            p.RestoreCheck,
        ),
        _stage(
            "retention-panel",
            "choose tasks the base student wins",
            "steps episodes",
            "panel",
            p.RetentionPanel,
        ),
        _stage("advise", "ask the teacher about every snapshot", "snapshots tasks games*", "advice", p.Advise),
        # phase 1
        _stage(
            "action-values",
            "estimate success after every command and under every patch",
            "snapshots advice tasks games* student",
            "estimates action_values episodes nodes",
            p.ActionValues,
        ),
        _stage(
            "label",
            "uncertainty, leverage, patch test, depth, quadrants",
            "snapshots advice estimates",
            "labeled expert thresholds",
            p.Label,
        ),
        _stage(
            "panels",
            "choose which snapshots serve what, by game",
            "labeled retention",
            "panels",
            p.MakePanels,
        ),
        _stage(
            "label-metrics",
            "means, shares and correlations of the labels",
            "labeled",
            "metrics",
            p.Summarise,
        ),
        _stage(
            "skills",
            "count the skills that the failures lack, by quadrant",
            "labeled",
            "skills",
            p.Skills,
        ),
        # phase 1b
        _stage(
            "microtrain",
            "train on one example, evaluate before and after",
            "labeled advice panels tasks games* student",
            "microtraining episodes",
            p.Microtrain,
        ),
        _stage(
            "cpt-correlation",
            "relate the patch test to micro-training",
            "microtraining labeled",
            "correlation",
            p.CptCorrelation,
        ),
        # phase 2
        _stage(
            "continuations",
            "play the student on after the teacher's command",
            "labeled advice panels tasks games* student",
            "steps episodes",
            p.Continuations,
        ),
        _stage(
            "replay-examples",
            "collect decisions of the student's own won episodes",
            "steps* episodes* labeled panels retention student",
            "replay",
            p.Nothing,
        ),
        _stage(
            "examples",
            "make the training sets of the matrix",
            "labeled advice panels replay student",
            "examples budget",
            p.MakeExamples,
        ),
        _stage(
            "recovery-examples",
            "make examples of expert continuations",
            "labeled panels replay tasks games* student",
            "examples budget",
            p.RecoveryExamples,
        ),
        _stage("train", "train one LoRA adapter", "examples replay student", "adapter record", p.Train),
        _stage("training-summary", "collect the records of the runs", "records*", "summary", p.Nothing),
        # phase 3
        _stage(
            "evaluate",
            "play one model on the panels",
            "student adapter? labeled panels retention tasks games* test_tasks test_games*",
            "episodes probes",
            p.Evaluate,
        ),
        _stage(
            "evaluation-summary",
            "intervals, paired contrasts and transfer",
            "episodes* labeled",
            "metrics contrasts transfer",
            p.Summarise,
        ),
        _stage(
            "mechanistic-summary",
            "intervals of first actions, shifts and linear probes",
            "probes* episodes* labeled",
            "mechanistic",
            p.Summarise,
        ),
        _stage(
            "drift",
            "repeat the patch test and the retention panel at checkpoints of a run",
            "student adapter labeled advice panels retention tasks games*",
            "drift episodes patch_test",
            p.Drift,
        ),
        _stage(
            "checkpoint-summary",
            "retention and the patch test at first, middle and last checkpoint",
            "base episodes* drift labeled",
            "metrics drift_metrics",
            p.Summarise,
        ),
        # phase 4
        _stage("features", "features of every snapshot", "labeled steps student", "features", p.Features),
        _stage(
            "predict",
            "fit the teachability predictor and its rivals, held out by game",
            "features labeled panels",
            "predictions metrics calibration importance confusion cost",
            p.Predict,
        ),
        # phase 5
        _stage(
            "select",
            "choose a fixed budget of snapshots",
            "predictions features labeled expert panels",
            "selection",
            p.Select,
        ),
        _stage(
            "selection-examples",
            "make the training sets of the selections",
            "selection labeled expert advice panels replay student",
            "examples budget",
            p.SelectionExamples,
        ),
        _stage(
            "selection-summary",
            "compare the selections",
            "episodes* labeled",
            "metrics contrasts",
            p.Summarise,
            "evaluation_summary",
        ),
        # paper
        _stage("figure", "draw one figure", "*", "pdf png", p.PaperItem),
        _stage("table", "make one table", "*", "tex csv", p.PaperItem),
        _stage("criteria", "judge every criterion of the protocol", "*", "criteria", p.Criteria),
        _stage(
            "report",
            "write the report",
            "config criteria labeled thresholds skills splits episodes training_summary pictures* listings*",
            "html markdown",
            p.Report,
        ),
    )
}
