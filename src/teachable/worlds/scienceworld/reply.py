"""What ScienceWorld answers to one command."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """What the engine answered to one command."""

    observation: str
    look: str  # what `look around` would tell
    inventory: str
    progress: str  # which goals have been reached, in ScienceWorld's words
    score: float  # from 0 to 1; -1 when failed
    completed: bool

    @property
    def won(self) -> bool:
        """Whether all goals have been reached."""
        return self.completed and self.score >= 1

    @property
    def lost(self) -> bool:
        """Whether a goal can no longer be reached, which ScienceWorld says by a score below 0 only."""
        return self.score < 0

    @property
    def reached(self) -> int:
        """How many of the goals that come in order have been reached."""
        ordered = self.progress.partition("Unordered")[0]
        return len(re.findall(r"^\d+\ttrue\b", ordered, re.MULTILINE))
