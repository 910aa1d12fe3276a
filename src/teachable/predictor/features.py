"""Tier 1: what can be told of a snapshot without another forward pass, rollout or call to the teacher.

Only the columns in ``READS`` are looked at. They describe the decision as the student met it; nothing that a
label is made of, and nothing from after the decision (such as ``distance``), is among them. Feature names
are ``group.name``; a group is what the permutation importance shuffles together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from teachable.predictor.errors import PredictorError
from teachable.tables import MEASURES

if TYPE_CHECKING:
    from teachable.worlds.words import Words

READS = (
    "snapshot_id",
    "task_id",
    "step",
    "goal",
    "memo",
    "scene",
    "observation",
    "history",
    "commands",
    "logp",
    "student_action",
    *MEASURES,
)
FEATURES_VERSION = 1
"""Raised when a feature changes its name, its unit or how it is computed: a kept predictor asks for its own."""
OTHER = "other"  # verbs that the world does not list
RECENT = 3
"""Turns that count as recent history."""

_WORD = re.compile(r"[a-z']+")
_STOP = frozenset(("and", "are", "for", "from", "into", "the", "then", "with", "you", "your"))


def tier1_features(snapshots: pl.DataFrame, words: Words) -> pl.DataFrame:
    """Tier 1 features of snapshots in the order given: ``snapshot_id``, ``task_id``, a column a feature.

    ``snapshots`` has the columns of SNAPSHOTS and the uncertainty measures (MEASURES), as the labelled table
    has; ``words`` says which verbs, key tokens and texts count in their world. A missing column or a value that is not
    finite raises :class:`PredictorError`.
    """
    missing = [name for name in READS if name not in snapshots.columns]
    if missing:
        raise PredictorError(
            f"features need the columns {missing}: give the labelled snapshots, or add the uncertainty measures first."
        )
    rows = [_row(row, words) for row in snapshots.select(READS).iter_rows(named=True)]
    keys = snapshots.select("snapshot_id", "task_id")
    if not rows:
        return keys
    frame = pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.Float64))
    bad = [name for name in frame.columns if not frame[name].is_finite().all()]
    if bad:
        raise PredictorError(f"the features {bad} are not finite: the distributions of these snapshots are damaged.")
    return pl.concat([keys, frame], how="horizontal")


def group_of(feature: str) -> str:
    """The group of a feature: what stands before the dot."""
    return feature.split(".", 1)[0]


def _row(row: Mapping[str, Any], words: Words) -> dict[str, float]:
    return (
        {f"uncertainty.{name}": float(row[name]) for name in MEASURES}
        | _choice(row)
        | _commands(row, words)
        | _lengths(row, words)
        | _tokens(row, words)
        | _trail(row, words)
    )


def _choice(row: Mapping[str, Any]) -> dict[str, float]:
    """Where the student's own action stands in its distribution."""
    p = np.exp(np.asarray(row["logp"], dtype=np.float64))
    chosen = row["commands"].index(row["student_action"]) if row["student_action"] in row["commands"] else None
    p_chosen = float(p[chosen]) if chosen is not None else 0.0
    ranked = np.sort(p)[::-1]
    return {
        "uncertainty.top1": float(ranked[0]),
        "uncertainty.top2": float(ranked[1]) if len(p) > 1 else 0.0,
        "uncertainty.top3_mass": float(ranked[:3].sum()),
        "uncertainty.p_chosen": p_chosen,
        "uncertainty.rank_chosen": float((p > p_chosen).sum()),
    }


def _commands(row: Mapping[str, Any], words: Words) -> dict[str, float]:
    """How many commands of which verb there are, and the probability on verbs and words of the goal."""
    commands: Sequence[str] = row["commands"]
    p = np.exp(np.asarray(row["logp"], dtype=np.float64))
    known = (*words.verbs, OTHER)
    verbs = [words.verb_of(command) for command in commands]
    goal_words, memo_words = _words(row["goal"]), _words(row["memo"])
    about_goal = np.array([bool(_words(command) & goal_words) for command in commands])
    about_memo = np.array([bool(_words(command) & memo_words) for command in commands])
    verb_mass = np.array([sum(q for q, v in zip(p, verbs, strict=True) if v == verb) for verb in known])
    used = verb_mass[verb_mass > 0]
    counts = Counter(verbs)
    return {
        "commands.count": float(len(commands)),
        "commands.kinds": float(len(counts)),
        "commands.words": float(np.mean([len(command.split()) for command in commands])),
        "commands.verb_entropy": float(-(used * np.log(used)).sum()),
        "commands.goal_share": float(about_goal.mean()),
        "commands.goal_mass": float(p[about_goal].sum()),
        "commands.memo_share": float(about_memo.mean()),
        "commands.memo_mass": float(p[about_memo].sum()),
        **{f"commands.count_{verb}": float(counts[verb]) for verb in known},
        **{f"commands.mass_{verb}": float(mass) for verb, mass in zip(known, verb_mass, strict=True)},
        **{f"commands.chose_{verb}": float(words.verb_of(row["student_action"] or "") == verb) for verb in known},
    }


