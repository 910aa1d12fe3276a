"""Judge every criterion of the protocol from stored numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.paper.criteria import criteria
from teachable.stages.paper_data import read_data

if TYPE_CHECKING:
    from teachable.stages.params import Criteria
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Criteria) -> None:
    entries = criteria(
        read_data(inputs),
        builtin_student=params.student_source == "builtin",
        per_quadrant=params.criteria.per_quadrant,
    )
    tables.write_json(entries, outputs["criteria"])
