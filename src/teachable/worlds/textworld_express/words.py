"""The vocabulary of TextWorldExpress's games."""

from __future__ import annotations

import re

from teachable.worlds.words import Words

_DEVICES = {"oven": "oven", "stove": "stove", "barbeque": "grill", "toaster": "grill"}


class TextWorldExpressWords(Words):
    """See :class:`teachable.worlds.words.Words`."""

    verbs = (
        "move",
        "take",
        "put",
        "open",
        "close",
        "read",
        "slice",
        "chop",
        "dice",
        "cook",
        "eat",
        "prepare",
        "touch",
        "smell",
        "examine",
    )
    key_tokens = (
        "closed",
        "open",
        "door",
        "recipe",
        "cookbook",
        "knife",
        "oven",
        "stove",
        "barbeque",
        "raw",
        "fried",
        "roasted",
        "grilled",
        "coin",
        "box",
        "simon",
        "nothing",
        "can't",
        "already",
    )
    moves = ("move",)
    progress = re.compile(r"^(you (take|put|slice|chop|dice|fry|roast|grill|open)|adding the meal)", re.IGNORECASE)
    easy_skills = ("read", "prepare", "eat")

    def skill_of(self, command: str) -> str:
        """The verb of a command; for cooking what is cooked with.

        >>> [WORDS.skill_of(c) for c in ("cook red apple in barbeque", "dice carrot", "move north", "open oven")]
        ['grill', 'dice', 'move', 'open']
        """
        words = command.lower().split()
        if not words:
            return ""
        return _DEVICES.get(words[-1], "cook") if words[0] == "cook" else words[0]


WORDS = TextWorldExpressWords()
