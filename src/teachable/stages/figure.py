"""Draw one figure of the paper, as PDF and PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.paper.render import draw, save_figure
from teachable.stages.paper_data import read_data

if TYPE_CHECKING:
    from teachable.stages.params import PaperItem
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: PaperItem) -> None:
    save_figure(draw(params.item, read_data(inputs)), outputs["pdf"], outputs["png"])
