"""Split the labelled games into a training and a held-out side, and draw the panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.labels.panels import make_panels

if TYPE_CHECKING:
    from teachable.stages.params import MakePanels
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: MakePanels) -> None:
    labeled = tables.read(inputs["labeled"][0], tables.LABELED)
    retention = tables.read(inputs["retention"][0], tables.PANELS)
    held_out = set(retention["task_id"].to_list())
    panels = make_panels(labeled, params.panels, run_seed=params.seed, held_out_tasks=held_out)
    tables.write(panels, outputs["panels"], tables.PANELS)
