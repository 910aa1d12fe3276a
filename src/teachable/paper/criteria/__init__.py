"""Every criterion of the protocol and of a healthy run: estimate, interval, threshold, verdict and advice.

Only stored numbers are judged. What cannot be measured with the inputs at hand gets ``passed: None`` and the
reason as its advice; nothing here raises for a missing input.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import polars as pl

from teachable.paper.criteria.health import health
from teachable.paper.criteria.judge import Judge, explain
from teachable.paper.criteria.patch_test import patch_test
from teachable.paper.criteria.predictor import predictor
from teachable.paper.criteria.selection import selection
from teachable.paper.criteria.training import training
from teachable.paper.inputs import Data

__all__ = ["criteria", "explain", "shown", "verdicts"]


def criteria(data: Data, *, builtin_student: bool = True, per_quadrant: int = 30) -> list[dict[str, Any]]:
    """One entry a criterion, in the order of the protocol.

    Each has ``id``, ``hypothesis`` (``health`` or H1..H7), ``name``, ``value``, ``low``, ``high`` (null where
    there is none), ``mde`` (the smallest true effect that would have been seen with 80 % power, in the units of
    ``value``), ``n``, ``games``, ``threshold`` (text), ``passed`` (true, false, or null when it could not
    be measured) and ``advice``: what to do about a fail, or why it could not be measured; empty when it
    passed. ``builtin_student`` adds the band of success that the project's own small student must reach;
    ``per_quadrant`` is how many snapshots each quadrant needs.
    """
    return _judged(data, builtin_student, per_quadrant).entries


def shown(name: str) -> str | None:
    """The figure or table that shows the criterion called ``name``, as its anchor in the report; None of an unknown
    one. A criterion for one size of a selection, ``..._k8``, is shown where that of the smallest is."""
    places = _shown()
    return places.get(name) or places.get(re.sub(r"_k\d+$", "", name))


def verdicts(entries: list[dict[str, Any]]) -> dict[str, int]:
    """How many criteria passed, failed and could not be measured."""
    marks = pl.Series([entry["passed"] for entry in entries], dtype=pl.Boolean)
    return {
        "passed": int(marks.sum() or 0),
        "failed": int((~marks).sum() or 0),
        "not_measurable": marks.null_count(),
    }


def _judged(data: Data, builtin_student: bool, per_quadrant: int) -> Judge:
    judge = Judge(data)
    health(judge, builtin_student, per_quadrant)
    patch_test(judge)
    training(judge)
    predictor(judge)
    selection(judge)
    return judge


@cache
def _shown() -> dict[str, str]:
    return _judged({}, True, 0).shown
