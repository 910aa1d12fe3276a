"""Worlds: tasks, states, admissible commands, an expert, save and restore. Nothing here knows a model."""

from teachable.worlds.base import (
    EngineFault,
    GenerationError,
    InadmissibleCommand,
    RestoreMismatch,
    Saved,
    Session,
    State,
    Task,
    World,
    WorldError,
    get_world,
    replay,
)
from teachable.worlds.memo import MemoSession

__all__ = [
    "EngineFault",
    "GenerationError",
    "InadmissibleCommand",
    "MemoSession",
    "RestoreMismatch",
    "Saved",
    "Session",
    "State",
    "Task",
    "World",
    "WorldError",
    "get_world",
    "replay",
]
