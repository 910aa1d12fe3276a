"""The data of a game in canonical order, and a digest of what is where in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from teachable.worlds.files import text_of


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


def structure_of(data: Mapping[str, Any]) -> str:
    """A digest of what is where in a canonical game, by displayed name; wording is left out."""
    names = {key: info["name"] or key for key, info in data["infos"]}
    facts = [(f["name"], [(names.get(a["name"], a["name"]), a["type"]) for a in f["arguments"]]) for f in data["world"]]
    return hashlib.sha256(text_of(sorted(facts)).encode()).hexdigest()
