"""Tables of games, episodes, snapshots and their labels."""

from __future__ import annotations

import polars as pl

from teachable.tables.schema import (
    FLAG,
    HISTORY,
    INT,
    INTERVAL,
    REAL,
    REALS,
    TEXT,
    TEXTS,
    Column,
    Table,
    count,
    difference,
    name,
    of,
    probability,
    share,
    word,
)
from teachable.terms import CONDITIONS, FORMATS, QUADRANTS, QUANTITIES

SPLITS = ("warmstart", "train", "test")

TASKS = Table(
    "TASKS",
    "Every game, in exactly one split.",
    {
        "task_id": name(),
        "world": name(),
        "family": name(),
        "split": word(SPLITS),
        "seed": of(INT, "", "seed"),
        "game": name("path of the game file, relative to the games directory"),
        "digest": name("of the canonicalised game"),
        "expert_steps": count("length of the expert's winning play", "commands", null=False),
    },
    key=("task_id",),
)

EPISODES = Table(
    "EPISODES",
    "Every episode of every stage: rollouts, label episodes, evaluation.",
    {
        "episode_id": name(),
        "task_id": name(),
        "family": name(),
        "split": word(SPLITS),
        "model": name("base, or the name of a run"),
        "train_seed": count(
            "which training of the run; of the base, the training whose random numbers it was given", "index"
        ),
        "behaviour": word(("student", "expert"), "who chose the commands"),
        "panel": name("rollout | test | retention | failure | drift | similar | label | before | after ..."),
        "snapshot_id": of(TEXT, "where it started; null: at the start of the task"),
        "condition": word(("none", *CONDITIONS, "policy", "force", "expert", "frontier")),
        "repeat": count("", "index", null=False),
        "greedy": of(FLAG),
        "seed": of(INT, "null, as are lost and the last four, for an episode from a tree's frontier", "seed"),
        "steps": count("commands played in this episode (those before a snapshot not counted)", "commands", null=False),
        "actions": of(TEXTS, "the commands played"),
        "success": of(FLAG, "null on a fault"),
        "lost": of(FLAG, "the game ended without success"),
        "fault": of(TEXT, "null, or the engine's trouble; such an episode is no failure and is never mined"),
        "repeats": count("commands equal to the one before", "commands"),
        "loops": count("returns to a state met before in this episode", "states"),
        "wasted": count("commands that left the world state unchanged", "commands"),
        "escape": count(
            "steps from the first to the end of the longest run without a new state; 0: never stuck", "commands"
        ),
    },
    key=("episode_id",),
)

# What the student may know at a decision: the columns of teachable.student.prompt.Context.
DECISION = {
    "goal": of(TEXT),
    "memo": of(TEXT),
    "scene": of(TEXT),
    "observation": of(TEXT),
    "history": of(HISTORY, "oldest first"),
    "commands": of(TEXTS, "admissible commands, sorted", null=False),
}

STEPS = Table(
    "STEPS",
    "Every decision of the phase 0 rollouts.",
    {
        "episode_id": name(),
        "task_id": name(),
        "step": count("0 is the first decision", "decisions", null=False),
        **{name: column for name, column in DECISION.items() if name != "history"},
        "logp": of(REALS, "log-probability of each", "nats", high=0.0, null=False),
        "action": name(),
        "digest": name("world state before the action"),
        "score": of(REAL, "", "points"),
        "unwinnable": of(FLAG, "at this decision, before the action", null=False),
    },
    key=("episode_id", "step"),
)

EPISODE_VALUES = Table(
    "EPISODE_VALUES",
    "Chances of success along the failed episodes (snapshots.mode: fall).",
    {
        "episode_id": name(),
        "step": count("", "decisions", null=False),
        "value": probability("that the student succeeds from this decision on", null=False),
        "se": probability("standard error"),
    },
    key=("episode_id", "step"),
)

SNAPSHOTS = Table(
    "SNAPSHOTS",
    "Restorable decisions of failed episodes.",
    {
        "snapshot_id": name(),
        "task_id": name(),
        "family": name(),
        "source": word(("student", "expert")),
        "kind": word(("failure", "interval")),
        "episode_id": name(),
        "step": count("index of the decision, 0 is the first", "decisions", null=False),
        "distance": of(INT, "decisions back from the deciding decision, 1 is itself", "decisions", null=False),
        "prefix": of(TEXTS, "commands that lead from the start to here", null=False),
        "digest": name(),
        **DECISION,
        "logp": of(REALS, "", "nats", high=0.0, null=False),
        "student_action": name("what the student did here in the failed episode"),
    },
    key=("snapshot_id",),
)

