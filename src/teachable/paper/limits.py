"""What a run cannot say: a student that wins nothing or everything, empty quadrants and panels, absent runs.

Each becomes one sentence of the report, with what can be learned all the same and what to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from teachable.terms import QUADRANTS

RARE = 0.05
"""Share of won (or of lost) episodes below which what depends on it rests on a handful of games."""
LEARNED = (
    "What can be learned all the same: from where an expert can still win (L_upper), and how far back such a state "
    "lies (recovery depth)."
)
EASIER = (
    "To change it: easier families or more steps (tasks, world.max_steps), or a stronger student (student.path; "
    "the built-in one: builtin.max_steps)."
)
HARDER = "To change it: harder families or fewer steps (tasks, world.max_steps), or a weaker student."

ONCE = (
    "Every run was trained once, so each interval between models is one of these trainings: what another training seed "
    "would change is in none of them. In simulated studies of this kind, criteria that compare runs passed where there "
    "was nothing to find far more often than an interval promises (docs/statistics.md). To change it: training.seeds 3."
)


def limits(
    episodes: pl.DataFrame,
    thresholds: Mapping[str, Any],
    training: Mapping[str, Any],
    criteria: Sequence[Mapping[str, Any]],
) -> list[str]:
    """The sentences, most important first; none for a run that lacks nothing.

    ``episodes`` are the rollouts of phase 0, ``thresholds`` and ``training`` the JSON of the labels and of the
    training summary, ``criteria`` the judged entries.
    """
    return [*_student(episodes), *_quadrants(thresholds), *_runs(training), *_criteria(criteria)]


def _student(episodes: pl.DataFrame) -> list[str]:
    wins = episodes.filter(pl.col("behaviour") == "student")["success"].drop_nulls()
    if wins.is_empty():
        return ["No episode of the student ended without a fault of the engine: there is nothing to learn from here."]
    won, played = int(wins.sum()), len(wins)
    if won == 0:
        return [
            f"The student won none of its {played:,} episodes. No single action then turns a failure into a success "
            "unless it wins at once, so L_local, ELP and the quadrants cut noise; there is no won episode to replay, "
            "no retention panel, and forgetting cannot be measured: a retention of null is not a retention kept. "
            f"{LEARNED} {EASIER}"
        ]
    if won == played:
        return [
            f"The student won all of its {played:,} episodes. There is no failure to mine, so nothing here says "
            f"what teaches; success and retention stand. {HARDER}"
        ]
    if won < RARE * played:
        return [
            f"The student won only {won:,} of its {played:,} episodes: replay and the retention panel rest on those "
            f"few, lucky wins among them, and most intervals of L_local and ELP hold 0. {LEARNED} {EASIER}"
        ]
    if played - won < RARE * played:
        return [
            f"The student lost only {played - won:,} of its {played:,} episodes: all snapshots come from those few. "
            f"{HARDER}"
        ]
    return []


def _quadrants(thresholds: Mapping[str, Any]) -> list[str]:
    counts = thresholds.get("counts") or {}
    said = _noise(thresholds)
    empty = [quadrant for quadrant in QUADRANTS if not counts.get(quadrant)]
    if not empty:
        return said
    names = ", ".join(empty)
    return [
        *said,
        f"No snapshot is in {names}: its runs are not trained, its row and column of the transfer matrix, its panels "
        "and its part of every contrast over all four quadrants are left out and marked as such. Thresholds by median "
        "(labels.thresholds) and more games (tasks.train) fill quadrants where U and L_local vary at all.",
    ]


def _noise(thresholds: Mapping[str, Any]) -> list[str]:
    if not thresholds.get("noisy"):
        return []
    share = float(thresholds["L_local"]["within_two_errors_of_cut"])
    return [
        f"{share:.0%} of the labelled snapshots lie within two standard errors of the cut of L_local, so on which side "
        "of it they are is partly luck, and what is said by quadrant is blurred by as much. To change it: more "
        "episodes a label (estimation), or thresholds by percentiles (labels.thresholds), which leave the middle "
        "third out."
    ]


def _runs(training: Mapping[str, Any]) -> list[str]:
    runs = training.get("runs") or {}
    absent = {name: run["absent"] for name, run in runs.items() if "absent" in run}
    reasons: dict[str, list[str]] = {}
    for name, reason in absent.items():
        reasons.setdefault(str(reason).rstrip("."), []).append(name)
    said = [f"Not trained: {', '.join(names)} ({reason})." for reason, names in reasons.items()]
    if any(len(run.get("seeds") or {}) == 1 for run in runs.values()):
        said.append(ONCE)
    return said


def _criteria(criteria: Sequence[Mapping[str, Any]]) -> list[str]:
    unknown = [str(entry["id"]) for entry in criteria if entry["passed"] is None]
    if not unknown:
        return []
    return [f"Not measurable in this run, each with its reason below: {', '.join(unknown)}."]
