"""Synthetic data and fits that several tests read."""

from __future__ import annotations

import pytest
from student.conftest import student_directory, tiny_settings  # noqa: F401

from predictor.synthetic import hidden_states, labeled
from teachable.predictor import Settings, cross_fit, feature_set
from teachable.worlds.textworld.words import WORDS


@pytest.fixture(scope="session")
def settings():
    return Settings(
        families=("ridge", "extra_trees"),
        folds=4,
        inner_folds=2,
        trees=40,
        components=6,
        penalties=(10.0, 300.0),
    )


@pytest.fixture(scope="session")
def frame():
    return labeled()


@pytest.fixture(scope="session")
def features(frame):
    return feature_set(frame, WORDS, hidden_states(frame))


@pytest.fixture(scope="session")
def fitted(frame, features, settings):
    return cross_fit(features, frame, settings, seed=3)