ADVICE = Table(
    "ADVICE",
    "What the teacher says at each snapshot.",
    {
        "snapshot_id": name(),
        "suggested_action": of(TEXT, "null when not valid"),
        "rationale": of(TEXT),
        "diagnosis": of(TEXT),
        "why_bad": of(TEXT),
        "error_type": of(TEXT, "affordance_miss | attribute_confusion | planning_error | exploration_failure"),
        "confidence": word(("low", "medium", "high"), null=True),
        "valid": of(FLAG, null=False),
        "reason": of(TEXT, "why not valid"),
        "teacher": of(TEXT, "oracle | openai"),
        "model": of(TEXT),
        "attempts": count("", "requests"),
        "prompt_tokens": count("", "tokens"),
        "completion_tokens": count("", "tokens"),
        "cost_usd": of(REAL, "", "USD", low=0.0),
        "expert_action": of(TEXT, "the expert's command here; null at a dead end, or where there is no expert"),
        "unwinnable": of(FLAG, "a dead end"),
    },
    key=("snapshot_id",),
)

JUDGEMENTS = Table(
    "JUDGEMENTS",
    "What a judge says of failed episodes and of advice, beside what is known of them.",
    {
        "subject": word(("decision", "advice"), "where did an episode go wrong, or is advice right"),
        "item_id": name("of the episode or snapshot"),
        "task_id": name(),
        "decisions": count("of the episode; null for advice", "decisions"),
        "verdict": count("number of the decision, from 1; or 1: advice is right, 0: it is not; null without", "index"),
        "truth": count(
            "the deciding decision; or 1: the best command by the action values, 0: not; null: unknown", "index"
        ),
        "comment": of(TEXT, "in the judge's words"),
        "valid": of(FLAG, "whether there is a verdict", null=False),
        "reason": of(TEXT, "why not"),
        "model": name("of the judge"),
        "attempts": count("", "requests"),
        "prompt_tokens": count("", "tokens"),
        "completion_tokens": count("", "tokens"),
        "cost_usd": of(REAL, "", "USD", low=0.0),
    },
    key=("subject", "item_id", "model"),
)

ESTIMATES = Table(
    "ESTIMATES",
    "Chances of success from each snapshot, by who plays and what the context holds.",
    {
        "snapshot_id": name(),
        "quantity": word(f"p_{c}" for c in QUANTITIES),
        "value": probability("of success", null=False),
        "se": probability("standard error"),
        "n": count("episodes behind it (frontier episodes for the tree)", "observations", null=False),
        "estimator": word(("monte_carlo", "tree")),
        "gap": probability("tree: certified upper minus lower bound; null for monte_carlo"),
        "net_se": probability(
            "of the difference to placebo (demo, contrast, hint) or to p_policy (force, expert); else null"
        ),
    },
    key=("snapshot_id", "quantity"),
)

ACTION_VALUES = Table(
    "ACTION_VALUES",
    "What each command at a snapshot is worth, and how likely each condition makes it.",
    {
        "snapshot_id": name(),
        "command": name(),
        "value": probability("P(success | this command now, then the student)", null=False),
        "se": probability("standard error"),
        "lower": probability("certified bounds from the expanded tree"),
        "upper": probability(),
        "pi_base": probability("of this command under each condition's prompt"),
        "pi_placebo": probability(),
        "pi_demo": probability(),
        "pi_contrast": probability(),
        "pi_hint": probability(),
    },
    key=("snapshot_id", "command"),
)

TREE_NODES = Table(
    "TREE_NODES",
    "Every node of the rollout trees behind the labels.",
    {
        "snapshot_id": name(),
        "model": name("base, or whose adapter played"),
        "purpose": word(("label", "before", "after", "drift")),
        "condition": name("whose tree: shared (all conditions), or one where patches stay for the episode"),
        "node": count("0 is the snapshot itself", "index", null=False),
        "actions": of(TEXTS, "commands from the snapshot by which the node was first reached"),
        "digest": of(TEXT, "world state"),
        "steps_left": count("", "commands", null=False),
        "expanded": of(FLAG, "of the tree proper; else of its frontier, or met while sampling from it"),
        "weight": probability("of reaching it under the mixture of conditions"),
        "commands": of(TEXTS),
        "probabilities": of(
            REALS,
            "of each command; null: not asked, and at node 0 (ACTION_VALUES has those)",
            "probability",
            low=0.0,
            high=1.0,
        ),
        "outcomes": of(TEXTS, "of each command: win | loss | node; null: not tried"),
        "children": of(pl.List(pl.Int64), "the node each command leads to; null: none, or not tried", "index"),
    },
    key=("snapshot_id", "model", "purpose", "condition", "node"),
)

MEASURES = {
    "entropy": of(REAL, "of the student's distribution", "nats", low=0.0),
    "entropy_normalised": share("entropy over that of the uniform distribution"),
    "margin": probability("between the two likeliest commands"),
    "topk_spread": probability("p_1 - p_k, k = labels.topk"),
    "effective_actions": of(REAL, "exp(entropy)", "commands", low=1.0),
    "logp_chosen": of(REAL, "of the student's command, over its words", "nats a word"),
}

