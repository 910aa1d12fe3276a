"""Tables of training, evaluation, predictor and selection."""

from __future__ import annotations

import polars as pl

from teachable.tables.play import DECISION
from teachable.tables.schema import (
    FLAG,
    INT,
    INTERVAL,
    METHOD_INTERVAL,
    REAL,
    REALS,
    TEXT,
    TEXTS,
    Table,
    count,
    difference,
    name,
    of,
    probability,
    share,
    word,
)
from teachable.terms import FORMATS, QUADRANTS

EXAMPLES = Table(
    "EXAMPLES",
    "What each run is trained on.",
    {
        "run": name("'replay': a decision of a won episode of the student's own"),
        "draw": count("the training seed that this example serves; null: all of them", "index"),
        "example_id": name(),
        "snapshot_id": of(TEXT, "null for a replayed decision"),
        "task_id": name(),
        "family": name("of the task; as many decisions of each are replayed"),
        "quadrant": of(TEXT),
        "format": of(TEXT, " | ".join(FORMATS)),
        "plain": of(FLAG, "a contrast or hint example without its patch"),
        "prompt": name("as rendered by the student's layout"),
        "completion": name("the teacher's action; replay: the student's own; C_random: any other"),
    },
)

CONTINUATIONS = Table(
    "CONTINUATIONS",
    "Every decision of the expert's continuations from snapshots of high L_upper.",
    {
        "snapshot_id": name("where it begins"),
        "task_id": name(),
        "step": count("from the start of the task, 0 is the first decision", "decisions", null=False),
        **DECISION,
        "action": name("the expert's command"),
        "success": of(FLAG, "of the whole continuation", null=False),
    },
    key=("snapshot_id", "step"),
)

BUDGET = Table(
    "BUDGET",
    "How much each run is trained on.",
    {
        "run": name(),
        "quadrant": of(TEXT),
        "format": of(TEXT),
        "examples": count("", "examples", null=False),
        "tokens": count("prompt and completion", "tokens", null=False),
        "completion_tokens": count("", "tokens", null=False),
        "target_examples": count("", "examples", null=False),
        "difference": of(INT, "", "examples"),
        "repeated": count(
            "of the examples, copies made by up-sampling; 0 unless it was asked for", "examples", null=False
        ),
        "plain": count("of the examples, those of contrast and hint without their patch", "examples", null=False),
        "epochs": count("passes over the examples", "passes", null=False),
        "replayed": count(
            "decisions of the student's own won episodes beside them, over all epochs", "decisions", null=False
        ),
        "steps": count("", "optimiser steps", null=False),
    },
    key=("run",),
)

LOSSES = Table(
    "LOSSES",
    "What every optimiser step of every training cost, before it.",
    {
        "run": name(),
        "train_seed": of(INT, "which training of the run", "index", null=False),
        "step": count("from 1", "optimiser steps", null=False),
        "loss": of(REAL, "mean over the step's completions; of a run on pairs that of its pairs", "nats a token"),
    },
    key=("run", "train_seed", "step"),
)

MICROTRAINING = Table(
    "MICROTRAINING",
    "One snapshot, one example, one or two steps: success before and after.",
    {
        "snapshot_id": name(),
        "task_id": name(),
        "quadrant": of(TEXT),
        "format": of(TEXT),
        "ELP_net": difference(),
        "L_local": difference(),
        "before": probability("P(success from the snapshot), base student"),
        "before_se": probability("standard error"),
        "after": probability("the same with the tuned student"),
        "after_se": probability("standard error"),
        "delta_snapshot": difference(),
        "similar_before": share("success on similar tasks"),
        "similar_after": share(),
        "similar_tasks": count("", "tasks"),
        "delta_similar": of(REAL, "", "share"),
        "delta_micro": of(REAL, "after - before over the snapshot and the similar tasks, as configured", "share"),
        "loss_first": of(REAL, "", "nats a token", low=0.0),
        "loss_last": of(REAL, "", "nats a token", low=0.0),
        "probe_shift": probability(
            "largest change of a command's probability at the snapshot; 0 would mean base was evaluated"
        ),
    },
    key=("snapshot_id",),
)

METRICS = Table(
    "METRICS",
    "Levels of every model on every panel.",
    {
        "model": name(),
        "panel": of(TEXT),
        "group": of(TEXT, "all, or a quadrant or family"),
        "metric": of(TEXT),
        **INTERVAL.columns,
    },
    key=("model", "panel", "group", "metric"),
)

