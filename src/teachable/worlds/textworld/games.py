"""Game data: digests, loading."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from textworld.generator.data import KnowledgeBase
from textworld.generator.game import EntityInfo, Game, Quest
from textworld.generator.world import World
from textworld.logic import GameLogic

from teachable.worlds import files


@lru_cache(maxsize=16)
def _parsed(logic: str) -> KnowledgeBase:
    return KnowledgeBase(GameLogic.deserialize(logic), "")


def digest_of(data: Mapping[str, Any]) -> str:
    """The digest of a canonical game: everything but its metadata (seeds, names of settings)."""
    return files.digest_of({k: v for k, v in data.items() if k != "metadata"})


def game_of(data: Mapping[str, Any]) -> Game:
    """The TextWorld game of canonical data; its knowledge base is parsed once per process."""
    base = _parsed(data["KB"]["logic"])
    game = Game(World.deserialize(data["world"], kb=base))
    game.quests = tuple(Quest.deserialize(quest) for quest in data["quests"])
    game._infos = {key: EntityInfo.deserialize(info) for key, info in data["infos"]}
    game.metadata = data.get("metadata", {})
    game._objective = data["objective"]
    return game
