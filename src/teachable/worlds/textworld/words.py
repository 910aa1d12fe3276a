"""The vocabulary of TextWorld's games: cooking, mostly."""

from __future__ import annotations

from teachable.worlds.words import Words

_HEATS = {"oven": "oven", "stove": "stove", "bbq": "grill"}


class TextWorldWords(Words):
    """See :class:`teachable.worlds.words.Words`."""

    memo_label = "recipe"
    verbs = (
        "take",
        "drop",
        "put",
        "insert",
        "open",
        "close",
        "lock",
        "unlock",
        "go",
        "eat",
        "drink",
        "cook",
        "slice",
        "chop",
        "dice",
        "prepare",
        "examine",
    )
    key_tokens = (
        "closed",
        "open",
        "locked",
        "recipe",
        "cookbook",
        "knife",
        "oven",
        "stove",
        "bbq",
        "raw",
        "uncut",
        "fried",
        "roasted",
        "grilled",
        "burned",
        "nothing",
        "can't",
        "already",
    )
    easy_skills = ("examine", "prepare", "eat")

    def skill_of(self, command: str) -> str:
        """The verb of a command; for cooking what is cooked with.

        >>> [WORDS.skill_of(c) for c in ("cook red apple with BBQ", "dice carrot with knife", "go north", "open oven")]
        ['grill', 'dice', 'go', 'open']
        """
        words = command.lower().split()
        if not words:
            return ""
        return _HEATS.get(words[-1], "cook") if words[0] == "cook" else words[0]


WORDS = TextWorldWords()
