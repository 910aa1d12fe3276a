"""Advice on a table of snapshots: one row each, valid or not, in their order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import polars as pl

from teachable import tables
from teachable.config.teacher import Teacher
from teachable.teacher import oracle, prompt
from teachable.teacher.advice import AdviceText, Answer, bad_action, check
from teachable.teacher.asking import Outcome, Progress, ask_all, converse
from teachable.teacher.errors import AdviceError, TeacherError
from teachable.teacher.openai_client import Endpoint
from teachable.terms import Verbosity
from teachable.worlds.words import Explain

Row = Mapping[str, Any]

DEAD_END = "dead end: the task can no longer be won from here"
NO_EXPERT = "no expert here: the task can still be won, but the world knows no command"


def advise_snapshots(
    snapshots: pl.DataFrame,
    expert_actions: Mapping[str, str | None],
    settings: Teacher,
    *,
    explain: Explain,
    no_expert: Collection[str] = (),
    verbosity: Verbosity = "compact",
    progress: Progress | None = None,
    sleep: Callable[[float], object] | None = None,
) -> pl.DataFrame:
    """Ask the teacher about every row of SNAPSHOTS; returns ADVICE, one row per snapshot in the same order.

    ``expert_actions`` has the expert's command for every snapshot id, ``None`` at a dead end and at the snapshots
    ``no_expert``, which can still be won: no teacher is asked about these. The oracle explains the command in the
    world's words (``explain``); an endpoint never sees it, and it is only recorded. Advice that is not accepted gives a
    row with ``valid`` false and the reason. Tokens, cost and attempts are those of the answers, whether they came
    from the cache or not, so a second run gives the same table.

    Raises :class:`BudgetExceeded`, :class:`TeacherUnavailable` or :class:`TeacherError`, the latter also when the first
    snapshots all stay without valid advice for one reason; every answer that came in is in the cache by then, and the
    same call resumes. ``sleep`` replaces waiting between attempts (for tests).
    """
    rows = snapshots.to_dicts()
    for row in rows:
        name = row["snapshot_id"]
        if name not in expert_actions:
            raise TeacherError(f"snapshot {name}: its expert action was not computed.")
        expert = expert_actions[name]
        if expert is not None and expert not in row["commands"]:
            raise TeacherError(f"snapshot {name}: the expert's {expert!r} is not an admissible command there.")
    if settings.source == "oracle":
        made = []
        for row in rows:
            made.append(_from_oracle(row, expert_actions[row["snapshot_id"]], explain, no_expert))
            if progress:
                progress(len(made), len(rows))
    else:
        asked = [row for row in rows if row["snapshot_id"] not in no_expert]

        def consult(endpoint: Endpoint, row: Row) -> tuple[dict[str, Any], str]:
            return _consult(endpoint, row, expert_actions[row["snapshot_id"]], verbosity)

        answered = {
            row["snapshot_id"]: row for row in ask_all(settings, asked, consult, progress=progress, sleep=sleep)
        }
        made = [answered.get(row["snapshot_id"]) or _without_expert(row, "openai", settings.model) for row in rows]
    return tables.conform(pl.DataFrame(made, schema=dict(tables.ADVICE)), tables.ADVICE, "advice")


def _row(snapshot: Row, expert: str | None, teacher: str, model: str, **values: Any) -> dict[str, Any]:
    blank = dict.fromkeys(tables.ADVICE)
    return {
        **blank,
        "snapshot_id": snapshot["snapshot_id"],
        "valid": False,
        "teacher": teacher,
        "model": model,
        "attempts": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "cost_usd": 0.0,
        "expert_action": expert,
        "unwinnable": expert is None,
        **values,
    }


def _without_expert(snapshot: Row, teacher: str, model: str) -> dict[str, Any]:
    return _row(snapshot, None, teacher, model, unwinnable=False, reason=NO_EXPERT)


def _from_oracle(snapshot: Row, expert: str | None, explain: Explain, no_expert: Collection[str]) -> dict[str, Any]:
    if snapshot["snapshot_id"] in no_expert:
        return _without_expert(snapshot, "oracle", "oracle")
    if expert is None:
        return _row(snapshot, None, "oracle", "oracle", reason=DEAD_END)
    name = snapshot["snapshot_id"]
    try:
        bad = bad_action(snapshot["student_action"], expert, snapshot["commands"], snapshot["logp"], name=name)
    except AdviceError as error:
        return _row(snapshot, expert, "oracle", "oracle", reason=str(error))
    reading = oracle.advise(
        explain, expert, bad, memo=snapshot["memo"], goal=snapshot["goal"], scene=snapshot["scene"], key=name
    )
    return _row(
        snapshot,
        expert,
        "oracle",
        "oracle",
        valid=True,
        attempts=1,
        suggested_action=expert,
        rationale=reading.text.rationale,
        diagnosis=reading.text.diagnosis,
        why_bad=reading.text.why_bad,
        error_type=reading.error_type,
        confidence=reading.confidence,
    )


def _consult(endpoint: Endpoint, snapshot: Row, expert: str | None, verbosity: Verbosity) -> tuple[dict[str, Any], str]:
    """Ask about one snapshot until an answer is accepted or the attempts are used up.

    Returns the row and, where its advice is not valid, what kind of reason that has.
    """
    settings = endpoint.settings
    commands = snapshot["commands"]
    if len(commands) < 2:
        reason = "only one command is admissible, so there is nothing to teach"
        return _row(snapshot, expert, "openai", settings.model, reason=reason), ""
    found: Outcome[Answer] = converse(
        endpoint,
        prompt.messages(snapshot, verbosity),
        prompt.response_format(settings.response_format, commands, settings.enum_actions),
        label=snapshot["snapshot_id"],
        parse=prompt.parse,
        problem_of=lambda answer: _problem(answer, snapshot),
        correction=lambda text, problem: prompt.correction(text, problem, commands),
    )
    if found.answer is not None:
        accepted = found.answer.model_dump(mode="json")
        return _row(snapshot, expert, "openai", settings.model, **found.used, valid=True, **accepted), ""
    reason = found.reason if found.refused else f"advice_invalid {found.reason}"
    return _row(snapshot, expert, "openai", settings.model, **found.used, reason=reason), found.kind


def _problem(answer: Answer | str, snapshot: Row) -> tuple[str, str]:
    """Of what kind the reason is for which an answer is not accepted, and the reason; empty when it is."""
    if isinstance(answer, str):
        return "form", answer
    problem = check(answer, snapshot["commands"])
    if problem is None:
        try:
            AdviceText.from_rows(snapshot, {"valid": True, **answer.model_dump()})
        except AdviceError as error:
            problem = str(error)
    if not problem:
        return "", ""
    return "text" if answer.suggested_action in snapshot["commands"] else "command", problem
