"""The vocabulary of ScienceWorld's tasks."""

from __future__ import annotations

import re

from teachable.worlds.words import Words


class ScienceWorldWords(Words):
    """See :class:`teachable.worlds.words.Words`."""

    verbs = ("go", "focus", "pick", "move", "open", "close", "put", "activate", "deactivate", "read", "eat", "wait")
    key_tokens = (
        "closed",
        "open",
        "door",
        "box",
        "focus",
        "egg",
        "baby",
        "tree",
        "flower",
        "pot",
        "water",
        "inventory",
        "animal",
        "plant",
        "living",
        "nothing",
        "not",
        "already",
    )
    moves = ("go",)
    progress = re.compile(r"^you (focus on|move the .+ to the)", re.IGNORECASE)
    refused = re.compile(r"\b(can't|cannot|isn't|not (openable|moveable|clear)|already)\b", re.IGNORECASE)
    easy_skills = ("open",)


WORDS = ScienceWorldWords()
