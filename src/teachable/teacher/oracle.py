"""Advice from the world's own expert: no network, and nothing that is not so.

The command comes from the expert, the words from the world's reasons. Each text has several wordings, chosen by the
snapshot's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from teachable import seeds
from teachable.teacher.advice import AdviceText, names_action
from teachable.worlds.words import Explain

# Two that have no word in common, so that one of them is always free of a given command.
_ANY_DIAGNOSIS = ("Something is left to do.", "One step remains open here.")


@dataclass(frozen=True, slots=True)
class Reading:
    """The oracle's advice with its error type and its confidence."""

    text: AdviceText
    error_type: str
    confidence: str


def advise(explain: Explain, suggested: str, bad: str, *, memo: str, goal: str, scene: str, key: str) -> Reading:
    """Why ``suggested`` and not ``bad``, by the reasons that ``explain`` gives; see there.

    ``key`` (the snapshot's id) chooses among wordings.
    """
    reasons = explain(suggested, bad, memo=memo, goal=goal, scene=scene)
    diagnoses = [text for text in reasons.diagnosis if not names_action(text, suggested)]
    if not diagnoses:  # e.g. a one-word command that a wording happens to hold
        diagnoses = [text for text in _ANY_DIAGNOSIS if not names_action(text, suggested)]
    text = AdviceText(
        suggested_action=suggested,
        bad_action=bad,
        rationale=_pick(reasons.rationale, key, "rationale"),
        diagnosis=_pick(diagnoses, key, "diagnosis"),
        why_bad=_pick(reasons.why_bad, key, "why_bad"),
    )
    return Reading(text, reasons.error_type, reasons.confidence)


def _pick(texts: Sequence[str], key: str, slot: str) -> str:
    return texts[seeds.integer(0, "oracle", key, slot) % len(texts)]
