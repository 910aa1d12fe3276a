"""Judge every criterion of the protocol from stored numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.paper.criteria import criteria as judge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from teachable.config import model as c

ABOUT = {
    "about": "judge every criterion of the protocol",
    "inputs": "*",
    "outputs": {"criteria": ("criteria.json", "CRITERIA", "a list: every criterion, its numbers and its verdict")},
    "params": "criteria student_source=student.source",
}


def run(data: Mapping[str, Any], criteria: c.Criteria, student_source: str) -> list[dict[str, Any]]:
    return judge(data, builtin_student=student_source == "builtin", per_quadrant=criteria.per_quadrant)