CONTRASTS = Table(
    "CONTRASTS",
    "Differences between models, tested.",
    {
        "contrast": of(TEXT, "name"),
        "hypothesis": of(TEXT),
        "model": name(),
        "reference": of(TEXT),
        "panel": of(TEXT),
        "group": of(TEXT),
        "metric": of(TEXT),
        **INTERVAL.columns,
        "p_value": probability(),
        "p_holm": probability(),
        "mde": of(REAL, "minimum detectable effect at 80 % power", "of the metric"),
        "prespecified": of(FLAG),
    },
    key=("contrast", "panel", "group", "metric"),
)

TRANSFER = Table(
    "TRANSFER",
    "Gains of training on one quadrant from snapshots of another.",
    {
        "trained_on": of(TEXT),
        "format": of(TEXT, " | ".join((*FORMATS, "mean"))),
        "evaluated_on": of(TEXT),
        **INTERVAL.columns,
    },
    key=("trained_on", "format", "evaluated_on"),
)

MECHANISTIC = Table(
    "MECHANISTIC",
    "What training changed at held-out snapshots.",
    {
        "model": name(),
        "by": of(TEXT, "all | quadrant | elp_bin | route"),
        "group": of(TEXT),
        "metric": of(TEXT),
        **INTERVAL.columns,
    },
    key=("model", "by", "group", "metric"),
)

PROBES = Table(
    "PROBES",
    "What a model would do at each held-out snapshot, and its hidden state there.",
    {
        "model": name(),
        "train_seed": count(
            "which training of the run; of the base, the training whose random numbers it was given", "index"
        ),
        "snapshot_id": name(),
        "task_id": name(),
        "expert_action": of(TEXT, "null at a dead end"),
        "expert_probability": probability("of the expert's command; null where there is none"),
        "top_action": of(TEXT, "the model's most probable command"),
        "state": of(TEXT, "what state tracking should know: the room"),
        "goal": of(TEXT, "what goal tracking should know: the kind of command needed next; null at a dead end"),
        "hidden": of(pl.List(pl.Float32), "last hidden layer, mean over the prompt's tokens", "activation"),
    },
    key=("model", "train_seed", "snapshot_id"),
)

PREDICTIONS = Table(
    "PREDICTIONS",
    "Held-out predictions of every label, by every method.",
    {
        "snapshot_id": name(),
        "task_id": name(),
        "fold": count("", "index"),
        "method": of(TEXT, "predictor | tier1 | tier2 | random | entropy | L_local | UxL | oracle_features"),
        "target": of(TEXT, "ELP_net L_local L_upper U d_expert d_force route quadrant"),
        "score": of(REAL, "predicted value; for a class its probability", "of the target"),
        "label": of(TEXT, "predicted class; null for a number"),
        "truth": of(REAL, "", "of the target"),
        "truth_label": of(TEXT),
    },
    key=("snapshot_id", "method", "target"),
)

PREDICTOR_METRICS = Table(
    "PREDICTOR_METRICS",
    "How well each method predicts and ranks.",
    {
        "method": of(TEXT),
        "target": of(TEXT),
        "metric": of(TEXT, "ndcg precision spearman r2 mae macro_f1 accuracy ece ..."),
        "k": count("null where it does not apply", "snapshots"),
        "train_size": count("", "snapshots"),
        **METHOD_INTERVAL,
    },
)

RANKING = Table(
    "RANKING",
    "New failures by predicted teachability, without a rollout: what a kept predictor says of each, and how surely.",
    {
        "rank": of(INT, "1 is the most teachable", "index", low=1, null=False),
        "snapshot_id": name(),
        "task_id": name(),
        "ELP_net": of(REAL, "predicted; may lie beyond -1 and 1", "probability", null=False),
        "ELP_net_low": difference("lower end of its conformal interval"),
        "ELP_net_high": difference("upper end"),
        "level": probability("that the interval holds the label of a snapshot of a new game", null=False),
        "U": of(REAL, "predicted", "of the measure"),
        "L_local": of(REAL, "predicted", "probability"),
        "L_upper": of(REAL, "predicted", "probability"),
        "route": word(FORMATS, "predicted; null: none was learned", null=True),
        **{f"p_route_{m}": probability("calibrated chance of this route") for m in FORMATS},
        "quadrant": word(QUADRANTS, "by predicted U and L_local; null: none was learned", null=True),
        **{f"p_quadrant_{q}": probability("calibrated chance of this quadrant") for q in QUADRANTS},
        "outside": of(FLAG, "so far from the snapshots learned from as one in 20 of them, or fewer", null=False),
        "outside_p": probability("chance that a snapshot of a new game like those lies as far out", null=False),
        "distance": of(REAL, "Mahalanobis distance", "standard deviations", low=0.0, null=False),
        "unusual": name("the feature furthest from its training mean"),
        "tiers": name("of the predictor that said it: tier1 | tier1 tier2"),
    },
    key=("snapshot_id",),
)

