"""Make one table of the paper: LaTeX for print and for the appendix, and CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.paper.inputs import WORDS
from teachable.paper.registry import TABLES
from teachable.paper.typeset import headings, make, save_table
from teachable.worlds import get_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

ABOUT = {
    "about": "make one table",
    "inputs": "*",
    "outputs": {"tex": (), "csv": (), "full": ()},
    "own": {"item": "str", "world_name": "str?", "expert": "str?"},
    "world": "words",
    "follows": "teachable.paper.tables.{item}",
}


def run(
    data: Mapping[str, Any], out: Mapping[str, Path], item: str, world_name: str | None, expert: str | None
) -> None:
    """``world_name``: of an item that reads the vocabulary of the world; ``expert``: whom the caption is to name."""
    read = data if world_name is None else {**data, WORDS: get_words(world_name)}
    save_table(
        make(item, read),
        headings(item),
        out,
        caption=TABLES[item].captioned(expert),
        label=f"tab:{item}",
        printed=TABLES[item].printed,
    )