_LEVERAGE = {
    "L_local": difference(),
    "L_local_se": probability("standard error"),
    "L_upper": difference(),
    "L_upper_se": probability("standard error"),
    "gap": difference(),
    "profile": word(("A_bottleneck", "B_trajectory", "C_deadend", "mixed"), null=True),
}

_PATCH_TEST = {
    **{
        f"{kind}_{m}": difference("over base" if kind == "raw" else "over the placebo")
        for kind in ("raw", "net")
        for m in FORMATS
    },
    "placebo_gain": difference("p_placebo - p_base"),
    "ELP_net": difference(),
    "ELP_raw": difference(),
    "ELP_net_debiased": of(REAL, "", "probability"),
    "route": word(FORMATS, null=True),
    "route_tied": of(FLAG),
}

_DEPTH = {
    "d_expert": count("steps back to a state with p_expert >= 0.5; null: none on the trajectory", "decisions"),
    "d_force": count("", "decisions"),
    "d_expert_bin": of(TEXT, "0 1 2 3+"),
    "d_force_bin": of(TEXT),
}

LABELED = Table(
    "LABELED",
    "Every snapshot with its labels and quadrant.",
    {
        **SNAPSHOTS.columns,
        "expert_action": of(TEXT),
        "suggested_action": of(TEXT),
        "error_type": of(TEXT),
        "confidence": word(("low", "medium", "high"), null=True),
        "advice_valid": of(FLAG),
        "unwinnable": of(FLAG),
        **MEASURES,
        "U": of(REAL, "the configured measure", "of the measure"),
        **{f"p_{c}{s}": probability("standard error" if s else "of success") for c in QUANTITIES for s in ("", "_se")},
        **_LEVERAGE,
        **_PATCH_TEST,
        "quadrant": word(QUADRANTS, "null: of no labelled failure", null=True),
        **_DEPTH,
        "estimator": word(("monte_carlo", "tree"), null=True),
    },
    key=("snapshot_id",),
)

_WHOSE = {
    column: SNAPSHOTS.columns[column]
    for column in ("snapshot_id", "task_id", "family", "source", "kind", "episode_id", "step", "distance")
}


def _estimated(*quantities: str) -> dict[str, Column]:
    """Of each quantity its value, its standard error and what it rests on."""
    return {
        name: column
        for q in quantities
        for name, column in (
            (f"p_{q}", probability("of success")),
            (f"p_{q}_se", probability("standard error")),
            (f"p_{q}_n", count("episodes behind it (frontier episodes for the tree)", "observations")),
        )
    }


UNCERTAINTY = Table(
    "UNCERTAINTY",
    "How unsure the student was at every snapshot, without any rollout.",
    {**_WHOSE, **MEASURES, "U": of(REAL, "the configured measure", "of the measure")},
    key=("snapshot_id",),
)

LEVERAGE = Table(
    "LEVERAGE",
    "Leverage and recovery depth of every snapshot, without the patch test.",
    {
        **_WHOSE,
        **_estimated("policy", "force", "expert"),
        **_LEVERAGE,
        **_DEPTH,
        "estimator": word(("monte_carlo", "tree")),
    },
    key=("snapshot_id",),
)

PATCH_TEST = Table(
    "PATCH_TEST",
    "The patch test of every snapshot with valid advice, without leverage.",
    {**_WHOSE, **_estimated(*CONDITIONS), **_PATCH_TEST, "estimator": word(("monte_carlo", "tree"))},
    key=("snapshot_id",),
)

SKILLS = Table(
    "SKILLS",
    "Which skill the student's failures lack: that of the expert's command. One row a quadrant and skill.",
    {
        "quadrant": of(TEXT, "all | Q1..Q4 | Q4 - rest | Q1 and Q2 - rest (kinds: difference of the shares)"),
        "skill": of(TEXT, "open, go ...: the world names them; or a kind: a habit | a dithering | not planted"),
        "planted": word(("habit", "dither"), "null: not planted, or a kind", null=True),
        "known": share("of needs in which the student's demonstrator did the right thing; null as above"),
        "snapshots": count("0: of the quadrant none lacks it", "snapshots", null=False),
        "U": of(REAL, "mean over these snapshots, as the next three", "of the measure"),
        "L_local": difference(),
        "p_right": probability("the student's, of the expert's command"),
        "already_right": share("in which that is the student's likeliest"),
        **INTERVAL.columns,  # of the share of the quadrant's snapshots, or the difference; null in an empty quadrant
    },
    key=("quadrant", "skill"),
)

PANELS = Table(
    "PANELS",
    "Which snapshots and tasks serve what. A task is on one side only: `train` or `held_out`.",
    {
        "panel": name("train | failure | validation | drift | predictor_test ..."),
        "side": word(("train", "held_out")),
        "snapshot_id": of(TEXT, "null for a panel of tasks"),
        "task_id": name(),
        "quadrant": word(QUADRANTS, null=True),
        "order": count("", "index", null=False),
    },
    key=("panel", "snapshot_id", "task_id"),
)
