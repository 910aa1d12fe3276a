"""Make one table of the paper, as LaTeX and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.paper.inputs import WORDS
from teachable.paper.registry import TABLES
from teachable.paper.typeset import headings, make, save_table
from teachable.stages.paper_data import read_data
from teachable.worlds import get_words

if TYPE_CHECKING:
    from teachable.stages.params import PaperItem
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: PaperItem) -> None:
    item = TABLES[params.item]
    data = read_data(inputs)
    if params.world_name is not None:
        data[WORDS] = get_words(params.world_name)
    save_table(
        make(item.id, data),
        headings(item.id),
        outputs["tex"],
        outputs["csv"],
        caption=item.caption,
        label=f"tab:{item.id}",
    )
