"""Tables of training, evaluation, predictor and selection."""

from __future__ import annotations

import polars as pl

from teachable.tables.play import DECISION
from teachable.tables.schema import FLAG, INT, INTERVAL, METHOD_INTERVAL, REAL, REALS, TEXT, TEXTS, Table, of
from teachable.terms import CONDITIONS, FORMATS

EXAMPLES = Table(
    "EXAMPLES",
    "What each run is trained on.",
    {
        "run": of(TEXT, "'replay': a decision of a won episode of the student's own"),
        "draw": of(INT, "the training seed that this example serves; null: all of them", "index"),
        "example_id": of(TEXT),
        "snapshot_id": of(TEXT, "null for a replayed decision"),
        "task_id": of(TEXT),
        "family": of(TEXT, "of the task; as many decisions of each are replayed"),
        "quadrant": of(TEXT),
        "format": of(TEXT, " | ".join(FORMATS)),
        "plain": of(FLAG, "a contrast or hint example without its patch"),
        "prompt": of(TEXT, "as rendered by the student's layout"),
        "completion": of(TEXT, "the teacher's action; replay: the student's own; C_random: any other"),
    },
)

BUDGET = Table(
    "BUDGET",
    "How much each run is trained on.",
    {
        "run": of(TEXT),
        "quadrant": of(TEXT),
        "format": of(TEXT),
        "examples": of(INT, "", "examples"),
        "tokens": of(INT, "prompt and completion", "tokens"),
        "completion_tokens": of(INT, "", "tokens"),
        "target_examples": of(INT, "", "examples"),
        "difference": of(INT, "", "examples"),
        "repeated": of(INT, "of the examples, copies made by up-sampling; 0 unless it was asked for", "examples"),
        "plain": of(INT, "of the examples, those of contrast and hint without their patch", "examples"),
        "epochs": of(INT, "passes over the examples", "passes"),
        "replayed": of(INT, "decisions of the student's own won episodes beside them, over all epochs", "decisions"),
        "steps": of(INT, "", "optimiser steps"),
    },
)

MICROTRAINING = Table(
    "MICROTRAINING",
    "One snapshot, one example, one or two steps: success before and after.",
    {
        "snapshot_id": of(TEXT),
        "task_id": of(TEXT),
        "quadrant": of(TEXT),
        "format": of(TEXT),
        "ELP_net": of(REAL, "", "probability"),
        "L_local": of(REAL, "", "probability"),
        "before": of(REAL, "P(success from the snapshot), base student", "probability"),
        "before_se": of(REAL, "", "probability"),
        "after": of(REAL, "the same with the tuned student", "probability"),
        "after_se": of(REAL, "", "probability"),
        "delta_snapshot": of(REAL, "", "probability"),
        "similar_before": of(REAL, "success on similar tasks", "share"),
        "similar_after": of(REAL, "", "share"),
        "similar_tasks": of(INT, "", "tasks"),
        "delta_similar": of(REAL, "", "share"),
        "delta_micro": of(REAL, "after - before over the snapshot and the similar tasks, as configured", "share"),
        "loss_first": of(REAL, "", "nats a token"),
        "loss_last": of(REAL, "", "nats a token"),
        "probe_shift": of(
            REAL,
            "largest change of a command's probability at the snapshot; 0 would mean base was evaluated",
            "probability",
        ),
        "seconds": of(REAL, "", "seconds"),
    },
)

METRICS = Table(
    "METRICS",
    "Levels of every model on every panel.",
    {
        "model": of(TEXT),
        "panel": of(TEXT),
        "group": of(TEXT, "all, or a quadrant or family"),
        "metric": of(TEXT),
        **INTERVAL.columns,
    },
)

CONTRASTS = Table(
    "CONTRASTS",
    "Differences between models, tested.",
    {
        "contrast": of(TEXT, "name"),
        "hypothesis": of(TEXT),
        "model": of(TEXT),
        "reference": of(TEXT),
        "panel": of(TEXT),
        "group": of(TEXT),
        "metric": of(TEXT),
        **INTERVAL.columns,
        "p_value": of(REAL, "", "probability"),
        "p_holm": of(REAL, "", "probability"),
        "mde": of(REAL, "minimum detectable effect at 80 % power", "of the metric"),
        "prespecified": of(FLAG),
    },
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
)

MECHANISTIC = Table(
    "MECHANISTIC",
    "What training changed at held-out snapshots.",
    {
        "model": of(TEXT),
        "by": of(TEXT, "all | quadrant | elp_bin | route"),
        "group": of(TEXT),
        "metric": of(TEXT),
        **INTERVAL.columns,
    },
)

