"""One question to an OpenAI-compatible endpoint: cached, budgeted, retried; the key appears nowhere.

The `openai` package does the HTTP. Its own retries are off: they neither know the budget nor can be tested
without waiting, and a request that is sent again has to be in the ledger again.
"""

from __future__ import annotations

import email.utils
import json
import logging
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from teachable.config.teacher import Teacher
from teachable.teacher.cache import RequestCache, request_key
from teachable.teacher.errors import TeacherError, TeacherUnavailable
from teachable.teacher.ledger import Ledger
from teachable.teacher.prompt import PROMPT_VERSION, Message

if TYPE_CHECKING:
    from openai import OpenAI

log = logging.getLogger(__name__)

_FIRST_WAIT, _WAIT_CAP = 1.0, 60.0  # seconds; doubles with every attempt, up to a quarter less at random
_RETRIED = frozenset((408, 409, 425, 429))  # and all 5xx
# A request with one of these codes is refused for what this snapshot's text is; any other 4xx would meet every request.
_SNAPSHOT_CODES = frozenset(
    ("context_length_exceeded", "content_filter", "content_policy_violation", "string_too_long")
)


class RequestRefused(TeacherError):
    """The endpoint refuses this one snapshot's text: too long, or filtered. The run goes on without it."""


class Stopped(Exception):
    """Another request met an error that ends the run."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, fresh or from the cache; the numbers are those of the request that was paid for."""

    text: str
    truncated: bool
    prompt_tokens: int | None  # null where the server does not say
    completion_tokens: int | None
    cost_usd: float


