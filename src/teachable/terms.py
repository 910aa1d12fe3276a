"""Quadrants, formats, conditions and runs: the words that every table and every room uses, stated once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal, get_args

from teachable import formats

Quadrant = Literal["Q1", "Q2", "Q3", "Q4"]
QUADRANTS: tuple[str, ...] = get_args(Quadrant)
FORMATS = tuple(formats.FORMATS)  # demo, contrast, hint: of supervision and of the patches; breaks ties of the route
Verbosity = Literal["compact", "full"]  # how many words the teacher's texts may have
BASE = "base"  # the student as it came: a model, and the condition without a patch
PLACEBO = "placebo"
CONDITIONS = (BASE, PLACEBO, *FORMATS)  # of the patch test
QUANTITIES = ("policy", "force", "expert", *CONDITIONS)  # p_<quantity>: the chances of success behind the labels
UNIFORM = "B1_uniform"
EVERYTHING = "B2_all"
RECOVERY = "recovery"
REPLAY_ONLY = "C_replay"  # control: no example at all, only what is replayed beside the others' examples
RANDOM_ANSWER = "C_random"  # control: the snapshots of B1_uniform, each with a random command as its answer
REPLAY = "replay"  # in a `format` column: the student's own decisions
SELECTION_PREFIX = "S_"
DPO_SUFFIX = "_dpo"
ALL = "all"  # in a `quadrant` column: drawn from every quadrant


ORACLE = "oracle"  # the game's own solver, as an expert


def expert_name(expert: Mapping[str, Any] | None) -> str:
    """As rows and captions name who takes over, from the configuration's section ``expert``: ``oracle`` (also where
    there is none), ``teacher gpt-4o``, ``checkpoint Qwen3-8B``."""
    source = (expert or {}).get("source", ORACLE)
    if expert is None or source == ORACLE:
        return ORACLE
    said = (expert.get("teacher") or {}).get("model") if source == "teacher" else PurePath(expert["path"] or "").name
    return f"{source} {said}"


@dataclass(frozen=True, slots=True)
class Run:
    """One trained model: its name, where its examples come from and how they are written."""

    name: str
    quadrant: str  # Q1..Q4, or "all"
    format: str  # one of FORMATS, or "replay"


def cell_name(quadrant: str, format_: str) -> str:
    """The run trained on one quadrant in one format, e.g. ``Q3_hint``."""
    return f"{quadrant}_{format_}"


def cells() -> tuple[Run, ...]:
    """The twelve cells, quadrants first: Q1_demo, Q1_contrast, Q1_hint, Q2_demo, ..."""
    return tuple(Run(cell_name(q, f), q, f) for q in QUADRANTS for f in FORMATS)


def baselines() -> tuple[Run, ...]:
    """The two baselines of the matrix."""
    return (Run(UNIFORM, ALL, "demo"), Run(EVERYTHING, ALL, "demo"))


def matrix() -> tuple[Run, ...]:
    """The fourteen runs: twelve cells and two baselines."""
    return cells() + baselines()


def controls() -> tuple[Run, ...]:
    """The two controls beside the matrix: what the same training does without anything to learn from."""
    return (Run(REPLAY_ONLY, ALL, REPLAY), Run(RANDOM_ANSWER, ALL, "demo"))


def preference_name(quadrant: str) -> str:
    """The run that learns a quadrant's contrast examples by direct preference optimisation, e.g. ``Q4_dpo``."""
    return f"{quadrant}{DPO_SUFFIX}"


def preference_runs() -> tuple[Run, ...]:
    """The runs by direct preference optimisation that may stand beside the matrix, one a quadrant; off by default."""
    return tuple(Run(preference_name(q), q, "contrast") for q in QUADRANTS)


def selection_name(method: str, k: int) -> str:
    """The run that learns from the k snapshots a method chose, e.g. ``S_oracle_k8``."""
    return f"{SELECTION_PREFIX}{method}_k{k}"


def selection_of(name: str) -> tuple[str, int] | None:
    """Method and k of a selection run's name; None for any other name."""
    found = re.fullmatch(rf"{SELECTION_PREFIX}(\w+)_k(\d+)", name)
    return (found[1], int(found[2])) if found else None


def describe(name: str) -> Run:
    """The run called ``name``; selection runs are recognised by their prefix.

    Raises :class:`ValueError` for a name that is no run (``base`` is a model, not a run).
    """
    for run in (*matrix(), *controls(), Run(RECOVERY, ALL, "demo"), *preference_runs()):
        if run.name == name:
            return run
    if name.startswith(SELECTION_PREFIX):
        return Run(name, ALL, "demo")
    raise ValueError(
        f"{name!r} is not a run: expected one of the matrix, a control, {RECOVERY!r}, <quadrant>{DPO_SUFFIX} or "
        f"{SELECTION_PREFIX}<method>."
    )


RUNS = tuple(run.name for run in matrix())  # the names of the fourteen
