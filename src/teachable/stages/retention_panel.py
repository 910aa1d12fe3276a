"""Choose tasks that the base student wins, near-misses first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.rollouts.snapshots import retention_panel

if TYPE_CHECKING:
    from teachable.stages.params import RetentionPanel
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: RetentionPanel) -> None:
    panel = retention_panel(
        tables.read(inputs["steps"][0], tables.STEPS),
        tables.read(inputs["episodes"][0], tables.EPISODES),
        params.retention,
    )
    tables.write(panel, outputs["panel"], tables.PANELS)
