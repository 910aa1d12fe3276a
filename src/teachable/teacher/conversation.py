"""A question asked until its answer is accepted or the attempts are used up; and when asking on is in vain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from teachable.teacher import prompt
from teachable.teacher.errors import TeacherError
from teachable.teacher.openai_client import Endpoint
from teachable.teacher.refusals import RequestRefused

A = TypeVar("A", bound=BaseModel)

SHOWN = 500  # characters of a problem
ENOUGH = 10  # questions without a valid answer, all for one reason and none with any, that end the run
REMEDIES = {
    "overflow": "the questions do not fit into the context of the model: serve it with a longer one (vLLM's "
    "`--max-model-len`, llama.cpp's `-c`), lower `teacher.max_tokens` or name another `teacher.model`",
    "filter": "the endpoint filters these texts: name another `teacher.model` or `teacher.base_url`",
    "refusal": "the model refuses to answer: name another `teacher.model`",
    "truncated": "raise `teacher.max_tokens`, or switch the model's thinking off (for vLLM, in `teacher.extra_body`)",
    "empty": "the answers have no text: try another `teacher.response_format`, or switch the model's thinking off (for "
    "vLLM, in `teacher.extra_body`)",
    "form": "the answers have another form than asked for: set `teacher.response_format` to json_schema where the "
    "server has it, else to json_object or plain, or name another `teacher.model`",
    "command": "the suggested commands are not admissible: set `teacher.enum_actions` to true where the server has "
    "guided decoding, or name another `teacher.model`",
    "text": "the texts are not acceptable: name another `teacher.model`",
}


@dataclass(slots=True)
class Outcome(Generic[A]):
    """How a question ended: with an ``answer``, or with a ``problem`` of a ``kind`` (of :data:`REMEDIES`)."""

    answer: A | None = None
    kind: str = ""
    problem: str = ""
    refused: bool = False  # the endpoint would not take the question
    attempts: int = 0
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    cost_usd: float = 0.0

    @property
    def used(self) -> dict[str, Any]:
        """Attempts, tokens and cost, under the names of the columns of ADVICE."""
        return {name: getattr(self, name) for name in ("attempts", "prompt_tokens", "completion_tokens", "cost_usd")}


def consult(
    endpoint: Endpoint,
    messages: Sequence[prompt.Message],
    shape: Mapping[str, Any] | None,
    model: type[A],
    judge: Callable[[A], tuple[str, str]],
    correct: Callable[[str, str], list[prompt.Message]],
    *,
    label: str,
    first: int = 0,
) -> Outcome[A]:
    """Ask until ``judge`` accepts the ``model`` in an answer, ``max_retries`` times again at most.

    ``judge`` gives kind and problem of an answer, empty where it is accepted; ``correct`` what is added to the
    conversation after an answer (its text, its problem). ``first`` tells repetitions of one question apart in the
    cache. Raises what :meth:`Endpoint.ask` does, but for a refusal of this one question.
    """
    settings = endpoint.settings
    found: Outcome[A] = Outcome()
    conversation = list(messages)
    for attempt in range(settings.max_retries + 1):
        try:
            reply = endpoint.ask(conversation, shape, attempt=first + attempt, label=label)
        except RequestRefused as error:
            found.kind, found.problem, found.refused = error.kind, str(error), True
            return found
        found.attempts += 1
        found.cost_usd += reply.cost_usd
        for count in ("prompt_tokens", "completion_tokens"):
            new, before = getattr(reply, count), getattr(found, count)
            setattr(found, count, None if new is None or before is None else before + new)
        answer = prompt.parse(reply.text, model, truncated=reply.truncated)
        if isinstance(answer, str) and not reply.truncated and not reply.text.strip():
            answer = prompt.parse(reply.reasoning, model)  # some servers take the whole answer for thinking
        found.kind, problem = ("form", answer) if isinstance(answer, str) else judge(answer)
        found.problem = problem[:SHOWN]
        if not isinstance(answer, str) and not found.problem:
            found.answer, found.kind = answer, ""
            return found
        if reply.truncated:
            # Under the same limit the next answer would be cut off, too, and paid for.
            found.kind = "truncated"
            found.problem = f"it was cut off at {settings.max_tokens} tokens; raise `teacher.max_tokens`"
            return found
        if reply.refusal:
            found.kind = "refusal"
            found.problem = f"the model refused: {' '.join(reply.refusal.split())}"[:SHOWN]
        elif not (reply.text + reply.reasoning).strip():
            found.kind = "empty"
        conversation = [*conversation, *correct(reply.text, found.problem)]
    return found


class InVain:
    """Counts questions without a valid answer until a first has one."""

    def __init__(self, what: str) -> None:
        self._what = what  # "snapshots have no valid advice"
        self._reasons: Counter[str] | None = Counter()

    def note(self, kind: str, last: str) -> TeacherError | None:
        """The error that ends the run after :data:`ENOUGH` of one kind. ``kind`` empty: it says nothing; ``valid``: it
        was accepted."""
        if kind == "valid":
            self._reasons = None
        elif self._reasons is not None and kind:
            self._reasons[kind] += 1
            if self._reasons[kind] == ENOUGH:
                return TeacherError(
                    f"teacher: {ENOUGH} {self._what}, all for one reason, and none has any; the last: {last}. "
                    f"Remedy: {REMEDIES[kind]}. Answers are cached."
                )
        return None
