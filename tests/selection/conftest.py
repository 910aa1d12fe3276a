"""The synthetic data and fits of the predictor's tests."""

from predictor.conftest import features, fitted, frame, settings  # noqa: F401
