"""Tables of games, episodes, snapshots and their labels."""

from __future__ import annotations

import polars as pl

from teachable.tables.schema import FLAG, HISTORY, INT, INTERVAL, REAL, REALS, TEXT, TEXTS, Table, of
from teachable.terms import CONDITIONS, FORMATS, QUANTITIES

TASKS = Table(
    "TASKS",
    "Every game, in exactly one split.",
    {
        "task_id": of(TEXT),
        "world": of(TEXT),
        "family": of(TEXT),
        "split": of(TEXT, "warmstart | train | test"),
        "seed": of(INT, "", "seed"),
        "game": of(TEXT, "path of the game file, relative to the games directory"),
        "digest": of(TEXT, "of the canonicalised game"),
        "expert_steps": of(INT, "length of the expert's winning play", "commands"),
    },
)

EPISODES = Table(
    "EPISODES",
    "Every episode of every stage: rollouts, label episodes, evaluation.",
    {
        "episode_id": of(TEXT),
        "task_id": of(TEXT),
        "family": of(TEXT),
        "split": of(TEXT),
        "model": of(TEXT, "base, or the name of a run"),
        "train_seed": of(INT, "which training of the run; null for the base", "index"),
        "behaviour": of(TEXT, "student | expert (who chose the commands)"),
        "panel": of(TEXT, "rollout | test | retention | failure | drift | similar | label | before | after ..."),
        "snapshot_id": of(TEXT, "where it started; null: at the start of the task"),
        "condition": of(TEXT, " | ".join(("none", *CONDITIONS, "policy", "force", "expert", "frontier"))),
        "repeat": of(INT, "", "index"),
        "greedy": of(FLAG),
        "seed": of(INT, "null, as are lost and the last four, for an episode from a tree's frontier", "seed"),
        "steps": of(INT, "commands played in this episode (those before a snapshot not counted)", "commands"),
        "actions": of(TEXTS, "the commands played"),
        "success": of(FLAG, "null on a fault"),
        "lost": of(FLAG, "the game ended without success"),
        "fault": of(TEXT, "null, or the engine's trouble; such an episode is no failure and is never mined"),
        "repeats": of(INT, "commands equal to the one before", "commands"),
        "loops": of(INT, "returns to a state met before in this episode", "states"),
        "wasted": of(INT, "commands that left the world state unchanged", "commands"),
        "escape": of(
            INT, "steps from the first to the end of the longest run without a new state; 0: never stuck", "commands"
        ),
    },
)

# What the student may know at a decision: the columns of teachable.student.prompt.Context.
DECISION = {
    "goal": of(TEXT),
    "memo": of(TEXT),
    "scene": of(TEXT),
    "observation": of(TEXT),
    "history": of(HISTORY, "oldest first"),
    "commands": of(TEXTS, "admissible commands, sorted"),
}

STEPS = Table(
    "STEPS",
    "Every decision of the phase 0 rollouts.",
    {
        "episode_id": of(TEXT),
        "task_id": of(TEXT),
        "step": of(INT, "0 is the first decision", "decisions"),
        **{name: column for name, column in DECISION.items() if name != "history"},
        "logp": of(REALS, "log-probability of each", "nats"),
        "action": of(TEXT),
        "digest": of(TEXT, "world state before the action"),
        "score": of(REAL, "", "points"),
        "unwinnable": of(FLAG, "at this decision, before the action"),
    },
)

EPISODE_VALUES = Table(
    "EPISODE_VALUES",
    "Chances of success along the failed episodes (snapshots.mode: fall).",
    {
        "episode_id": of(TEXT),
        "step": of(INT, "", "decisions"),
        "value": of(REAL, "probability that the student succeeds from this decision on", "probability"),
        "se": of(REAL, "", "probability"),
    },
)

