"""Every Parquet table of the project: its columns, types and units, an atomic write and a validated read.

A table is written to a temporary name and renamed, so a reader never meets half a file. A read checks the
file against its schema and raises :class:`~teachable.errors.TableError` with the file, the column and the
remedy.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from teachable.errors import MissingInput, TableError

Schema = Mapping[str, Any]

TEXT, INT, REAL, FLAG = pl.String, pl.Int64, pl.Float64, pl.Boolean
TEXTS, REALS = pl.List(pl.String), pl.List(pl.Float64)
HISTORY = pl.List(pl.Struct({"command": pl.String, "observation": pl.String}))

INTERVAL: Schema = {
    "point": REAL,
    "low": REAL,  # lower end of the confidence interval
    "high": REAL,  # upper end
    "method": TEXT,  # how the interval was made, e.g. "cluster_bootstrap_expanded_95"
    "repetitions": INT,  # bootstrap repetitions; 0 for a closed form
    "seed": INT,  # seed of the generator
    "clusters": INT,  # independent units (games)
    "n": INT,  # observations
}

TASKS: Schema = {
    "task_id": TEXT,
    "world": TEXT,
    "family": TEXT,
    "split": TEXT,  # warmstart | train | test
    "seed": INT,
    "game": TEXT,  # path of the game file, relative to the games directory
    "digest": TEXT,  # of the canonicalised game
    "expert_steps": INT,  # length of the expert's winning play, commands
}

# Every episode of every stage: rollouts, label episodes, evaluation.
EPISODES: Schema = {
    "episode_id": TEXT,
    "task_id": TEXT,
    "family": TEXT,
    "split": TEXT,
    "model": TEXT,  # base, or the name of a run
    "train_seed": INT,  # which training of the run; null for the base
    "behaviour": TEXT,  # student | expert (who chose the commands)
    "panel": TEXT,  # rollout | test | retention | failure | drift | similar | label | before | after ...
    "snapshot_id": TEXT,  # where it started; null: at the start of the task
    "condition": TEXT,  # none | base | placebo | demo | contrast | hint | policy | force | expert | frontier
    "repeat": INT,
    "greedy": FLAG,
    "seed": INT,  # null, as are lost and the last four, for an episode from a tree's frontier
    "steps": INT,  # commands played in this episode (those before a snapshot not counted)
    "actions": TEXTS,  # the commands played
    "success": FLAG,  # null on a fault
    "lost": FLAG,  # the game ended without success
    "fault": TEXT,  # null, or the engine's trouble; such an episode is no failure and is never mined
    "repeats": INT,  # commands equal to the one before
    "loops": INT,  # returns to a state met before in this episode
    "wasted": INT,  # commands that left the world state unchanged
    "escape": INT,  # steps from the first to the end of the longest run without a new state; 0: never stuck
}

# Every decision of the phase 0 rollouts.
STEPS: Schema = {
    "episode_id": TEXT,
    "task_id": TEXT,
    "step": INT,  # 0 is the first decision
    "goal": TEXT,
    "memo": TEXT,
    "scene": TEXT,
    "observation": TEXT,
    "commands": TEXTS,  # admissible commands, sorted
    "logp": REALS,  # log-probability of each, nats
    "action": TEXT,
    "digest": TEXT,  # world state before the action
    "score": REAL,
    "unwinnable": FLAG,  # at this decision, before the action
}

# Chances of success along the failed episodes (snapshots.mode: fall).
EPISODE_VALUES: Schema = {
    "episode_id": TEXT,
    "step": INT,
    "value": REAL,  # probability that the student succeeds from this decision on
    "se": REAL,
}

SNAPSHOTS: Schema = {
    "snapshot_id": TEXT,
    "task_id": TEXT,
    "family": TEXT,
    "source": TEXT,  # student | expert
    "kind": TEXT,  # failure | interval
    "episode_id": TEXT,
    "step": INT,  # index of the decision, 0 is the first
    "distance": INT,  # decisions back from the deciding decision, 1 is itself
    "prefix": TEXTS,  # commands that lead from the start to here
    "digest": TEXT,
    "goal": TEXT,
    "memo": TEXT,
    "scene": TEXT,
    "observation": TEXT,
    "history": HISTORY,  # oldest first
    "commands": TEXTS,
    "logp": REALS,
    "student_action": TEXT,  # what the student did here in the failed episode
}

ADVICE: Schema = {
    "snapshot_id": TEXT,
    "suggested_action": TEXT,  # null when not valid
    "rationale": TEXT,
    "diagnosis": TEXT,
    "why_bad": TEXT,
    "error_type": TEXT,  # affordance_miss | attribute_confusion | planning_error | exploration_failure
    "confidence": TEXT,  # low | medium | high
    "valid": FLAG,
    "reason": TEXT,  # why not valid
    "teacher": TEXT,  # oracle | openai
    "model": TEXT,
    "attempts": INT,
    "prompt_tokens": INT,
    "completion_tokens": INT,
    "cost_usd": REAL,
    "expert_action": TEXT,  # the expert's command here; null at a dead end, or where there is no expert
    "unwinnable": FLAG,  # a dead end
}

ESTIMATES: Schema = {
    "snapshot_id": TEXT,
    "quantity": TEXT,  # p_policy p_force p_expert p_base p_placebo p_demo p_contrast p_hint
    "value": REAL,  # probability of success
    "se": REAL,  # standard error
    "n": INT,  # episodes behind it (frontier episodes for the tree)
    "estimator": TEXT,  # monte_carlo | tree
    "gap": REAL,  # tree: certified upper minus lower bound; null for monte_carlo
    "net_se": REAL,  # of the difference to placebo (demo, contrast, hint) or to p_policy (force, expert); else null
}

ACTION_VALUES: Schema = {
    "snapshot_id": TEXT,
    "command": TEXT,
    "value": REAL,  # P(success | this command now, then the student)
    "se": REAL,
    "lower": REAL,  # certified bounds from the expanded tree
    "upper": REAL,
    "pi_base": REAL,  # probability of this command under each condition's prompt
    "pi_placebo": REAL,
    "pi_demo": REAL,
    "pi_contrast": REAL,
    "pi_hint": REAL,
}

# Every node of the rollout trees behind the labels.
TREE_NODES: Schema = {
    "snapshot_id": TEXT,
    "model": TEXT,  # base, or whose adapter played
    "purpose": TEXT,  # label | before | after | drift
    "condition": TEXT,  # whose tree: shared (all conditions), or one where patches stay for the episode
    "node": INT,  # 0 is the snapshot itself
    "actions": TEXTS,  # commands from the snapshot by which the node was first reached
    "digest": TEXT,  # world state
    "steps_left": INT,
    "expanded": FLAG,  # of the tree proper; else of its frontier, or met while sampling from it
    "weight": REAL,  # probability of reaching it under the mixture of conditions
    "commands": TEXTS,
    "probabilities": REALS,  # of each command; null: not asked, and at node 0 (ACTION_VALUES has those)
    "outcomes": TEXTS,  # of each command: win | loss | node; null: not tried
    "children": pl.List(pl.Int64),  # the node each command leads to; null: none, or not tried
}

MEASURES = ("entropy", "entropy_normalised", "margin", "topk_spread", "effective_actions", "logp_chosen")

LABELED: Schema = {
    **SNAPSHOTS,
    "expert_action": TEXT,
    "suggested_action": TEXT,
    "error_type": TEXT,
    "confidence": TEXT,
    "advice_valid": FLAG,
    "unwinnable": FLAG,
    **dict.fromkeys(MEASURES, REAL),  # nats where a unit applies
    "U": REAL,  # the configured measure
    **{
        f"p_{c}{s}": REAL
        for c in ("policy", "force", "expert", "base", "placebo", "demo", "contrast", "hint")
        for s in ("", "_se")
    },
    "L_local": REAL,
    "L_local_se": REAL,
    "L_upper": REAL,
    "L_upper_se": REAL,
    "gap": REAL,
    "profile": TEXT,  # A_bottleneck | B_trajectory | C_deadend | mixed
    **{f"{kind}_{m}": REAL for kind in ("raw", "net") for m in ("demo", "contrast", "hint")},
    "placebo_gain": REAL,  # p_placebo - p_base
    "ELP_net": REAL,
    "ELP_raw": REAL,
    "ELP_net_debiased": REAL,
    "route": TEXT,  # demo | contrast | hint
    "route_tied": FLAG,
    "quadrant": TEXT,  # Q1..Q4
    "d_expert": INT,  # steps back to a state with p_expert >= 0.5; null: none on the trajectory
    "d_force": INT,
    "d_expert_bin": TEXT,  # 0 1 2 3+
    "d_force_bin": TEXT,
    "estimator": TEXT,
}

# Which skill the student's failures lack: that of the expert's command. One row a quadrant and skill.
SKILLS: Schema = {
    "quadrant": TEXT,  # all | Q1..Q4 | Q4 - rest | Q1 and Q2 - rest (kinds: difference of the shares)
    "skill": TEXT,  # open, go ...: the world names them; or a kind: a habit | a dithering | not planted
    "planted": TEXT,  # habit | dither; null: not planted, or a kind
    "known": REAL,  # share of needs in which the student's demonstrator did the right thing; null as above
    "snapshots": INT,  # 0: of the quadrant none lacks it
    "U": REAL,  # mean over these snapshots, as the next three
    "L_local": REAL,
    "p_right": REAL,  # the student's probability of the expert's command
    "already_right": REAL,  # share in which that is the student's likeliest
    **INTERVAL,  # of the share of the quadrant's snapshots, or the difference; null in an empty quadrant
}

# Which snapshots and tasks serve what. A task is on one side only: `train` or `held_out`.
PANELS: Schema = {
    "panel": TEXT,  # train | failure | validation | drift | predictor_test ...
    "side": TEXT,  # train | held_out
    "snapshot_id": TEXT,  # null for a panel of tasks
    "task_id": TEXT,
    "quadrant": TEXT,
    "order": INT,
}

EXAMPLES: Schema = {
    "run": TEXT,  # "replay": a decision of a won episode of the student's own
    "draw": INT,  # the training seed that this example serves; null: all of them
    "example_id": TEXT,
    "snapshot_id": TEXT,  # null for a replayed decision
    "task_id": TEXT,
    "quadrant": TEXT,
    "format": TEXT,  # demo | contrast | hint
    "plain": FLAG,  # a contrast or hint example without its patch
    "prompt": TEXT,  # as rendered by the student's layout
    "completion": TEXT,  # the teacher's action; replay: the student's own; C_random: any other
}

BUDGET: Schema = {
    "run": TEXT,
    "quadrant": TEXT,
    "format": TEXT,
    "examples": INT,
    "tokens": INT,  # prompt and completion
    "completion_tokens": INT,
    "target_examples": INT,
    "difference": INT,
    "repeated": INT,  # of the examples, copies made by up-sampling; 0 unless it was asked for
    "plain": INT,  # of the examples, those of contrast and hint without their patch
    "epochs": INT,  # passes over the examples
    "replayed": INT,  # decisions of the student's own won episodes beside them, over all epochs
    "steps": INT,  # optimiser steps
}

MICROTRAINING: Schema = {
    "snapshot_id": TEXT,
    "task_id": TEXT,
    "quadrant": TEXT,
    "format": TEXT,
    "ELP_net": REAL,
    "L_local": REAL,
    "before": REAL,  # P(success from the snapshot), base student
    "before_se": REAL,
    "after": REAL,  # the same with the tuned student
    "after_se": REAL,
    "delta_snapshot": REAL,
    "similar_before": REAL,  # success on similar tasks
    "similar_after": REAL,
    "similar_tasks": INT,
    "delta_similar": REAL,
    "delta_micro": REAL,  # after - before over the snapshot and the similar tasks, as configured
    "loss_first": REAL,
    "loss_last": REAL,
    "probe_shift": REAL,  # largest change of a command's probability at the snapshot; 0 would mean base was evaluated
    "seconds": REAL,
}

METRICS: Schema = {
    "model": TEXT,
    "panel": TEXT,
    "group": TEXT,  # all, or a quadrant or family
    "metric": TEXT,
    **INTERVAL,
}

CONTRASTS: Schema = {
    "contrast": TEXT,  # name
    "hypothesis": TEXT,
    "model": TEXT,
    "reference": TEXT,
    "panel": TEXT,
    "group": TEXT,
    "metric": TEXT,
    **INTERVAL,
    "p_value": REAL,
    "p_holm": REAL,
    "mde": REAL,  # minimum detectable effect at 80 % power
    "prespecified": FLAG,
}

TRANSFER: Schema = {
    "trained_on": TEXT,
    "format": TEXT,  # demo | contrast | hint | mean
    "evaluated_on": TEXT,
    **INTERVAL,
}

MECHANISTIC: Schema = {
    "model": TEXT,
    "by": TEXT,  # all | quadrant | elp_bin | route
    "group": TEXT,
    "metric": TEXT,
    **INTERVAL,
}

# What a model would do at each held-out snapshot, and its hidden state there.
PROBES: Schema = {
    "model": TEXT,
    "train_seed": INT,  # which training of the run; null for the base
    "snapshot_id": TEXT,
    "task_id": TEXT,
    "expert_action": TEXT,  # null at a dead end
    "expert_probability": REAL,  # of the expert's command; null where there is none
    "top_action": TEXT,  # the model's most probable command
    "state": TEXT,  # what state tracking should know: the room
    "goal": TEXT,  # what goal tracking should know: the kind of command needed next; null at a dead end
    "hidden": pl.List(pl.Float32),  # last hidden layer, mean over the prompt's tokens
}

DRIFT: Schema = {
    "model": TEXT,
    "checkpoint": TEXT,  # first | middle | last
    "snapshot_id": TEXT,
    "task_id": TEXT,
    "quadrant": TEXT,
    "elp_bin": TEXT,
    **{f"p_{c}": REAL for c in ("base", "placebo", "demo", "contrast", "hint")},
    "ELP_net": REAL,
    "route": TEXT,
}

PREDICTIONS: Schema = {
    "snapshot_id": TEXT,
    "task_id": TEXT,
    "fold": INT,
    "method": TEXT,  # predictor | tier1 | tier2 | random | entropy | L_local | UxL | oracle_features
    "target": TEXT,  # ELP_net L_local L_upper U d_expert d_force route quadrant
    "score": REAL,  # predicted value; for a class its probability
    "label": TEXT,  # predicted class; null for a number
    "truth": REAL,
    "truth_label": TEXT,
}

# An interval beside a column `method` that names a predictor.
METHOD_INTERVAL: Schema = {
    "interval_method" if column == "method" else column: dtype for column, dtype in INTERVAL.items()
}

PREDICTOR_METRICS: Schema = {
    "method": TEXT,
    "target": TEXT,
    "metric": TEXT,  # ndcg precision spearman r2 mae macro_f1 accuracy ece ...
    "k": INT,  # null where it does not apply
    "train_size": INT,
    **METHOD_INTERVAL,
}

SELECTION: Schema = {
    "run": TEXT,
    "draw": INT,  # the training seed that a random choice serves; null: all of them
    "method": TEXT,
    "snapshot_id": TEXT,
    "rank": INT,
    "score": REAL,
    "format": TEXT,
}


# Features of the predictor, one row a vector. Tier 1 has one vector a snapshot, tier 2 the student's hidden
# states of each part of a snapshot; a `reference` is a state of an episode whose outcome is known.
FEATURES: Schema = {
    "item_id": TEXT,  # snapshot_id, or the name of a reference state
    "task_id": TEXT,
    "part": TEXT,  # tier1 | state | goal | history | reference
    "names": TEXTS,  # of the vector's entries; null but for tier1
    "vector": REALS,
    "success": REAL,  # reference: 1 after a success, 0 after a failure, or P(success); else null
}

CALIBRATION: Schema = {
    "method": TEXT,
    "target": TEXT,
    "bin": INT,
    "bin_low": REAL,  # edges of the bin, in units of the prediction
    "bin_high": REAL,
    "predicted": REAL,  # mean prediction in the bin
    **METHOD_INTERVAL,  # of the mean outcome
}

CONFUSION: Schema = {
    "method": TEXT,
    "target": TEXT,  # route | quadrant
    "truth_label": TEXT,
    "label": TEXT,
    "count": INT,
    "share": REAL,  # of the rows with this truth
}

IMPORTANCE: Schema = {
    "method": TEXT,
    "target": TEXT,
    "metric": TEXT,  # what drops when the group is shuffled
    "tier": TEXT,
    "group": TEXT,  # features shuffled together
    "features": INT,  # how many
    **METHOD_INTERVAL,  # of the drop
}

# What ranking the pool costs, per snapshot, before anything is trained on.
COST: Schema = {
    "method": TEXT,
    "student_passes": REAL,  # prompts scored or embedded
    "rollouts": REAL,  # episodes played
    "teacher_calls": REAL,
    "labelled_once": INT,  # snapshots that must be labelled in full before the method works at all
    "seconds": REAL,  # measured; null where not
    "k": INT,
    **METHOD_INTERVAL,  # of NDCG@k
}


# What the built-in student is cloned from: decisions of an expert, a noisy one and a demonstrator with gaps.
DEMONSTRATIONS: Schema = {
    "key": TEXT,  # task, trajectory and step
    "goal": TEXT,
    "memo": TEXT,
    "scene": TEXT,
    "observation": TEXT,
    "history": HISTORY,
    "commands": TEXTS,
    "expert_action": TEXT,
    "demonstrator_action": TEXT,  # the expert's, but for the demonstrator's gaps
}


def empty(schema: Schema) -> pl.DataFrame:
    """A frame with the schema's columns and no row."""
    return pl.DataFrame(schema=dict(schema))