class Endpoint:
    """Asks one endpoint. Threads may share it.

    ``sleep`` waits between attempts; the default ends early when :meth:`stop` is called.
    """

    def __init__(
        self,
        settings: Teacher,
        cache: RequestCache,
        ledger: Ledger,
        *,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.settings = settings
        self._price = settings.prices[settings.model]
        self._cache = cache
        self._ledger = ledger
        self._stopping = threading.Event()
        self._sleep = sleep or self._stopping.wait
        self._client: OpenAI | None = None
        self._secret = ""
        self._lock = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}
        self._waiting: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Endpoint({self.settings.model!r} at {self.settings.endpoint!r})"

    def stop(self) -> None:
        """Let no further request be sent; those on their way are still stored."""
        self._stopping.set()

    def ask(
        self,
        messages: Sequence[Message],
        response_format: Mapping[str, Any] | None,
        *,
        attempt: int,
        label: str,
    ) -> Completion:
        """The answer to ``messages``: from the cache, else from the endpoint and then from the cache.

        ``attempt`` (0, 1, ...) tells repeated questions about one snapshot apart; ``label`` is its id, for
        the ledger. Raises :class:`TeacherError` or a subclass, or :class:`Stopped`.
        """
        if self._stopping.is_set():
            raise Stopped
        settings = self.settings
        body: dict[str, Any] = {"model": settings.model, "messages": list(messages)}
        body[settings.max_tokens_field] = settings.max_tokens
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        if response_format is not None:
            body["response_format"] = dict(response_format)
        request = {
            "endpoint": settings.endpoint,
            "prompt_version": PROMPT_VERSION,
            "attempt": attempt,
            "body": body,
            "extra_body": settings.extra_body,
        }
        key = request_key(request)
        with self._one_at_a_time(key):
            stored = self._cache.get(key)
            if stored is None:
                stored = self._request(key, request, label)
        return self._read(stored, body)

    def _request(self, key: str, request: Mapping[str, Any], label: str) -> str:
        """Send the request until an answer comes, store it, and return the stored response body."""
        import openai

        settings, body = self.settings, request["body"]
        client = self._connect()
        most = self._most(body)
        who = {"model": settings.model, "endpoint": settings.endpoint, "snapshot_id": label, "key": key}
        for tried in range(settings.max_retries + 1):
            if self._stopping.is_set():
                raise Stopped
            reservation = self._ledger.reserve(most, **who)
            wait: float | None = None
            problem = "interrupted"
            paid = most  # unless the endpoint says otherwise: a lost answer may have been billed
            try:
                reply = client.chat.completions.with_raw_response.create(**body, extra_body=settings.extra_body)
                text = self._scrub(reply.text)
                if _is_completion(text):
                    text = self._cache.put(key, request, text)
                    done = self._read(text, body)
                    paid, problem = done.cost_usd, "ok"
                    return text
                problem = "a response that is no completion"
            except openai.APITimeoutError:
                problem = f"no answer within {settings.timeout_s:g} s"
            except openai.APIConnectionError as error:
                problem = f"connection failed ({type(error.__cause__ or error).__name__})"
            except openai.APIStatusError as error:
                paid, problem = 0.0, f"HTTP {error.status_code}"
                wait = _retry_after(error.response.headers)
                failure = self._failure(error)
                if failure is not None:
                    raise failure from None  # the original holds the request's headers
            finally:
                numbers = {}
                if problem == "ok":
                    numbers = {
                        "prompt_tokens": done.prompt_tokens,
                        "completion_tokens": done.completion_tokens,
                    }
                self._ledger.settle(reservation, paid, **who, status=problem, **numbers)
            log.info("teacher: %s for %s, attempt %d of %d", problem, label, tried + 1, settings.max_retries + 1)
            if tried < settings.max_retries:
                self._pause(tried, wait, problem)
        raise TeacherUnavailable(
            f"teacher: {settings.endpoint} did not answer in {settings.max_retries + 1} attempts, last: {problem}. "
            "Finished answers are cached; see whether the endpoint is up (or raise `teacher.timeout_s`, lower "
            "`teacher.concurrency`) and run again."
        )

    def _pause(self, tried: int, wait: float | None, problem: str) -> None:
        """Wait as the server asks, else exponentially longer each time."""
        if wait is not None and wait > self.settings.longest_wait_s:
            raise TeacherUnavailable(
                f"teacher: {self.settings.endpoint} answers {problem} and asks to wait {wait:.0f} s, longer than "
                f"`longest_wait_s` = {self.settings.longest_wait_s:g}. Finished answers are cached; run again later."
            )
        if wait is None:
            wait = min(_FIRST_WAIT * 2.0**tried, _WAIT_CAP) * (1 - 0.25 * random.random())
        self._sleep(wait)

    def _failure(self, error: Any) -> TeacherError | None:
        """The error that ends the run (or this snapshot); ``None`` when the request is worth another attempt."""
        status, settings = error.status_code, self.settings
        code = str(error.code or "")
        where = f"teacher: {settings.endpoint} answered HTTP {status}"
        if code == "insufficient_quota":
            return TeacherError(f"{where}: the account's quota is used up. Finished answers are cached; add credit.")
        if status in _RETRIED or status >= 500:
            return None
        message = error.body.get("message") if isinstance(error.body, dict) else None
        said = self._scrub(" ".join(str(message or error.message).split()))[:300]
        if status in (400, 413, 422) and (status == 413 or code in _SNAPSHOT_CODES):
            return RequestRefused(f"{where} ({code or 'too large'}): {said}")
        if status in (401, 403):
            return TeacherError(
                f"{where}: it does not accept the key in the environment variable {settings.api_key_env or '(none)'} "
                f"for the model {settings.model!r}."
            )
        hint = "see `teacher.model` and `teacher.base_url`"
        if "response_format" in said or "json_schema" in said:
            hint = "set `teacher.response_format` to json_object or plain"
        elif "max_tokens" in said:
            hint = "set `teacher.max_tokens_field` to max_completion_tokens"
        elif "temperature" in said:
            hint = "set `teacher.temperature` to null"
        return TeacherError(f"{where}: {said}. Remedy: {hint}.")

    def _connect(self) -> OpenAI:
        """The HTTP client, made when the first request has to be sent."""
        with self._lock:
            if self._client is None:
                from openai import OpenAI

                settings = self.settings
                if settings.api_key_env:
                    secret = os.environ.get(settings.api_key_env, "").strip()
                    if not secret:
                        raise TeacherError(
                            f"teacher: the environment variable {settings.api_key_env} is not set; it must hold the "
                            f'API key for {settings.endpoint}. (`teacher.api_key_env: ""` for a '
                            f"server without keys.)"
                        )
                    if not secret.isascii() or not secret.isprintable() or " " in secret:
                        raise TeacherError(
                            f"teacher: {settings.api_key_env} does not hold an API key: it has blanks, "
                            "control or non-ASCII characters."
                        )
                    self._secret = secret
                self._client = OpenAI(
                    api_key=self._secret or "none",
                    base_url=settings.url,
                    timeout=settings.timeout_s,
                    max_retries=0,
                )
            return self._client

    def _scrub(self, text: str) -> str:
        """``text`` without anything that looks like a key, in case a server echoes it."""
        if self._secret:
            text = text.replace(self._secret, "***")
        return re.sub(r"\bsk-[\w*.-]{6,}", "***", text)

    def _most(self, body: Mapping[str, Any]) -> float:
        """Upper bound of a request's cost, US dollars: no token is shorter than a byte."""
        size = len(json.dumps(body, ensure_ascii=False).encode())
        return (size * self._price.input + self.settings.max_tokens * self._price.output) * 1e-6

    def _read(self, stored: str, body: Mapping[str, Any]) -> Completion:
        reply = json.loads(stored)
        choice = reply["choices"][0]
        message = choice.get("message") or {}
        text = message.get("content")
        usage = reply.get("usage") or {}
        prompt_tokens, completion_tokens = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if isinstance(prompt_tokens, int) and isinstance(completion_tokens, int):
            cost = (prompt_tokens * self._price.input + completion_tokens * self._price.output) * 1e-6
        else:
            prompt_tokens, completion_tokens, cost = None, None, self._most(body)
        return Completion(
            text=text if isinstance(text, str) else "",
            truncated=choice.get("finish_reason") == "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=cost,
        )

    @contextmanager
    def _one_at_a_time(self, key: str) -> Iterator[None]:
        """Two threads never pay for the same question."""
        with self._lock:
            lock = self._asking.setdefault(key, threading.Lock())
            self._waiting[key] += 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                self._waiting[key] -= 1
                if not self._waiting[key]:
                    del self._waiting[key], self._asking[key]


def _is_completion(text: str) -> bool:
    try:
        reply = json.loads(text)
        return isinstance(reply["choices"][0], dict)
    except (ValueError, KeyError, IndexError, TypeError):
        return False


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            date = email.utils.parsedate_tz(value)
            if date is None:
                continue
            seconds = email.utils.mktime_tz(date) - time.time()
        if seconds == seconds:  # not NaN
            return max(seconds, 0.0)
    return None