SNAPSHOTS = Table(
    "SNAPSHOTS",
    "Restorable decisions of failed episodes.",
    {
        "snapshot_id": of(TEXT),
        "task_id": of(TEXT),
        "family": of(TEXT),
        "source": of(TEXT, "student | expert"),
        "kind": of(TEXT, "failure | interval"),
        "episode_id": of(TEXT),
        "step": of(INT, "index of the decision, 0 is the first", "decisions"),
        "distance": of(INT, "decisions back from the deciding decision, 1 is itself", "decisions"),
        "prefix": of(TEXTS, "commands that lead from the start to here"),
        "digest": of(TEXT),
        **DECISION,
        "logp": of(REALS, "", "nats"),
        "student_action": of(TEXT, "what the student did here in the failed episode"),
    },
)

ADVICE = Table(
    "ADVICE",
    "What the teacher says at each snapshot.",
    {
        "snapshot_id": of(TEXT),
        "suggested_action": of(TEXT, "null when not valid"),
        "rationale": of(TEXT),
        "diagnosis": of(TEXT),
        "why_bad": of(TEXT),
        "error_type": of(TEXT, "affordance_miss | attribute_confusion | planning_error | exploration_failure"),
        "confidence": of(TEXT, "low | medium | high"),
        "valid": of(FLAG),
        "reason": of(TEXT, "why not valid"),
        "teacher": of(TEXT, "oracle | openai"),
        "model": of(TEXT),
        "attempts": of(INT, "", "requests"),
        "prompt_tokens": of(INT, "", "tokens"),
        "completion_tokens": of(INT, "", "tokens"),
        "cost_usd": of(REAL, "", "USD"),
        "expert_action": of(TEXT, "the expert's command here; null at a dead end, or where there is no expert"),
        "unwinnable": of(FLAG, "a dead end"),
    },
)

ESTIMATES = Table(
    "ESTIMATES",
    "Chances of success from each snapshot, by who plays and what the context holds.",
    {
        "snapshot_id": of(TEXT),
        "quantity": of(TEXT, " ".join(f"p_{c}" for c in QUANTITIES)),
        "value": of(REAL, "probability of success", "probability"),
        "se": of(REAL, "standard error", "probability"),
        "n": of(INT, "episodes behind it (frontier episodes for the tree)", "observations"),
        "estimator": of(TEXT, "monte_carlo | tree"),
        "gap": of(REAL, "tree: certified upper minus lower bound; null for monte_carlo", "probability"),
        "net_se": of(
            REAL,
            "of the difference to placebo (demo, contrast, hint) or to p_policy (force, expert); else null",
            "probability",
        ),
    },
)

ACTION_VALUES = Table(
    "ACTION_VALUES",
    "What each command at a snapshot is worth, and how likely each condition makes it.",
    {
        "snapshot_id": of(TEXT),
        "command": of(TEXT),
        "value": of(REAL, "P(success | this command now, then the student)", "probability"),
        "se": of(REAL, "", "probability"),
        "lower": of(REAL, "certified bounds from the expanded tree", "probability"),
        "upper": of(REAL, "", "probability"),
        "pi_base": of(REAL, "probability of this command under each condition's prompt", "probability"),
        "pi_placebo": of(REAL, "", "probability"),
        "pi_demo": of(REAL, "", "probability"),
        "pi_contrast": of(REAL, "", "probability"),
        "pi_hint": of(REAL, "", "probability"),
    },
)

TREE_NODES = Table(
    "TREE_NODES",
    "Every node of the rollout trees behind the labels.",
    {
        "snapshot_id": of(TEXT),
        "model": of(TEXT, "base, or whose adapter played"),
        "purpose": of(TEXT, "label | before | after | drift"),
        "condition": of(TEXT, "whose tree: shared (all conditions), or one where patches stay for the episode"),
        "node": of(INT, "0 is the snapshot itself", "index"),
        "actions": of(TEXTS, "commands from the snapshot by which the node was first reached"),
        "digest": of(TEXT, "world state"),
        "steps_left": of(INT, "", "commands"),
        "expanded": of(FLAG, "of the tree proper; else of its frontier, or met while sampling from it"),
        "weight": of(REAL, "probability of reaching it under the mixture of conditions", "probability"),
        "commands": of(TEXTS),
        "probabilities": of(
            REALS, "of each command; null: not asked, and at node 0 (ACTION_VALUES has those)", "probability"
        ),
        "outcomes": of(TEXTS, "of each command: win | loss | node; null: not tried"),
        "children": of(pl.List(pl.Int64), "the node each command leads to; null: none, or not tried", "index"),
    },
)

