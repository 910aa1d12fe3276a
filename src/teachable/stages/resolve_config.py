"""Write the resolved configuration, so that a result can always say what it was made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables

if TYPE_CHECKING:
    from teachable.stages.params import ResolveConfig
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: ResolveConfig) -> None:
    tables.write_json(params.config, outputs["config"])
