"""What a server says instead of an answer, and what follows from it: another attempt, one snapshot less, or the end."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from teachable.config.teacher import Teacher
from teachable.teacher.errors import TeacherError
from teachable.teacher.keys import scrub
from teachable.teacher.replies import whole

_SHOWN, _READ = 300, 1000  # characters of a server's words; behind those a body may repeat the request
_RETRIED = frozenset((408, 409, 425, 429))  # and all 5xx
_BUSY = frozenset((429, 503, 529))  # these pass with time, whatever the number of attempts
_QUOTA = frozenset(("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"))
# A request that is refused so is refused for what this snapshot's text is; any other 4xx would meet every request.
_OVERFLOW_CODES = frozenset(
    ("context_length_exceeded", "exceed_context_size_error", "string_too_long", "string_above_max_length")
)
_FILTER_CODES = frozenset(
    ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "moderation_blocked")
)
# No two servers have the same words for it.
_OVERFLOW = re.compile(
    r"context[ _-]?(?:length|size|window|limit)"
    r"|max\w*[ _-](?:model[ _-]|prompt[ _-]|input[ _-]|sequence[ _-]|position\w*[ _-])*(?:len|length|context)\b"
    r"|(?:maximum|model'?s?|model) (?:number of (?:input )?tokens|prompt|input|token limit)\b"
    r"|too (?:large|long) to process|too long for (?:the )?requested model"
    r"|too many (?:input |prompt )?tokens|inputs?`? tokens \+ |range of input length",
    re.IGNORECASE,
)
_LONG = re.compile(  # of a 400 or 422 only: elsewhere time or money may be what is exceeded
    r"(?:prompt|inputs?|messages?|request|conversation|text|query|string)\b[^.]{0,60}\b"
    r"(?:too (?:long|large|big|many)|longer than|exceed)",
    re.IGNORECASE,
)
_FILTER = re.compile(
    r"content (?:filter|policy|management policy)|moderation|flagged|safety (?:system|filter)", re.IGNORECASE
)
# Of a busy server only this: no waiting makes the request smaller than what the account may send in a minute.
_TOO_LARGE = re.compile(r"request too large|must be reduced in order to run", re.IGNORECASE)
_ABOUT_THE_KEY = re.compile(
    r"api[ _-]?key|\bkey\b|token|credential|authenti|unauthorized|permission|not allowed to", re.IGNORECASE
)
_FATAL_KINDS = frozenset(  # in a body that came with HTTP 200
    (
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found_error",
        "invalid_api_key",
        "model_not_found",
        "BadRequestError",
        "AuthenticationError",
        "PermissionDeniedError",
        "NotFoundError",
    )
)


class RequestRefused(TeacherError):
    """The endpoint refuses this one snapshot's text: too long, or filtered. The run goes on without it."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind  # overflow or filter


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response, without the key."""

    sent: int  # the HTTP status
    status: int  # the error's own, where it came with HTTP 200
    codes: tuple[str, ...]
    said: str  # the first characters of what it says
    message: str  # more of it, for what it is about
    why: str = ""  # it is no completion, where it came with HTTP 200

    @classmethod
    def of(cls, sent: int, body: str, secret: str, *, why: str = "") -> Refusal:
        """What the response ``body``, of whatever shape, says; ``why`` it is no completion, of one with HTTP 200."""
        text = scrub(body, secret)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        codes = tuple(_codes(value))
        status = sent
        if sent < 400:
            own = [int(code) for code in codes if re.fullmatch(r"[45]\d\d", code)]
            status = own[0] if own else 400 if _FATAL_KINDS.intersection(codes) else sent
        # once more, for a key that is spelled with escapes
        message = scrub(_one_line(_message(value) or text), secret)
        return cls(sent, status, codes, message[:_SHOWN] or "(an empty body)", message[:_READ], why)

    @property
    def name(self) -> str:
        return f"HTTP {self.sent}" + (f", but {self.why}" if self.why else "")

    @property
    def busy(self) -> bool:
        return self.status in _BUSY

    def failure(self, settings: Teacher) -> TeacherError | None:
        """The error that ends the run, or this snapshot; ``None`` when the request is worth another attempt."""
        where = f"teacher: {settings.endpoint} answered {self.name}"
        kind = self._of_this_snapshot()
        if kind:
            words = [code for code in self.codes if not code.isdecimal() and code not in self.said]
            return RequestRefused(f"{where} ({', '.join(words) or kind}): {self.said}", kind)
        if _QUOTA.intersection(self.codes) or self.status == 402:
            return TeacherError(
                f"{where}: the account's quota is used up ({self.said}). Finished answers are cached; add credit."
            )
        if self.status < 300 or self.status in _RETRIED or self.status >= 500:
            return None
        whose = settings.api_key_env or "(none)"
        if self.status == 401 or (self.status == 403 and self._says_nothing_but_the_key()):
            return TeacherError(
                f"{where}: it does not accept the key in the environment variable {whose} "
                f"for the model {settings.model!r}: {self.said}"
            )
        if self.status == 403:
            return TeacherError(
                f"{where}: {self.said}. Remedy: another `teacher.base_url` or `teacher.model`, or a key (in {whose}) "
                "of an account that may use this one from here."
            )
        return TeacherError(f"{where}: {self.said}. Remedy: {self._hint(settings)}.")

    def _of_this_snapshot(self) -> str:
        if _OVERFLOW_CODES.intersection(self.codes) or self.status == 413:
            return "overflow"
        if _FILTER_CODES.intersection(self.codes):
            return "filter"
        if self.status in (401, 402, 404, 405):
            return ""
        if self.status == 429:
            return "overflow" if _TOO_LARGE.search(self.message) else ""
        refused = self.status in (400, 422)
        if self.status != 403 and (_OVERFLOW.search(self.message) or (refused and _LONG.search(self.message))):
            return "overflow"
        return "filter" if (refused or self.status in (403, 451)) and _FILTER.search(self.message) else ""

    def _says_nothing_but_the_key(self) -> bool:
        return len(self.said.split()) < 3 or bool(_ABOUT_THE_KEY.search(self.said))

    def _hint(self, settings: Teacher) -> str:
        """The setting that a server's words are about."""
        text = self.message
        own = [field for field in settings.extra_body if field in text]
        if own:
            return f"see `teacher.extra_body`: {', '.join(own)}"
        if re.search(r"response_format|json_schema|json_object|structured output|guided|grammar", text):
            return "set `teacher.response_format` to json_object or plain"
        if "max_tokens" in text or "max_completion_tokens" in text:
            if re.search(r"too large|at most|less than|exceed|maximum", text):
                return "lower `teacher.max_tokens`"
            other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
            return f"set `teacher.max_tokens_field` to {other[settings.max_tokens_field]}"
        if "temperature" in text:
            return "set `teacher.temperature` to null"
        return "see `teacher.model` and `teacher.base_url`"


def _codes(value: Any) -> list[str]:
    """Whatever a body calls `code` or `type`, on the outside and in its error."""
    found: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            continue
        found += [str(item[key]) for key in ("code", "type") if isinstance(item.get(key), str | int)]
        for inner in ("error", "errors", "innererror", "choices"):
            found += _codes(item.get(inner))
    return found


def _message(value: Any) -> str:
    """The message of a body that has one in a known place; else the whole body is shown."""
    if isinstance(value, list) and len(value) == 1:
        return _message(value[0])
    if not isinstance(value, dict):
        return ""
    inner = value.get("error")
    if inner is None and isinstance(value.get("choices"), list):
        return _message(value["choices"])
    if isinstance(inner, dict):
        return _message(inner)
    for text in (inner, value.get("message"), value.get("detail")):
        if isinstance(text, str) and text.strip():
            metadata = value.get("metadata")  # a router's: what the server behind it said
            raw = metadata.get("raw") if isinstance(metadata, dict) else None
            return f"{text} ({raw})" if isinstance(raw, str) and raw else text
    return ""


def _one_line(text: str) -> str:
    """``text`` without line breaks and control characters: it goes to logs and terminals."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", whole(text)).split())
