"""Many questions to one endpoint, each asked until its answer is accepted: of the teacher, and of the judge."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from teachable.config.teacher import Teacher
from teachable.teacher.cache import RequestCache
from teachable.teacher.errors import BudgetExceeded, TeacherError
from teachable.teacher.ledger import Ledger
from teachable.teacher.openai_client import Endpoint, Stopped
from teachable.teacher.prompt import Message
from teachable.teacher.refusals import RequestRefused

log = logging.getLogger(__name__)
Question = TypeVar("Question")
Answer = TypeVar("Answer")
Found = TypeVar("Found")
Progress = Callable[[int, int], object]  # (done, in all)

SHOWN = 500  # characters of a problem
ENOUGH = 10  # questions without an accepted answer, all for one reason and none with any, that end the run
_REMEDIES = {
    "overflow": "the questions do not fit into the context of the model: serve it with a longer one (vLLM's "
    "`--max-model-len`, llama.cpp's `-c`), lower `teacher.max_tokens` or name another `{who}.model`",
    "filter": "the endpoint filters these texts: name another `{who}.model` or `{who}.base_url`",
    "refusal": "the model refuses to answer: name another `{who}.model`",
    "truncated": "raise `teacher.max_tokens`, or switch the model's thinking off (for vLLM, in `teacher.extra_body`)",
    "empty": "the answers have no text: try another `teacher.response_format`, or switch the model's thinking off (for "
    "vLLM, in `teacher.extra_body`)",
    "form": "the answers have another form than asked for: set `teacher.response_format` to json_schema where the "
    "server has it, else to json_object or plain, or name another `{who}.model`",
    "command": "the suggested commands are not admissible: set `teacher.enum_actions` to true where the server has "
    "guided decoding, or name another `{who}.model`",
    "text": "the texts are not acceptable: name another `{who}.model`",
}


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Answer]):
    """How one question ended: with an ``answer``, or with the ``reason`` why there is none and its ``kind``.

    ``used``: attempts, prompt_tokens, completion_tokens (null where the server does not say) and cost_usd of the
    answers, from the cache or not.
    """

    answer: Answer | None
    reason: str = ""
    kind: str = ""
    refused: bool = False  # by the endpoint, for what this question's text is
    used: Mapping[str, Any] = field(default_factory=dict)


def converse(
    endpoint: Endpoint,
    conversation: Sequence[Message],
    shape: Mapping[str, Any] | None,
    *,
    label: str,
    parse: Callable[..., Answer | str],
    problem_of: Callable[[Answer | str], tuple[str, str]],
    correction: Callable[[str, str], Sequence[Message]],
    first: int = 0,
) -> Outcome[Answer]:
    """Ask one question until an answer is accepted or ``max_retries`` further attempts are used up.

    ``shape`` is the request's ``response_format``; ``label`` names the question in the ledger. ``parse(text,
    truncated=...)`` gives the answer or, as text, what is wrong with it; ``problem_of`` the kind of problem and the
    problem, both empty where it is accepted; ``correction(text, problem)`` what the next attempt adds; ``first`` tells
    repetitions of one question apart in the cache. Raises :class:`TeacherError` or a subclass when the endpoint cannot
    be asked, or :class:`Stopped`.
    """
    settings = endpoint.settings
    messages = list(conversation)
    used: dict[str, Any] = {"attempts": 0, "prompt_tokens": 0, "completion_tokens": 0, "cost_usd": 0.0}
    problem = kind = ""
    for attempt in range(settings.max_retries + 1):
        try:
            reply = endpoint.ask(messages, shape, attempt=first + attempt, label=label)
        except RequestRefused as error:
            return Outcome(None, str(error), error.kind, True, used)
        used["attempts"] += 1
        used["cost_usd"] += reply.cost_usd
        for count in ("prompt_tokens", "completion_tokens"):
            new = getattr(reply, count)
            used[count] = None if new is None or used[count] is None else used[count] + new
        answer = parse(reply.text, truncated=reply.truncated)
        if isinstance(answer, str) and not reply.truncated and not reply.text.strip():
            answer = parse(reply.reasoning)  # some servers take the whole answer for thinking
        kind, problem = problem_of(answer)
        problem = problem[:SHOWN]
        if not isinstance(answer, str) and not problem:
            return Outcome(answer, used=used)
        if reply.truncated:
            # Under the same limit the next answer would be cut off, too, and paid for.
            kind = "truncated"
            problem = f"it was cut off at {settings.max_tokens} tokens; raise `teacher.max_tokens`"
            break
        if reply.refusal:
            kind, problem = "refusal", f"the model refused: {' '.join(reply.refusal.split())}"[:SHOWN]
        elif not (reply.text + reply.reasoning).strip():
            kind = "empty"
        messages = [*messages, *correction(reply.text, problem)]
        if attempt < settings.max_retries:
            log.warning("teacher: %s: answer %d is not accepted, asked again: %s", label, attempt + 1, problem)
    return Outcome(None, f"after {used['attempts']} answers; the last: {problem}", kind, used=used)


class InVain:
    """Counts questions without an accepted answer until a first has one."""

    def __init__(self, what: str, who: str = "teacher") -> None:
        self._what, self._who = what, who  # "snapshots have no valid advice"
        self._reasons: Counter[str] | None = Counter()

    def note(self, accepted: bool, kind: str, last: str) -> TeacherError | None:
        """The error that ends the run once :data:`ENOUGH` have none, all of one ``kind``; ``last`` is the last reason.
        An empty kind says nothing."""
        if accepted:
            self._reasons = None
        elif self._reasons is not None and kind:
            self._reasons[kind] += 1
            if self._reasons[kind] == ENOUGH:
                return TeacherError(
                    f"{self._who}: {ENOUGH} {self._what}, all for one reason, and none has any; the last: {last}. "
                    f"Remedy: {_REMEDIES[kind].format(who=self._who)}. Answers are cached."
                )
        return None


def ask_all(
    settings: Teacher,
    questions: Sequence[Question],
    consult: Callable[[Endpoint, Question], tuple[dict[str, Any], str]],
    *,
    who: str = "teacher",
    what: str = "snapshots",
    wanted: str = "advice",
    progress: Progress | None = None,
    sleep: Callable[[float], object] | None = None,
) -> list[dict[str, Any]]:
    """A row of each of ``questions``, in their order, ``concurrency`` at a time.

    ``consult`` gives a row with ``valid`` and ``reason`` and, where it is not valid, the kind of reason. ``who``,
    ``what`` and ``wanted`` word the errors. Raises :class:`BudgetExceeded`, :class:`TeacherUnavailable` or
    :class:`TeacherError`, the latter also when the first :data:`ENOUGH` questions all stay without a valid answer for
    one reason; every answer that came in is in the cache by then.
    """
    ledger = Ledger(Path(settings.cache), settings.budget_usd)
    endpoint = Endpoint(settings, RequestCache(settings.cache), ledger, sleep=sleep)
    made: dict[int, dict[str, Any]] = {}
    in_vain = InVain(f"{what} have no valid {wanted}", who)

    def note(index: int, found: tuple[dict[str, Any], str]) -> TeacherError | None:
        row, kind = found
        made[index] = row
        if progress:
            progress(len(made), len(questions))
        return in_vain.note(row["valid"], kind, str(row["reason"]))

    with contextlib.closing(endpoint):
        try:
            ask_each(endpoint, dict(enumerate(questions)), lambda question: consult(endpoint, question), note, who=who)
        except BudgetExceeded as error:
            raise BudgetExceeded(f"{who}: {len(made)} of {len(questions)} {what} are finished; {error}") from None
    return [made[index] for index in sorted(made)]


def ask_each(
    endpoint: Endpoint,
    questions: Mapping[int, Question],
    consult: Callable[[Question], Found],
    note: Callable[[int, Found], TeacherError | None],
    *,
    who: str,
) -> None:
    """``consult`` each question, ``concurrency`` at a time, and ``note`` what it found, under the question's number, as
    it comes in; an error that ``note`` returns ends it.

    Raises the first error, of a question or a note, once what was on its way is in the cache; the endpoint is stopped
    then, and by an interrupt.
    """
    failure: BaseException | None = None
    with ThreadPoolExecutor(endpoint.settings.concurrency, thread_name_prefix=who) as pool:
        futures = {pool.submit(consult, question): index for index, question in questions.items()}
        try:
            for future in as_completed(futures):
                error = future.exception()
                if isinstance(error, Stopped):
                    continue
                if error is None:
                    error = note(futures[future], future.result())
                if error is not None:
                    failure = failure or error
                    endpoint.stop()  # the queue then drains at once, each with Stopped
        except BaseException:  # an interrupt: let what is on its way be stored, send nothing more
            endpoint.stop()
            raise
    if failure is not None:
        raise failure