MEASURES = {
    "entropy": of(REAL, "of the student's distribution", "nats"),
    "entropy_normalised": of(REAL, "entropy over that of the uniform distribution", "share"),
    "margin": of(REAL, "between the two likeliest commands", "probability"),
    "topk_spread": of(REAL, "p_1 - p_k, k = labels.topk", "probability"),
    "effective_actions": of(REAL, "exp(entropy)", "commands"),
    "logp_chosen": of(REAL, "of the student's command, over its words", "nats a word"),
}

LABELED = Table(
    "LABELED",
    "Every snapshot with its labels and quadrant.",
    {
        **SNAPSHOTS.columns,
        "expert_action": of(TEXT),
        "suggested_action": of(TEXT),
        "error_type": of(TEXT),
        "confidence": of(TEXT),
        "advice_valid": of(FLAG),
        "unwinnable": of(FLAG),
        **MEASURES,
        "U": of(REAL, "the configured measure", "of the measure"),
        **{
            f"p_{c}{s}": of(REAL, "standard error" if s else "of success", "probability")
            for c in QUANTITIES
            for s in ("", "_se")
        },
        "L_local": of(REAL, "", "probability"),
        "L_local_se": of(REAL, "", "probability"),
        "L_upper": of(REAL, "", "probability"),
        "L_upper_se": of(REAL, "", "probability"),
        "gap": of(REAL, "", "probability"),
        "profile": of(TEXT, "A_bottleneck | B_trajectory | C_deadend | mixed"),
        **{
            f"{kind}_{m}": of(REAL, "over base" if kind == "raw" else "over the placebo", "probability")
            for kind in ("raw", "net")
            for m in FORMATS
        },
        "placebo_gain": of(REAL, "p_placebo - p_base", "probability"),
        "ELP_net": of(REAL, "", "probability"),
        "ELP_raw": of(REAL, "", "probability"),
        "ELP_net_debiased": of(REAL, "", "probability"),
        "route": of(TEXT, " | ".join(FORMATS)),
        "route_tied": of(FLAG),
        "quadrant": of(TEXT, "Q1..Q4"),
        "d_expert": of(INT, "steps back to a state with p_expert >= 0.5; null: none on the trajectory", "decisions"),
        "d_force": of(INT, "", "decisions"),
        "d_expert_bin": of(TEXT, "0 1 2 3+"),
        "d_force_bin": of(TEXT),
        "estimator": of(TEXT),
    },
)

SKILLS = Table(
    "SKILLS",
    "Which skill the student's failures lack: that of the expert's command. One row a quadrant and skill.",
    {
        "quadrant": of(TEXT, "all | Q1..Q4 | Q4 - rest | Q1 and Q2 - rest (kinds: difference of the shares)"),
        "skill": of(TEXT, "open, go ...: the world names them; or a kind: a habit | a dithering | not planted"),
        "planted": of(TEXT, "habit | dither; null: not planted, or a kind"),
        "known": of(
            REAL, "share of needs in which the student's demonstrator did the right thing; null as above", "share"
        ),
        "snapshots": of(INT, "0: of the quadrant none lacks it", "snapshots"),
        "U": of(REAL, "mean over these snapshots, as the next three", "of the measure"),
        "L_local": of(REAL, "", "probability"),
        "p_right": of(REAL, "the student's probability of the expert's command", "probability"),
        "already_right": of(REAL, "share in which that is the student's likeliest", "share"),
        **INTERVAL.columns,  # of the share of the quadrant's snapshots, or the difference; null in an empty quadrant
    },
)

PANELS = Table(
    "PANELS",
    "Which snapshots and tasks serve what. A task is on one side only: `train` or `held_out`.",
    {
        "panel": of(TEXT, "train | failure | validation | drift | predictor_test ..."),
        "side": of(TEXT, "train | held_out"),
        "snapshot_id": of(TEXT, "null for a panel of tasks"),
        "task_id": of(TEXT),
        "quadrant": of(TEXT),
        "order": of(INT, "", "index"),
    },
)
