"""Tables of drift: labels measured again at checkpoints, and the features of what a trained run fails at."""

from __future__ import annotations

from teachable.tables.schema import (
    INT,
    INTERVAL,
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
from teachable.terms import CONDITIONS

DRIFT = Table(
    "DRIFT",
    "Labels measured again at checkpoints of a training.",
    {
        "model": name(),
        "checkpoint": of(TEXT, "first | middle | last"),
        "snapshot_id": name(),
        "task_id": name(),
        "quadrant": of(TEXT),
        "elp_bin": of(TEXT),
        **{f"p_{c}": probability("of success") for c in CONDITIONS},
        "ELP_net": difference(),
        "route": of(TEXT),
    },
    key=("model", "checkpoint", "snapshot_id"),
)

FAILURE_FEATURES = Table(
    "FAILURE_FEATURES",
    "Features of the decisions at which the base student and a trained run fail, as in FEATURES.",
    {
        "model": name(),
        "snapshot_id": name(),
        "task_id": name(),
        "part": word(("tier1", "state", "goal", "history")),
        "names": of(TEXTS, "of the vector's entries; null but for tier1"),
        "vector": of(REALS, "", "of the feature"),
    },
    key=("model", "snapshot_id", "part"),
)

FEATURE_DRIFT = Table(
    "FEATURE_DRIFT",
    "How the features of a trained run's failures are distributed beside those of the base student's. The interval is "
    "that of the population stability index.",
    {
        "model": name(),
        "feature": name(),
        "tier": of(INT, "1: counts and measures; 2: made of hidden states", "index", null=False),
        "n_base": count("of the base student", "snapshots"),
        "n_model": count("of the run", "snapshots"),
        "mean_base": of(REAL, "", "of the feature"),
        "mean_model": of(REAL, "", "of the feature"),
        "distance": share("Kolmogorov-Smirnov statistic: largest difference of the two distribution functions"),
        "p_value": probability("of its test, snapshots taken as independent"),
        "q_value": probability("the same, adjusted for the run's features (Benjamini and Hochberg)"),
        "p_value_games": probability("of the test that swaps whole games; null with one game"),
        "q_value_games": probability("the same, adjusted"),
        "chance": of(REAL, "what the index exceeds by chance in one of twenty", "of the index"),
        **INTERVAL.columns,
    },
    key=("model", "feature"),
)
