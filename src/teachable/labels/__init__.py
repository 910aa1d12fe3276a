"""Labels: pure functions over distributions, success probabilities and episode tables. No torch, no files."""

from __future__ import annotations

from teachable.labels.alone import leverage_alone, patch_test_alone, uncertainty_alone
from teachable.labels.depth import recovery_depth
from teachable.labels.label import label
from teachable.labels.leverage import with_leverage
from teachable.labels.measures import uncertainty
from teachable.labels.panels import make_panels, split_tasks
from teachable.labels.patch_test import excess_of_maximum, expected_excess, with_patch_test
from teachable.labels.quadrants import Cut, cut, quadrant

__all__ = [
    "Cut",
    "cut",
    "excess_of_maximum",
    "expected_excess",
    "label",
    "leverage_alone",
    "make_panels",
    "patch_test_alone",
    "quadrant",
    "recovery_depth",
    "split_tasks",
    "uncertainty",
    "uncertainty_alone",
    "with_leverage",
    "with_patch_test",
]
