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
    replay,
)
from teachable.worlds.memo import MemoSession
from teachable.worlds.registry import WorldEntry, get_entry, get_reasons, get_words, get_world
from teachable.worlds.words import Reasons, Words

__all__ = [
    "EngineFault",
    "GenerationError",
    "InadmissibleCommand",
    "MemoSession",
    "Reasons",
    "RestoreMismatch",
    "Saved",
    "Session",
    "State",
    "Task",
    "Words",
    "World",
    "WorldEntry",
    "WorldError",
    "get_entry",
    "get_reasons",
    "get_words",
    "get_world",
    "replay",
]