SELECTION = Table(
    "SELECTION",
    "What each selection method takes at each budget.",
    {
        "run": name(),
        "draw": count("the training seed that a random choice serves; null: all of them", "index"),
        "method": of(TEXT),
        "snapshot_id": name(),
        "rank": count("", "index"),
        "score": of(REAL, "", "of the method"),
        "format": of(TEXT),
    },
    key=("run", "draw", "snapshot_id"),
)

GRADIENTS = Table(
    "GRADIENTS",
    "Slope of the student's loss on each training-side snapshot as a demonstration, at a fresh LoRA adapter.",
    {
        "snapshot_id": name(),
        "task_id": name(),
        "loss": of(REAL, "mean over the tokens of the teacher's command", "nats a token", low=0.0, null=False),
        "norm": of(REAL, "of the gradient before projection", "nats a token per unit of weight", low=0.0, null=False),
        "vector": of(
            pl.List(pl.Float32), "gradient by LoRA's B, projected", "nats a token per unit of weight", null=False
        ),
    },
    key=("snapshot_id",),
)

FEATURES = Table(
    "FEATURES",
    "Features of the predictor, one row a vector: one a snapshot of tier 1, of tier 2 the student's hidden states of "
    "each part of a snapshot; a `reference` is a state of an episode whose outcome is known.",
    {
        "item_id": name("snapshot_id, or the name of a reference state"),
        "task_id": name(),
        "part": word(("tier1", "state", "goal", "history", "reference")),
        "names": of(TEXTS, "of the vector's entries; null but for tier1"),
        "vector": of(REALS, "", "of the feature"),
        "success": probability("reference: 1 after a success, 0 after a failure, or P(success); else null"),
    },
)

CALIBRATION = Table(
    "CALIBRATION",
    "Predicted against measured, by bins of the prediction.",
    {
        "method": of(TEXT),
        "target": of(TEXT),
        "bin": count("", "index"),
        "bin_low": of(REAL, "edges of the bin, in units of the prediction", "of the target"),
        "bin_high": of(REAL, "", "of the target"),
        "predicted": of(REAL, "mean prediction in the bin", "of the target"),
        **METHOD_INTERVAL,  # of the mean outcome
    },
    key=("method", "target", "bin"),
)

CONFUSION = Table(
    "CONFUSION",
    "Predicted against true classes.",
    {
        "method": of(TEXT),
        "target": word(("route", "quadrant")),
        "truth_label": of(TEXT),
        "label": of(TEXT),
        "count": count("", "snapshots"),
        "share": share("of the rows with this truth"),
    },
    key=("method", "target", "truth_label", "label"),
)

IMPORTANCE = Table(
    "IMPORTANCE",
    "What a predictor loses when a group of features is shuffled.",
    {
        "method": of(TEXT),
        "target": of(TEXT),
        "metric": of(TEXT, "what drops when the group is shuffled"),
        "tier": of(TEXT),
        "group": of(TEXT, "features shuffled together"),
        "features": count("how many", "features"),
        **METHOD_INTERVAL,  # of the drop
    },
)

COST = Table(
    "COST",
    "What ranking the pool costs, per snapshot, before anything is trained on.",
    {
        "method": of(TEXT),
        "student_passes": of(REAL, "prompts scored or embedded", "prompts"),
        "rollouts": of(REAL, "episodes played", "episodes"),
        "teacher_calls": of(REAL, "", "requests"),
        "labelled_once": of(INT, "snapshots that must be labelled in full before the method works at all", "snapshots"),
        "k": of(INT, "", "snapshots"),
        **METHOD_INTERVAL,  # of NDCG@k
    },
)


DEMONSTRATIONS = Table(
    "DEMONSTRATIONS",
    "What the built-in student is cloned from: decisions of an expert, a noisy one and a demonstrator with gaps.",
    {
        "key": of(TEXT, "task, trajectory and step"),
        **DECISION,
        "expert_action": of(TEXT),
        "demonstrator_action": of(TEXT, "the expert's, but for the demonstrator's gaps"),
    },
    key=("key",),
)
