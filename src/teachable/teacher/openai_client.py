"""One question to an OpenAI-compatible endpoint: cached, budgeted, retried; the key appears nowhere."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from teachable.config.teacher import Teacher
from teachable.teacher.cache import RequestCache, request_key
from teachable.teacher.errors import TeacherUnavailable
from teachable.teacher.keys import read_key, scrub_json
from teachable.teacher.ledger import Ledger
from teachable.teacher.prompt import PROMPT_VERSION, Message
from teachable.teacher.refusals import Refusal
from teachable.teacher.replies import Completion, NoCompletion, read
from teachable.teacher.waits import at_least, backoff, stated
from teachable.teacher.wire import Response, Wire

log = logging.getLogger(__name__)


class Stopped(Exception):
    """Another request met an error that ends the run."""


class Endpoint:
    """Asks one endpoint. Threads may share it; :meth:`close` it when nobody asks any more.

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
        self._wire: Wire | None = None
        self._secret = ""
        self._lock = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}
        self._waiting: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Endpoint({self.settings.model!r} at {self.settings.endpoint!r})"

    def stop(self) -> None:
        """Let no further request be sent; those on their way are still stored."""
        self._stopping.set()

    def close(self) -> None:
        """End the connections. No request may be on its way."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

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
        most = self._most(body)
        with self._one_at_a_time(key):
            stored = self._stored(key, most)
            if stored is not None:
                return stored
            with self._cache.asking(key, self._wait):
                return self._stored(key, most) or self._request(key, request, most, label)

    def _stored(self, key: str, most: float) -> Completion | None:
        body = self._cache.get(key)
        if body is not None:
            try:
                return read(body, self._price, most)
            except NoCompletion as error:  # of a version that stored before it checked
                self._cache.put_aside(key, str(error))
        return None

    def _wait(self, seconds: float) -> None:
        """Let another process that asks the same go on; :class:`Stopped` when nothing is to be asked any more."""
        if self._stopping.wait(seconds):
            raise Stopped

    def _request(self, key: str, request: Mapping[str, Any], most: float, label: str) -> Completion:
        """Send the request until an answer comes, and store it."""
        settings = self.settings
        wire = self._connect()
        who = {"model": settings.model, "endpoint": settings.endpoint, "snapshot_id": label, "key": key}
        failed = busy = 0
        waited = 0.0
        while True:
            if self._stopping.is_set():
                raise Stopped
            reservation = self._ledger.reserve(most, **who)
            paid, status = most, "interrupted"  # unless the endpoint says otherwise: a lost answer may have been billed
            numbers: dict[str, int | None] = {}
            try:
                response = wire.post(request["body"])
                done, refusal, paid = self._understand(response, key, request, most)
                if done is not None:
                    numbers = {"prompt_tokens": done.prompt_tokens, "completion_tokens": done.completion_tokens}
                status = "ok" if done is not None else refusal.name if refusal is not None else response.problem
            finally:
                self._ledger.settle(reservation, paid, **who, status=status, **numbers)
            if done is not None:
                return done
            problem = status if refusal is None else f"{refusal.name}: {refusal.said}"
            failure = None if refusal is None else refusal.failure(settings)
            log.info("teacher: %s for %s, attempt %d", problem, label, failed + busy + 1)
            if failure is not None:
                raise failure
            is_busy = refusal is not None and refusal.busy
            asked = None if refusal is None else stated(response.headers, refusal.message, busy=is_busy)
            if is_busy:
                busy += 1
            else:
                failed += 1
                if failed > settings.max_retries:
                    raise TeacherUnavailable(
                        f"teacher: {settings.endpoint} did not answer in {failed} attempts, last: {problem}. Finished "
                        "answers are cached; see whether the endpoint is up (or raise `teacher.timeout_s`, lower "
                        "`teacher.concurrency`) and run again."
                    )
            waited += self._pause(failed + busy - 1, asked, waited, problem)

    def _understand(
        self, response: Response, key: str, request: Mapping[str, Any], most: float
    ) -> tuple[Completion | None, Refusal | None, float]:
        """The answer, checked and then stored, or the server's refusal, and what is to be paid."""
        if not response.status:
            return None, None, most if response.sent else 0.0
        if response.status >= 300:
            return None, Refusal.of(response.status, response.body, self._secret), 0.0
        try:
            done = read(response.body, self._price, most)
        except NoCompletion as error:
            paid = error.cost_usd
            if paid is None:
                paid = 0.0 if error.explicit else most
            return None, Refusal.of(response.status, response.body, self._secret, why=str(error)), paid
        text = scrub_json(response.body, self._secret)
        kept = self._cache.put(key, request, text)
        # Where another writer's answer came first, it is the one that later runs read; this one was paid for, too.
        return read(kept, self._price, most), None, done.cost_usd

    def _pause(self, tried: int, asked: float | None, waited: float, problem: str) -> float:
        """Wait as the server asks, else exponentially longer each time; returns the seconds."""
        most = self.settings.longest_wait_s
        left = most - waited
        if asked is not None and asked > left:
            raise TeacherUnavailable(
                f"teacher: {self.settings.endpoint} asks to wait {asked:.0f} s, longer than `longest_wait_s` = "
                f"{most:g} allows after {waited:.0f} s of waiting ({problem}). Finished answers are cached; run again "
                "later."
            )
        if left <= 0:
            raise TeacherUnavailable(
                f"teacher: {self.settings.endpoint} does not answer after {waited:.0f} s of waiting "
                f"(`longest_wait_s` = {most:g}), last: {problem}. Finished answers are cached; run again later, with a "
                "lower `teacher.concurrency` or a higher `teacher.longest_wait_s`."
            )
        seconds = min(backoff(tried) if asked is None else at_least(asked, tried), left)
        log.warning("teacher: %s; asked again in %.0f s, after %.0f s of waiting", problem, seconds, waited)
        self._sleep(seconds)
        return seconds

    def _connect(self) -> Wire:
        """The HTTP client, made when the first request has to be sent."""
        with self._lock:
            if self._wire is None:
                self._secret = read_key(self.settings.api_key_env, self.settings.endpoint)
                self._wire = Wire(self.settings, self._secret)
            return self._wire

    def _most(self, body: Mapping[str, Any]) -> float:
        """Upper bound of a request's cost, US dollars: no token is shorter than a byte."""
        size = len(json.dumps(body, ensure_ascii=False).encode())
        return (size * self._price.input + self.settings.max_tokens * self._price.output) * 1e-6

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
