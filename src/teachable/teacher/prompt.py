"""What the teacher is asked, and how its answer is read.

The expert's command is never part of the question: the teacher sees what the student could see, what the
student did, and that the episode failed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from teachable.teacher.advice import Answer, bad_action
from teachable.teacher.errors import AdviceError
from teachable.teacher.replies import whole
from teachable.terms import Verbosity

PROMPT_VERSION = 1  # change it with any change of wording: it is part of the cache key

Message = dict[str, str]
Kind = TypeVar("Kind", bound=BaseModel)

_SYSTEM = """\
You review single decisions of an agent that plays a text-based game and failed to reach its goal. You are \
shown the goal, what the agent could see, and the commands that were admissible. Decide which admissible \
command is best here and explain it. Answer with one JSON object with exactly these keys:
- "suggested_action": exactly one of the admissible commands, copied character by character.
- "rationale": {length}: why that command is right here.
- "diagnosis": {length}: what is going wrong or still missing. It must not name or paraphrase that command.
- "why_bad": {length}: why the agent's command is poor here. If the agent's command is the best one, suggest \
it and say instead why its second choice would be worse.
- "error_type": "affordance_miss" (the command does nothing useful or ignores what can be done), \
"attribute_confusion" (wrong object, tool or manner), "planning_error" (a useful step at the wrong time) or \
"exploration_failure" (wandering, or not finding out what is needed).
- "confidence": "low", "medium" or "high".
Describe this situation only; give no general rules and do not address the agent."""

_LENGTH = {"compact": "one sentence of at most 8 simple words", "full": "one or two short sentences"}


def messages(snapshot: Mapping[str, Any], verbosity: Verbosity) -> list[Message]:
    """The question about one row of SNAPSHOTS."""
    return [
        {"role": "system", "content": _SYSTEM.format(length=_LENGTH[verbosity])},
        {"role": "user", "content": described(snapshot)},
    ]


def described(snapshot: Mapping[str, Any]) -> str:
    """One row of SNAPSHOTS as a teacher sees it: goal, what was seen and done, the commands, the student's choice."""
    parts = situation(snapshot, "THE AGENT SEES")
    action = snapshot["student_action"]
    chosen = f"THE AGENT CHOSE\n{action}"
    with contextlib.suppress(AdviceError):  # no distribution was recorded
        second = bad_action(action, action, snapshot["commands"], snapshot["logp"])
        chosen += f"\n(second choice: {second})"
    parts.append(chosen)
    return "\n\n".join(parts)


def situation(decision: Mapping[str, Any], seen: str) -> list[str]:
    """The paragraphs on a decision (its columns in SNAPSHOTS): goal, memo, history, observation, what is seen (headed
    ``seen``) and the admissible commands."""
    parts = [f"GOAL\n{decision['goal']}"]
    if decision["memo"]:
        parts.append(f"READ SO FAR\n{decision['memo']}")
    if decision["history"]:
        turns = "\n".join(f"> {turn['command']}\n{turn['observation']}" for turn in decision["history"])
        parts.append(f"HISTORY\n{turns}")
    parts.append(f"LAST OBSERVATION\n{decision['observation']}")
    parts.append(f"{seen}\n{decision['scene']}")
    parts.append("ADMISSIBLE COMMANDS\n" + _listed(decision["commands"]))
    return parts


def correction(answer: str, problem: str, commands: Sequence[str], field: str = "suggested_action") -> list[Message]:
    """What is added to the conversation after an answer that was not accepted; ``field`` holds its command."""
    asked: list[Message] = [{"role": "assistant", "content": answer}] if answer.strip() else []
    text = (
        f"That answer was not accepted: {problem}. Answer again with the complete JSON object. "
        f"{field} must "
        f"be exactly one of:\n{_listed(commands)}"
    )
    return [*asked, {"role": "user", "content": text}]


def response_format(
    kind: str,
    commands: Sequence[str],
    enum_actions: bool,
    *,
    model: type[BaseModel] = Answer,
    field: str = "suggested_action",
    name: str = "advice",
) -> dict[str, Any] | None:
    """The request's `response_format`: answers are a ``model``, its command in ``field``; None for `plain`."""
    schema = model.model_json_schema()
    if enum_actions:
        schema["properties"][field]["enum"] = list(commands)
    return shape_of(kind, name, schema)


def shape_of(kind: str, name: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The `response_format` of answers of ``schema``, called ``name``; ``None`` for `plain`."""
    if kind == "plain":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": dict(schema)}}


NO_JSON = "it is not a complete JSON object"


def parse(text: str, *, truncated: bool = False) -> Answer | str:
    """The advice in ``text``, or what is wrong with it in words for the teacher; see :func:`parse_as`."""
    return parse_as(Answer, text, truncated=truncated)


def parse_as(model: type[Kind], text: str, *, truncated: bool = False) -> Kind | str:
    """The answer of ``model`` in ``text``, or what is wrong with it.

    Text around the JSON object (a code fence, a model's thinking) is passed over; nothing inside is. Of several objects
    the last that is an answer counts, and one behind the thinking before one within. An answer that is ``truncated`` is
    none where it ends within the thinking.
    """
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(text)
        return _validated(model, json.loads(value) if isinstance(value, str) else value)
    before, thought, behind = text.rpartition("</think>")
    parts = [behind]
    if not thought and "<think>" in text:
        parts = [] if truncated else [text]
    elif thought and not truncated:
        parts.append(before)
    problem = NO_JSON
    for part in parts:
        found = [_validated(model, value) for value in _objects(part)]
        for answer in reversed(found):
            if isinstance(answer, model):
                return answer
        if found and problem == NO_JSON:
            problem = str(found[-1])
    return problem


def _objects(text: str) -> Iterator[object]:
    """The complete JSON objects in ``text``, outermost ones, in order."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError:
            end = at + 1
        except RecursionError:  # nested deeper than any answer
            return
        else:
            yield value
        at = text.find("{", end)


def _validated(model: type[Kind], value: object) -> Kind | str:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = {".".join(str(part) for part in item["loc"]) or "answer": item["msg"] for item in error.errors()}
        return whole("; ".join(f"{field}: {problem}" for field, problem in problems.items()))


def _listed(commands: Sequence[str]) -> str:
    return "\n".join(f"- {command}" for command in commands)
