"""Teachable Moments: which failures of an LLM agent are worth teaching from, and how.

What this module offers is what a version promises (docs/library.md); everything else may move between minor versions.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from teachable.version import __version__ as __version__

if TYPE_CHECKING:
    from teachable.errors import TeachableError as TeachableError
    from teachable.pipeline.ranking import Ranker as Ranker
    from teachable.student.model import Student as Student
    from teachable.study import Labels as Labels
    from teachable.study import Split as Split
    from teachable.study import Study as Study
    from teachable.study import TrainingSets as TrainingSets
    from teachable.study import configure as configure
    from teachable.worlds.base import EngineFault as EngineFault
    from teachable.worlds.base import InadmissibleCommand as InadmissibleCommand
    from teachable.worlds.base import Session as Session
    from teachable.worlds.base import State as State
    from teachable.worlds.base import Task as Task
    from teachable.worlds.base import World as World
    from teachable.worlds.registry import get_world as get_world

# Loaded when first asked for: `import teachable` is cheap, and only `Student` brings torch.
_PLACES = {
    "EngineFault": "teachable.worlds.base",
    "InadmissibleCommand": "teachable.worlds.base",
    "Labels": "teachable.study",
    "Ranker": "teachable.pipeline.ranking",
    "Session": "teachable.worlds.base",
    "Split": "teachable.study",
    "State": "teachable.worlds.base",
    "Student": "teachable.student.model",
    "Study": "teachable.study",
    "Task": "teachable.worlds.base",
    "TeachableError": "teachable.errors",
    "TrainingSets": "teachable.study",
    "World": "teachable.worlds.base",
    "configure": "teachable.study",
    "get_world": "teachable.worlds.registry",
}

__all__ = [*sorted(_PLACES), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'teachable' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
