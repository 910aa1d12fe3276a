"""Split the labelled games into a training and a held-out side, and draw the panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.labels.panels import PanelSettings, make_panels

if TYPE_CHECKING:
    from teachable.stages.params import MakePanels
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: MakePanels) -> None:
    labeled = tables.read(inputs["labeled"][0], tables.LABELED)
    retention = tables.read(inputs["retention"][0], tables.PANELS)
    settings = PanelSettings(**params.panels.model_dump(exclude={"retention"}))
    panels = make_panels(labeled, settings, run_seed=params.seed, held_out_tasks=set(retention["task_id"].to_list()))
    tables.write(panels, outputs["panels"], tables.PANELS)
