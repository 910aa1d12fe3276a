"""From one snapshot and its advice to patches (what the student reads) and supervised examples (what it learns).

A patch is text in the student's context at one decision. The four of a snapshot are framed as an example from
a similar situation, never as a rule, and match in length: the longest has at most 30 % more words than the
shortest. That holds by construction: every patch is a fixed frame around the actions (never cut), free text
of the teacher (cut when long) and neutral filler (added when short). The placebo is frame and filler only.

Two verbosities: ``compact`` for the built-in small student (about 12-24 words of regular phrasing) and ``full``
for chat models (about 36-90 words).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from teachable import formats, seeds
from teachable.teacher.advice import AdviceText, names_action
from teachable.teacher.errors import AdviceError
from teachable.terms import CONDITIONS, FORMATS, Verbosity

__all__ = [
    "CONDITIONS",
    "FORMATS",
    "TOLERANCE",
    "AdviceText",
    "Example",
    "example",
    "patch",
    "patches",
    "placebo",
]

# What special tokens and chat markup begin with: `<|im_end|>`, `</s>`, `[INST]`. With a blank behind it a tokenizer
# reads them as the plain text that they are in advice.
_MARKUP = re.compile(r"([<\[])(?=\S)")

TOLERANCE = 1.3  # most words of any patch of a snapshot / fewest words


@dataclass(frozen=True, slots=True)
class _Style:
    """How a student of this verbosity is spoken to; :mod:`teachable.formats` says what of."""

    opening: str
    fillers: tuple[str, ...]  # content-free, at least two of them of three words
    lowest: int  # words; a target, exceeded only when the actions themselves are long
    highest: int
    floor: int  # words of a free text that are kept however tight it gets
    lower: bool  # free text in lower case


_STYLES: Mapping[str, _Style] = {
    "compact": _Style(
        opening="similar case:",
        fillers=(
            "so it was.",
            "that was all.",
            "it went so.",
            "it was so then.",
            "this is a note.",
            "no more is said.",
            "it was some time ago.",
            "it was like this one.",
        ),
        lowest=12,
        highest=24,
        floor=3,
        lower=True,
    ),
    "full": _Style(
        opening="Here is an example from a similar situation.",
        fillers=(
            "It was so.",
            "That is all.",
            "It was noted.",
            "It was written down at the time.",
            "Other notes of this kind exist as well.",
            "The note is kept here as it was found.",
            "It comes from another day and from another place.",
            "Nothing else about that situation has been written down.",
            "Whoever wrote the note did not add a name or a date.",
            "The situation was an ordinary one, like many others of its kind.",
            "The note was read again some time later and left as it was.",
            "It has about the same length as the other notes in the collection.",
        ),
        lowest=36,
        highest=90,
        floor=8,
        lower=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Example:
    """One supervised example: what the student is shown beside the decision, and what it should answer."""

    format: str
    patch: str  # "" on the plain prompt
    completion: str  # the teacher's action


def patch(
    condition: str,
    advice: AdviceText | None,
    *,
    verbosity: Verbosity = "compact",
    key: str = "",
    placebo_like: int | None = None,
) -> str:
    """The text to put into the context of one decision under ``condition``; ``""`` for ``base``.

    ``key`` (the snapshot's id) seeds the choice of filler. A placebo takes its length from the other patches
    of ``advice``, or from ``placebo_like`` (words) where there is no advice. Raises :class:`AdviceError` when
    the advice is missing: nothing else ever stands in for it.
    """
    if condition not in CONDITIONS:
        raise AdviceError(f"unknown condition {condition!r}; one of {', '.join(CONDITIONS)}.")
    if condition == "base":
        return ""
    if condition == "placebo" and placebo_like is not None:
        return placebo(placebo_like, verbosity=verbosity, key=key, avoid=advice.suggested_action if advice else "")
    if advice is None:
        raise AdviceError(f"a {condition} patch needs advice and {key or 'this snapshot'} has none; leave it out.")
    return patches(advice, verbosity=verbosity, key=key)[condition]


def patches(advice: AdviceText, *, verbosity: Verbosity = "compact", key: str = "") -> dict[str, str]:
    """The patch of every condition, in the order of :data:`CONDITIONS`.

    All but ``base`` are within :data:`TOLERANCE` of each other in words. The placebo, and a format that is not to (the
    hint), never name ``advice.suggested_action``; :class:`AdviceError` if frame and diagnosis together would.
    """
    style = _style(verbosity)
    texts = {name: _clean(getattr(advice, name), style) for name in ("rationale", "diagnosis", "why_bad")}
    templates = {name: kind.worded(verbosity, tried=advice.tried) for name, kind in formats.FORMATS.items()}
    bounds = [_bounds(style, templates[name], advice, texts) for name in FORMATS]
    most = max(max(b[0] for b in bounds), min(style.highest, max(style.lowest, *(b[1] for b in bounds))))
    fewest = math.ceil(most / TOLERANCE)
    made = {}
    for name in FORMATS:
        body = _fill(style, templates[name], advice, texts, most)
        made[name] = _pad(style, body, fewest, most, f"{key}|{name}", advice.suggested_action)
    for name, text in made.items():
        if not formats.FORMATS[name].names_action and names_action(text, advice.suggested_action):
            raise AdviceError(f"{key or 'advice'}: the {name} {text!r} names {advice.suggested_action!r}.")
    middle = max(fewest + 2, round(sum(_count(text) for text in made.values()) / len(FORMATS)))
    return {
        "base": "",
        "placebo": placebo(middle, verbosity=verbosity, key=key, avoid=advice.suggested_action),
        **made,
    }


def placebo(words: int, *, verbosity: Verbosity = "compact", key: str = "", avoid: str = "") -> str:
    """A content-free patch of ``words`` words or up to two fewer, but never without a filler.

    ``avoid`` is a command that must not occur in it.
    """
    style = _style(verbosity)
    most = max(words, _count(style.opening) + 3)
    return _pad(style, style.opening, most - 2, most, f"{key}|placebo", avoid)


def example(
    snapshot: Mapping[str, Any], advice: AdviceText, format: str, *, verbosity: Verbosity = "compact"
) -> Example:
    """The supervised example of a snapshot in one format; the completion is always the teacher's action.

    A format that shows its patch has it in the prompt; ``demo`` stands on the plain prompt. Raises
    :class:`AdviceError` when the teacher's action is not admissible there.
    """
    if format not in FORMATS:
        raise AdviceError(f"unknown format {format!r}; one of {', '.join(FORMATS)}.")
    name = str(snapshot["snapshot_id"])
    if advice.suggested_action not in snapshot["commands"]:
        raise AdviceError(f"snapshot {name}: {advice.suggested_action!r} is not an admissible command there.")
    text = patch(format, advice, verbosity=verbosity, key=name) if formats.FORMATS[format].shows_patch else ""
    return Example(format, text, advice.suggested_action)


def _style(verbosity: str) -> _Style:
    if verbosity not in _STYLES:
        raise AdviceError(f"unknown verbosity {verbosity!r}; one of {', '.join(_STYLES)}.")
    return _STYLES[verbosity]


def _count(text: str) -> int:
    return len(text.split())


def _clean(text: str, style: _Style) -> str:
    """One line that ends a sentence, and in which no tokenizer finds a token of its own."""
    line = _MARKUP.sub(r"\1 ", " ".join(text.split()))
    line = line.lower() if style.lower else line[:1].upper() + line[1:]
    return line if line[-1] in ".!?" else line.rstrip(",;:") + "."


def _bounds(style: _Style, template: Sequence[str], advice: AdviceText, texts: Mapping[str, str]) -> tuple[int, int]:
    """Words of the template with its free texts cut to the floor, and with them whole."""
    fixed, free = _count(style.opening), 0
    floor = 0
    for part in template:
        if part.startswith("{"):
            words = _count(texts[part[1:-1]])
            free += words
            floor += min(words, style.floor)
        else:
            fixed += _count(_resolve(part, advice))
    return fixed + floor, fixed + free


def _fill(style: _Style, template: Sequence[str], advice: AdviceText, texts: Mapping[str, str], most: int) -> str:
    """The template with its slots filled, its free texts cut so that the whole has at most ``most`` words."""
    slots = [part[1:-1] for part in template if part.startswith("{")]
    fixed = _count(style.opening) + sum(_count(_resolve(p, advice)) for p in template if not p.startswith("{"))
    shares = _shares([_count(texts[slot]) for slot in slots], most - fixed)
    cut = {slot: _cut(texts[slot], share) for slot, share in zip(slots, shares, strict=True)}
    parts = [style.opening]
    for index, part in enumerate(template):
        if part.startswith("{"):
            parts.append(cut[part[1:-1]])
        elif part.startswith("<"):
            mark = ":" if style.lower and template[index + 1].startswith("{") else "."
            parts.append(_resolve(part, advice) + mark)
        else:
            follows = template[index + 1].startswith("<") and not style.lower
            parts.append(part + ":" if follows else part)
    return " ".join(parts)


def _resolve(part: str, advice: AdviceText) -> str:
    return str(getattr(advice, part[1:-1])) if part.startswith("<") else part


def _shares(lengths: Sequence[int], budget: int) -> list[int]:
    """Words for each text so that the sum fits ``budget``; only the longer ones give."""
    shares = list(lengths)
    while sum(shares) > budget:
        shares[max(range(len(shares)), key=lambda index: shares[index])] -= 1
    return shares


def _cut(text: str, words: int) -> str:
    """At most ``words`` words: whole sentences, else whole clauses, where they are most of it; else an ellipsis."""
    split = text.split()
    if len(split) <= words:
        return text
    for marks in (".!?", ",;:"):
        ends = [i + 1 for i, word in enumerate(split[:words]) if word[-1] in marks]
        if ends and ends[-1] >= 0.6 * words:
            return " ".join(split[: ends[-1]]).rstrip(",;:.") + "."
    return " ".join(split[:words]).rstrip(",;:.") + "..."


def _pad(style: _Style, text: str, fewest: int, most: int, key: str, avoid: str) -> str:
    """``text`` with neutral sentences added until it has ``fewest`` words, never more than ``most``.

    ``fewest <= most - 2`` makes this always possible: a text that is too short has room for a filler of three words.
    """
    usable = [filler for filler in style.fillers if not (avoid and names_action(filler, avoid))]
    generator = seeds.stream(0, "supervision", key)
    parts, count = [text], _count(text)
    queue: list[str] = []
    while count < fewest:
        fitting = [filler for filler in queue if count + _count(filler) <= most]
        if not fitting:
            queue = [usable[int(i)] for i in generator.permutation(len(usable))]
            fitting = [filler for filler in queue if count + _count(filler) <= most]
        if not fitting:
            raise AdviceError(f"no neutral filler of up to {most - count} words avoids naming {avoid!r}.")
        parts.append(fitting[0])
        count += _count(fitting[0])
        queue.remove(fitting[0])
    return " ".join(parts)
