"""Tier 1 features, tier 2 projections, and that no label can reach either."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from predictor.synthetic import hidden_states, labeled
from teachable.predictor import (
    PredictorError,
    References,
    embedding_texts,
    feature_set,
    from_table,
    label_references,
    tier1_features,
    to_table,
)
from teachable.predictor.features import READS
from teachable.predictor.projection import Projection
from teachable.tables import FEATURES, LABELED, MEASURES, SNAPSHOTS, conform
from teachable.worlds.textworld.words import WORDS


def one(frame: pl.DataFrame, **changes) -> dict[str, float]:
    """The features of the first snapshot with some columns replaced."""
    row = frame.row(0, named=True) | changes
    return tier1_features(pl.DataFrame([row], schema=dict(LABELED)), WORDS).row(0, named=True)


def test_no_label_is_read(frame):
    forbidden = set(LABELED) - set(SNAPSHOTS) - set(MEASURES)
    assert not forbidden & set(READS)
    assert not {"distance", "kind", "source", "quadrant"} & set(READS)
    spoiled = frame.with_columns(*[pl.lit(None).alias(name) for name in frame.columns if name not in READS])
    assert tier1_features(spoiled, WORDS).equals(tier1_features(frame, WORDS))


def test_features_are_finite_and_named_by_group(frame):
    features = tier1_features(frame, WORDS)
    names = features.columns[2:]
    assert all("." in name for name in names)
    assert np.isfinite(features.select(names).to_numpy()).all()
    assert features["snapshot_id"].to_list() == frame["snapshot_id"].to_list()


def test_the_trail_counts_repeats_loops_and_time_without_progress(frame):
    turn = lambda command, text: {"command": command, "observation": text}  # noqa: E731
    history = [
        turn("go north", "Kitchen."),
        turn("take apple", "Your score has just gone up by one point."),
        turn("go south", "Hall."),
        turn("go north", "Kitchen."),
        turn("go north", "You can't go that way."),
    ]
    features = one(frame, history=history, step=5, student_action="go north")
    assert features["trail.repeats"] == 1
    assert features["trail.loops"] == 1
    assert features["trail.since_progress"] == 3
    assert features["trail.since_new"] == 0
    assert features["trail.refused_last"] == 1
    assert features["trail.repeats_now"] == 1
    assert features["trail.done_before"] == 3
    assert features["trail.back_and_forth"] == 0


def test_commands_are_counted_by_verb_and_weighed_by_probability(frame):
    features = one(
        frame,
        commands=["cook apple", "go north", "go south", "wave hand"],
        logp=np.log([0.1, 0.2, 0.3, 0.4]).tolist(),
        student_action="go south",
        goal="Cook the apple.",
    )
    assert features["commands.count"] == 4
    assert features["commands.count_go"] == 2
    assert features["commands.count_other"] == 1
    assert features["commands.mass_go"] == pytest.approx(0.5)
    assert features["commands.goal_mass"] == pytest.approx(0.1)
    assert features["commands.chose_go"] == 1
    assert features["uncertainty.rank_chosen"] == 1
    assert features["uncertainty.p_chosen"] == pytest.approx(0.3)


def test_missing_measures_are_named(frame):
    with pytest.raises(PredictorError, match="entropy"):
        tier1_features(frame.drop("entropy"), WORDS)
    with pytest.raises(PredictorError, match="not finite"):
        tier1_features(frame.with_columns(pl.lit(float("nan")).alias("entropy")), WORDS)


def test_embedding_texts_are_the_recent_turns(frame):
    texts = embedding_texts(frame, turns=1)
    assert set(texts) == {"state", "goal", "history"}
    assert texts["history"][0].count("> ") == 1
    assert all(texts["state"])


def test_a_feature_table_comes_back_as_it_went(frame, features):
    states = features.embeddings["state"]
    full = feature_set(frame, WORDS, hidden_states(frame), label_references(frame, states))
    table = to_table(full)
    assert conform(table, FEATURES).equals(table)
    back = from_table(table.sample(fraction=1.0, shuffle=True, seed=1))
    assert back.names == full.names
    assert np.array_equal(back.table, full.sorted().table)
    assert np.array_equal(back.embeddings["state"], full.sorted().embeddings["state"])
    assert back.references is not None
    assert len(back.references.vectors) == len(frame)


def test_a_torn_feature_table_is_refused(features):
    table = to_table(features)
    with pytest.raises(PredictorError, match="state"):
        from_table(table.filter((pl.col("part") != "state") | (pl.col("item_id") != "s000-0")))
    with pytest.raises(PredictorError, match="tier 1"):
        from_table(table.filter(pl.col("part") != "tier1"))


def test_prototypes_never_hold_the_own_game():
    frame = labeled(games=6, each=3)
    states = hidden_states(frame)["state"]
    features = feature_set(frame, WORDS, {"state": states}, label_references(frame, states))
    projection = Projection.fit(features, 3, seed=0)
    column = projection.names.index("prototype.success")
    before = projection.transform(features)[:, column]
    # Another outcome of one's own game must not change one's own prototype, but may change that of others.
    own = features.task_id == "game-002"
    success = np.where(features.references.task_id == "game-002", 0.0, features.references.success)
    changed = feature_set(
        frame,
        WORDS,
        {"state": states},
        References(features.references.vectors, features.references.task_id, success),
    )
    after = Projection.fit(changed, 3, seed=0).transform(changed)[:, column]
    assert np.allclose(before[own], after[own])
    assert not np.allclose(before[~own], after[~own])


def test_prototypes_are_made_from_training_games_only():
    frame = labeled(games=8, each=3)
    states = hidden_states(frame)["state"]
    features = feature_set(frame, WORDS, {"state": states}, label_references(frame, states))
    train = features.take(np.isin(features.task_id, [f"game-00{i}" for i in range(4)]))
    projection = Projection.fit(train, 3, seed=0)
    assert set(projection.references.task_id) == set(train.task_id)
    assert np.allclose(projection.means["state"], train.embeddings["state"].mean(axis=0))


def test_similarities_are_taken_after_centring(features):
    projection = Projection.fit(features, 3, seed=0)
    similarity = projection.transform(features)[:, projection.names.index("similarity.state_goal")]
    assert similarity.std() > 0.2  # without centring, the shared part makes all of them about one


def test_bad_embeddings_are_refused(frame):
    with pytest.raises(PredictorError, match="unknown parts"):
        feature_set(frame, WORDS, {"sky": np.zeros((len(frame), 2))})
    with pytest.raises(PredictorError, match="expected"):
        feature_set(frame, WORDS, {"state": np.zeros((3, 2))})
    with pytest.raises(PredictorError, match="twice"):
        feature_set(pl.concat([frame, frame]), WORDS)