def _lengths(row: Mapping[str, Any], words: Words) -> dict[str, float]:
    history = row["history"]
    return {
        **{f"length.{part}": float(len(row[part].split())) for part in ("goal", "memo", "scene", "observation")},
        "length.memo_lines": float(len([line for line in row["memo"].splitlines() if line.strip()])),
        "length.history": float(sum(len(turn["observation"].split()) for turn in history)),
        "length.exits": float(sum(words.is_move(command) for command in row["commands"])),
    }


def _tokens(row: Mapping[str, Any], words: Words) -> dict[str, float]:
    """Key words in what the student sees now, and how much of the goal and the memo is in sight."""
    seen = Counter(_WORD.findall(f"{row['scene']} {row['observation']}".lower()))
    goal_words, memo_words = _words(row["goal"]), _words(row["memo"])
    return {
        **{f"tokens.{token}": float(seen[token]) for token in words.key_tokens},
        "tokens.has_memo": float(bool(row["memo"].strip())),
        "tokens.goal_in_sight": _share(goal_words, seen),
        "tokens.memo_in_sight": _share(memo_words, seen),
    }


def _trail(row: Mapping[str, Any], words: Words) -> dict[str, float]:
    """The way here: repeats, loops and the time since anything new, read from the history's texts."""
    commands = [turn["command"] for turn in row["history"]]
    texts = [turn["observation"] for turn in row["history"]]
    repeats = sum(a == b for a, b in zip(commands[1:], commands[:-1], strict=True))
    seen: set[str] = set()
    new = []
    for text in texts:
        new.append(text not in seen)
        seen.add(text)
    scored = [bool(words.progress.search(text)) for text in texts]
    refused = [bool(words.refused.search(text)) for text in texts]
    turns = max(1, len(commands))
    undone = sum(a == c and b != a for a, b, c in zip(commands, commands[1:], commands[2:], strict=False))
    return {
        "trail.step": float(row["step"]),
        "trail.repeats": float(repeats),
        "trail.loops": float(len(new) - sum(new)),
        "trail.loop_share": (len(new) - sum(new)) / turns,
        "trail.distinct_commands": len(set(commands)) / turns,
        "trail.back_and_forth": float(undone),
        "trail.since_new": float(_since(new)),
        "trail.since_progress": float(_since(scored)),
        "trail.progress": float(sum(scored)),
        "trail.refused": float(sum(refused)),
        "trail.refused_last": float(bool(refused and refused[-1])),
        "trail.moves": float(sum(words.is_move(command) for command in commands)),
        "trail.done_before": float(commands.count(row["student_action"])),
        "trail.repeats_now": float(bool(commands) and commands[-1] == row["student_action"]),
    }


def _since(events: Sequence[bool]) -> int:
    """Steps since the last event; the whole length when there was none."""
    for back, event in enumerate(reversed(events)):
        if event:
            return back
    return len(events)


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in _WORD.findall(text.lower()) if len(word) > 2) - _STOP


def _share(words: frozenset[str], seen: Counter[str]) -> float:
    return sum(word in seen for word in words) / len(words) if words else 0.0


def embedding_texts(snapshots: pl.DataFrame, *, turns: int = RECENT) -> dict[str, list[str]]:
    """The texts whose hidden states make tier 2: ``state`` (what is seen), ``goal``, ``history`` (recent).

    For the student's ``embed``; one text a row of ``snapshots``, in its order.
    """
    rows = list(snapshots.select("goal", "history").iter_rows(named=True))
    return {
        "state": state_texts(snapshots),
        "goal": [row["goal"] for row in rows],
        "history": [
            "\n".join(f"> {turn['command']}\n{turn['observation']}" for turn in row["history"][-turns:]) or ">"
            for row in rows
        ],
    }


def state_texts(states: pl.DataFrame) -> list[str]:
    """The text of each state: its ``scene`` and ``observation``."""
    return [f"{scene}\n{text}".strip() for scene, text in states.select("scene", "observation").iter_rows()]