PROBES = Table(
    "PROBES",
    "What a model would do at each held-out snapshot, and its hidden state there.",
    {
        "model": of(TEXT),
        "train_seed": of(INT, "which training of the run; null for the base", "index"),
        "snapshot_id": of(TEXT),
        "task_id": of(TEXT),
        "expert_action": of(TEXT, "null at a dead end"),
        "expert_probability": of(REAL, "of the expert's command; null where there is none", "probability"),
        "top_action": of(TEXT, "the model's most probable command"),
        "state": of(TEXT, "what state tracking should know: the room"),
        "goal": of(TEXT, "what goal tracking should know: the kind of command needed next; null at a dead end"),
        "hidden": of(pl.List(pl.Float32), "last hidden layer, mean over the prompt's tokens", "activation"),
    },
)

DRIFT = Table(
    "DRIFT",
    "Labels measured again at checkpoints of a training.",
    {
        "model": of(TEXT),
        "checkpoint": of(TEXT, "first | middle | last"),
        "snapshot_id": of(TEXT),
        "task_id": of(TEXT),
        "quadrant": of(TEXT),
        "elp_bin": of(TEXT),
        **{f"p_{c}": of(REAL, "of success", "probability") for c in CONDITIONS},
        "ELP_net": of(REAL, "", "probability"),
        "route": of(TEXT),
    },
)

PREDICTIONS = Table(
    "PREDICTIONS",
    "Held-out predictions of every label, by every method.",
    {
        "snapshot_id": of(TEXT),
        "task_id": of(TEXT),
        "fold": of(INT, "", "index"),
        "method": of(TEXT, "predictor | tier1 | tier2 | random | entropy | L_local | UxL | oracle_features"),
        "target": of(TEXT, "ELP_net L_local L_upper U d_expert d_force route quadrant"),
        "score": of(REAL, "predicted value; for a class its probability", "of the target"),
        "label": of(TEXT, "predicted class; null for a number"),
        "truth": of(REAL, "", "of the target"),
        "truth_label": of(TEXT),
    },
)

PREDICTOR_METRICS = Table(
    "PREDICTOR_METRICS",
    "How well each method predicts and ranks.",
    {
        "method": of(TEXT),
        "target": of(TEXT),
        "metric": of(TEXT, "ndcg precision spearman r2 mae macro_f1 accuracy ece ..."),
        "k": of(INT, "null where it does not apply", "snapshots"),
        "train_size": of(INT, "", "snapshots"),
        **METHOD_INTERVAL,
    },
)

SELECTION = Table(
    "SELECTION",
    "What each selection method takes at each budget.",
    {
        "run": of(TEXT),
        "draw": of(INT, "the training seed that a random choice serves; null: all of them", "index"),
        "method": of(TEXT),
        "snapshot_id": of(TEXT),
        "rank": of(INT, "", "index"),
        "score": of(REAL, "", "of the method"),
        "format": of(TEXT),
    },
)

FEATURES = Table(
    "FEATURES",
    "Features of the predictor, one row a vector: one a snapshot of tier 1, of tier 2 the student's hidden states of "
    "each part of a snapshot; a `reference` is a state of an episode whose outcome is known.",
    {
        "item_id": of(TEXT, "snapshot_id, or the name of a reference state"),
        "task_id": of(TEXT),
        "part": of(TEXT, "tier1 | state | goal | history | reference"),
        "names": of(TEXTS, "of the vector's entries; null but for tier1"),
        "vector": of(REALS, "", "of the feature"),
        "success": of(REAL, "reference: 1 after a success, 0 after a failure, or P(success); else null", "probability"),
    },
)

CALIBRATION = Table(
    "CALIBRATION",
    "Predicted against measured, by bins of the prediction.",
    {
        "method": of(TEXT),
        "target": of(TEXT),
        "bin": of(INT, "", "index"),
        "bin_low": of(REAL, "edges of the bin, in units of the prediction", "of the target"),
        "bin_high": of(REAL, "", "of the target"),
        "predicted": of(REAL, "mean prediction in the bin", "of the target"),
        **METHOD_INTERVAL,  # of the mean outcome
    },
)

CONFUSION = Table(
    "CONFUSION",
    "Predicted against true classes.",
    {
        "method": of(TEXT),
        "target": of(TEXT, "route | quadrant"),
        "truth_label": of(TEXT),
        "label": of(TEXT),
        "count": of(INT, "", "snapshots"),
        "share": of(REAL, "of the rows with this truth", "share"),
    },
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
        "features": of(INT, "how many", "features"),
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
        "seconds": of(REAL, "measured; null where not", "seconds"),
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
)
