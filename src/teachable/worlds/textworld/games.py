"""Game data: canonical form, digests, loading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from textworld.challenges.tw_coin_collector import coin_collector
from textworld.challenges.tw_cooking import cooking
from textworld.challenges.tw_treasure_hunter import treasure_hunter
from textworld.generator.data import KnowledgeBase
from textworld.generator.game import EntityInfo, Game, Quest
from textworld.generator.world import World
from textworld.logic import GameLogic

CHALLENGES = {"cooking": cooking, "treasure_hunter": treasure_hunter, "coin_collector": coin_collector}


@cache
def knowledge(logic: Path, grammar: str) -> KnowledgeBase:
    """The knowledge base of the rule files below ``logic``, read once, in a fixed order of files."""
    base = KnowledgeBase(GameLogic.load([str(path) for path in sorted(logic.glob("*.twl"))]), grammar)
    base.logic_path = str(logic)
    return base


@lru_cache(maxsize=16)
def _parsed(logic: str) -> KnowledgeBase:
    return KnowledgeBase(GameLogic.deserialize(logic), "")


def text_of(value: Any) -> str:
    """Compact JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(data: Mapping[str, Any]) -> dict[str, Any]:
    """A game's data with everything that depends on sets or on the machine put in order.

    Facts, entities and failing conditions are sorted, and the path of the grammar files is dropped.
    """
    plain: dict[str, Any] = json.loads(json.dumps(data))
    plain["world"].sort(key=text_of)
    plain["infos"].sort(key=lambda pair: pair[0])
    for quest in plain["quests"]:
        quest["fail_events"].sort(key=text_of)
    plain["KB"]["text_grammars_path"] = ""
    return plain


def digest_of(data: Mapping[str, Any]) -> str:
    """The digest of a canonical game: everything but its metadata (seeds, names of settings)."""
    return hashlib.sha256(text_of({k: v for k, v in data.items() if k != "metadata"}).encode()).hexdigest()[:32]


def structure_of(data: Mapping[str, Any]) -> str:
    """A digest of what is where in a canonical game, by displayed name; wording is left out."""
    names = {key: info["name"] or key for key, info in data["infos"]}
    facts = [(f["name"], [(names.get(a["name"], a["name"]), a["type"]) for a in f["arguments"]]) for f in data["world"]]
    return hashlib.sha256(text_of(sorted(facts)).encode()).hexdigest()


def game_of(data: Mapping[str, Any]) -> Game:
    """The TextWorld game of canonical data; its knowledge base is parsed once per process."""
    base = _parsed(data["KB"]["logic"])
    game = Game(World.deserialize(data["world"], kb=base))
    game.quests = tuple(Quest.deserialize(quest) for quest in data["quests"])
    game._infos = {key: EntityInfo.deserialize(info) for key, info in data["infos"]}
    game.metadata = data.get("metadata", {})
    game._objective = data["objective"]
    return game
