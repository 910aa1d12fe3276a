"""What figures, tables, criteria and the report read, by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from teachable import tables
from teachable.paper.inputs import INPUTS

if TYPE_CHECKING:
    from teachable.stages.runner import Inputs


def read_data(inputs: Inputs) -> dict[str, Any]:
    """Input name -> frame or JSON value, every table checked against its schema."""
    data: dict[str, Any] = {}
    for name, (path,) in inputs.items():
        schema = INPUTS[name].schema
        data[name] = tables.read_json(path) if schema is None else tables.read(path, getattr(tables, schema))
    return data
