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

__all__ = [
    "EngineFault",
    "GenerationError",
    "InadmissibleCommand",
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
