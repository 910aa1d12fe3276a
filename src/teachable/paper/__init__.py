"""Every figure and table of the paper, the criteria, and the report. Nothing here imports torch.

The registry (:data:`FIGURES`, :data:`TABLES`) is plain data and loads in milliseconds, so
that the Snakefile may read it; matplotlib is loaded only when something is drawn.
"""

from teachable.paper.inputs import PaperError
from teachable.paper.registry import CRITERIA_INPUTS, FIGURES, MINIMUM, TABLES, Figure, Table

__all__ = [
    "CRITERIA_INPUTS",
    "FIGURES",
    "MINIMUM",
    "TABLES",
    "Figure",
    "PaperError",
    "Table",
]
