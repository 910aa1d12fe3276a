"""The figures and tables there are: what each shows, what it reads, and what its files are called.

An item is one module, ``teachable.paper.figures.<id>`` or ``teachable.paper.tables.<id>``, and nothing else: the module
declares itself in a literal ``ABOUT``, which is read here without running it, so that a plan needs no matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from teachable.artifacts.declared import modules
from teachable.errors import TeachableError
from teachable.terms import ORACLE

WHISKERS = "Whiskers are the stored 95 % intervals, clustered by game."
Kind = TypeVar("Kind", bound="Item")
ORDER = (*(f"H{i}" for i in range(1, 8)), "appendix", "summary")
PRINTED = ("wide", "columns", "rows", "note")


@dataclass(frozen=True, slots=True)
class Item:
    """One figure or table, as its module's ``ABOUT`` has it.

    ``inputs`` are names of results (:data:`teachable.artifacts.catalogue.ARTIFACTS`); ``minimum``: of the minimum
    paper; ``whiskers``: the caption ends in :data:`WHISKERS`; ``words``: it reads the vocabulary of the world,
    ``data["words"]``. Every item names an expert that is not the game's solver: the forced command is the expert's, and
    so are L_local, the quadrants and all that is chosen, trained or predicted by them.
    """

    id: str
    hypothesis: str  # H1..H7, appendix, summary
    title: str
    caption: str
    inputs: tuple[str, ...]
    minimum: bool = False
    whiskers: bool = False
    words: bool = False

    def __post_init__(self) -> None:
        if self.hypothesis not in ORDER:
            raise TeachableError(f"{self.id}: the hypothesis {self.hypothesis!r} is none of {', '.join(ORDER)}.")

    @property
    def number(self) -> str:
        """As the paper numbers it: ``H1.1``, ``A3``, ``Summary``."""
        return self.id.replace("_", ".").upper() if self.id[1].isdigit() else self.id.capitalize()

    def captioned(self, expert: str | None) -> str:
        """The caption, with the name of an ``expert`` that is not the game's solver."""
        named = self.named(expert)
        return f"{self.caption} The expert here is {named}, not the game's solver." if named else self.caption

    def named(self, expert: str | None) -> str | None:
        """The expert that the item must name; None: it is the game's solver."""
        return expert if expert != ORACLE else None


@dataclass(frozen=True, slots=True)
class Figure(Item):
    """``draw(data) -> matplotlib.figure.Figure`` in :attr:`module`."""

    @property
    def module(self) -> str:
        return f"teachable.paper.figures.{self.id}"

    @property
    def files(self) -> tuple[str, str]:
        """Paths relative to the root of a run: vector and raster."""
        return f"figures/fig_{self.id}.pdf", f"figures/fig_{self.id}.png"


@dataclass(frozen=True, slots=True)
class Table(Item):
    """``make(data) -> polars.DataFrame`` and ``HEADINGS`` in :attr:`module`.

    ``printed`` says what the paper shows of it, where that is not all in one column of the page: ``wide`` (both
    columns), ``columns`` (of HEADINGS; ``net_*`` is all that begin so), ``rows`` (by column, the values that are shown)
    and ``note``, the sentence of the caption that says which rows these are. The appendix shows every heading and row.
    """

    printed: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        Item.__post_init__(self)
        unknown = sorted(set(self.printed) - set(PRINTED))
        if unknown:
            raise TeachableError(f"{self.id}: printed has no {unknown[0]!r}: it may have {', '.join(PRINTED)}.")
        if ("rows" in self.printed) != ("note" in self.printed):
            raise TeachableError(f"{self.id}: printed needs rows and note together: the caption says which rows it is.")

    @property
    def module(self) -> str:
        return f"teachable.paper.tables.{self.id}"

    @property
    def files(self) -> tuple[str, str, str]:
        """Paths relative to the root of a run: LaTeX for print, CSV, and LaTeX of the whole for the appendix."""
        return f"tables/tab_{self.id}.tex", f"tables/tab_{self.id}.csv", f"tables/tab_{self.id}_full.tex"


def _items(kind: type[Kind], folder: str) -> dict[str, Kind]:
    found = []
    for name, about in modules(Path(__file__).parent / folder).items():
        caption = f"{about.get('caption', '')} {WHISKERS}" if about.get("whiskers") else about.get("caption", "")
        try:
            found.append(kind(name, **{**about, "caption": caption}))
        except TypeError as error:
            raise TeachableError(f"{folder}/{name}.py: ABOUT: {error}.") from None
    found.sort(key=lambda item: (ORDER.index(item.hypothesis), item.id))
    return {item.id: item for item in found}


FIGURES: dict[str, Figure] = _items(Figure, "figures")
TABLES: dict[str, Table] = _items(Table, "tables")

CRITERIA_INPUTS: tuple[str, ...] = (
    "restore_check",
    "thresholds",
    "label_metrics",
    "cpt_correlation",
    "training_summary",
    "metrics",
    "contrasts",
    "predictor_metrics",
    "selection_contrasts",
)
"""What :func:`teachable.paper.criteria.criteria` reads."""

MINIMUM: dict[str, tuple[str, ...]] = {
    "figures": tuple(name for name, item in FIGURES.items() if item.minimum),
    "tables": tuple(name for name, item in TABLES.items() if item.minimum),
}
"""The minimum paper."""
