"""A response body, checked before it is stored: what it says, what it cost, or that it is no completion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from teachable.config.teacher import Price

_MOST_TOKENS = 10**8  # more than any model reads or writes: such a number is no count
_CUT = frozenset(("length", "max_tokens", "max_output_tokens", "model_length"))


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, fresh or from the cache; the numbers are those of the request that was paid for."""

    text: str
    reasoning: str  # what the model wrote beside its answer; some servers put the answer itself there
    refusal: str
    truncated: bool
    prompt_tokens: int | None  # null where the server does not say
    completion_tokens: int | None
    cost_usd: float


class NoCompletion(Exception):
    """A response that holds no answer.

    ``explicit`` where the server itself calls it an error; ``cost_usd`` where it says what was used nevertheless.
    """

    def __init__(self, why: str, *, explicit: bool = False, cost_usd: float | None = None) -> None:
        super().__init__(why)
        self.explicit = explicit
        self.cost_usd = cost_usd


def read(body: str, price: Price, most: float) -> Completion:
    """The completion in a response body. ``most`` is its cost in US dollars where the server does not say.

    Raises :class:`NoCompletion`.
    """
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        raise NoCompletion("it is no JSON") from None
    if not isinstance(reply, dict):
        raise NoCompletion("it is no JSON object", explicit=isinstance(reply, list) and any(map(_is_error, reply)))
    prompt_tokens, completion_tokens = _usage(reply.get("usage"))
    cost: float | None = None
    if prompt_tokens is not None and completion_tokens is not None:
        cost = (prompt_tokens * price.input + completion_tokens * price.output) * 1e-6
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices:
        raise NoCompletion("it has no choices", explicit=_is_error(reply), cost_usd=cost)
    choice = choices[0]
    if not isinstance(choice, dict):
        raise NoCompletion("its choice is no object", explicit=_is_error(reply), cost_usd=cost)
    if choice.get("error") or _is_error(reply):
        raise NoCompletion("it is an error", explicit=True, cost_usd=cost)
    message = choice.get("message")
    if message is None and choice.get("finish_reason"):  # e.g. a filter took all of it
        message = {}
    if not isinstance(message, dict):
        raise NoCompletion("its message is no object", cost_usd=cost)
    content = message.get("content")
    if not isinstance(content, str | list | dict | None):
        raise NoCompletion("its content is no text", cost_usd=cost)
    return Completion(
        text=_text(content, ("text", "output_text")),
        reasoning=_text(
            message.get("reasoning_content") or message.get("reasoning") or _thinking(content), ("text", "thinking")
        ),
        refusal=_text(message.get("refusal"), ("refusal",)) or _text(content, ("refusal",), parts_only=True),
        truncated=str(choice.get("finish_reason")).lower() in _CUT,
        prompt_tokens=None if cost is None else prompt_tokens,
        completion_tokens=None if cost is None else completion_tokens,
        cost_usd=most if cost is None else cost,
    )


def whole(text: str) -> str:
    """``text`` with the replacement character for halves of a surrogate pair, which no file and no request can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_error(reply: Any) -> bool:
    if not isinstance(reply, dict):
        return False
    if reply.get("error") or reply.get("errors") or reply.get("object") == "error":
        return True
    return not reply.get("choices") and any(isinstance(reply.get(key), str) for key in ("detail", "message", "msg"))


def _usage(usage: Any) -> tuple[int | None, int | None]:
    """Prompt and completion tokens; ``None`` where the server does not say, or says what is no count."""
    if not isinstance(usage, dict):
        return None, None
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    if all(type(count) is int and 0 <= count <= _MOST_TOKENS for count in counts):
        return counts[0], counts[1]
    return None, None


def _text(content: Any, kinds: tuple[str, ...], *, parts_only: bool = False) -> str:
    """The text of a message's field: a string, an object, or a list of parts, of which those of ``kinds`` count."""
    if isinstance(content, str):
        return "" if parts_only else whole(content)
    if isinstance(content, list):
        texts = []
        for part in content:
            if isinstance(part, str):
                texts.append("" if parts_only else part)
            elif isinstance(part, dict) and part.get("type", "text") in kinds:
                texts.append(_text(part.get(part.get("type", "text"), part.get("text")), kinds))
        return whole("".join(texts))
    if isinstance(content, dict) and not parts_only:
        return whole(json.dumps(content, ensure_ascii=False))
    return ""


def _thinking(content: Any) -> list[Any]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