def conform(frame: pl.DataFrame, schema: Schema, name: str = "table") -> pl.DataFrame:
    """``frame`` with exactly the schema's columns in the schema's order.

    Integer and all-null columns are cast where nothing is lost; anything else that differs raises
    :class:`TableError` naming the column.
    """
    missing = [column for column in schema if column not in frame.columns]
    extra = [column for column in frame.columns if column not in schema]
    if missing or extra:
        raise TableError(
            f"{name}: missing columns {missing}, unknown columns {extra}. It was made by another version: "
            "delete it and run the workflow again."
        )
    try:
        return frame.select([pl.col(column).cast(dtype, strict=True) for column, dtype in schema.items()])
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{name}: a column has the wrong type: {error}") from error


def write(frame: pl.DataFrame, path: Path | str, schema: Schema) -> None:
    """Check ``frame`` against ``schema`` and write it to ``path`` atomically, with reproducible bytes."""
    path = Path(path)
    frame = conform(frame, schema, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        frame.write_parquet(temporary, compression="zstd", statistics=True)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path | str, schema: Schema) -> pl.DataFrame:
    """The table at ``path``, checked against ``schema``.

    Raises :class:`MissingInput` when there is no file and :class:`TableError` when it is torn or of another
    schema.
    """
    path = Path(path)
    if not path.exists():
        raise MissingInput(f"{path} is missing: run the stage that makes it, e.g. `snakemake {path}`.")
    try:
        frame = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise TableError(
            f"{path} is not a readable Parquet file ({_first_line(error)}): delete it and run the workflow again; "
            "only this file and what follows from it will be rebuilt."
        ) from error
    return conform(frame, schema, str(path))


def write_json(value: Any, path: Path | str) -> None:
    """Write ``value`` as indented JSON with sorted keys, atomically. NaN is refused."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path | str) -> Any:
    """The JSON at ``path``; the same errors as :func:`read`."""
    path = Path(path)
    if not path.exists():
        raise MissingInput(f"{path} is missing: run the stage that makes it, e.g. `snakemake {path}`.")
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise TableError(
            f"{path} is not valid JSON ({_first_line(error)}): delete it and run the workflow again."
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
