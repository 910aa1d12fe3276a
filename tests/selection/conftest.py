"""The synthetic data and fits of the predictor's tests, and the tiny student of the student's."""

from predictor.conftest import features, fitted, frame, settings  # noqa: F401
from student.conftest import student, student_directory, tiny_settings  # noqa: F401
