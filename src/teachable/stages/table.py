"""Make one table of the paper, as LaTeX and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.paper.registry import TABLES
from teachable.paper.render import headings, make, save_table
from teachable.stages.paper_data import read_data

if TYPE_CHECKING:
    from teachable.stages.params import PaperItem
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: PaperItem) -> None:
    item = TABLES[params.item]
    save_table(
        make(item.id, read_data(inputs)),
        headings(item.id),
        outputs["tex"],
        outputs["csv"],
        caption=item.caption,
        label=f"tab:{item.id}",
    )
