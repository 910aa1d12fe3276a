"""The way to the endpoint: one HTTP request, with a deadline for all of it.

The `openai` package does the HTTP, on an event loop of its own: only there can a deadline end a request that hangs in
its headers or drips its body, for the time-outs of the package hold for each byte. Its own retries are off: they
do not know the budget, cannot be tested without waiting, and a request that is sent again must be in the ledger again.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from teachable.config.teacher import Teacher
from teachable.teacher.errors import TeacherError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# What a client fails with before a byte of the request is on its way, by name: httpx or its successor.
_NEVER_SENT = frozenset(("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError"))


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; ``status`` is 0 where nothing did, and ``problem`` says why."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    sent: bool = True  # false: the server never had the request, so nothing was billed


class Wire:
    """Sends requests to one endpoint. Threads may share it; :meth:`close` ends it."""

    def __init__(self, settings: Teacher, secret: str) -> None:
        from openai import AsyncOpenAI

        self._settings = settings
        try:
            self._client: AsyncOpenAI = AsyncOpenAI(
                api_key=secret or "none", base_url=settings.url, timeout=settings.timeout_s, max_retries=0
            )
        except OSError as error:  # the certificates that these variables name
            named = [f"{name}={os.environ[name]}" for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ]
            raise TeacherError(
                f"teacher: the certificates for HTTPS cannot be read ({error.strerror or error}): "
                f"{' and '.join(named) or 'the default ones'}. Mend or unset that environment variable."
            ) from error
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="teacher-http", daemon=True)
        self._thread.start()

    def post(self, body: Mapping[str, Any]) -> Response:
        """Send one chat completion and wait for the response, `timeout_s` at most."""
        return asyncio.run_coroutine_threadsafe(self._post(body), self._loop).result()

    async def _post(self, body: Mapping[str, Any]) -> Response:
        import openai

        too_long = f"no answer within {self._settings.timeout_s:g} s"
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                reply = await self._client.chat.completions.with_raw_response.create(
                    **body, extra_body=self._settings.extra_body
                )
                return Response(reply.status_code, _decoded(reply.content), reply.headers)
        except TimeoutError:
            return Response(0, problem=too_long)
        except openai.APITimeoutError as error:
            return Response(0, problem=too_long, sent=type(error.__cause__).__name__ not in _NEVER_SENT)
        except openai.APIConnectionError as error:
            cause = type(error.__cause__ or error).__name__
            return Response(0, problem=f"connection failed ({cause})", sent=cause not in _NEVER_SENT)
        except openai.APIStatusError as error:
            return Response(error.status_code, _decoded(error.response.content), error.response.headers)

    def close(self) -> None:
        """Close the connections and end the loop; no request may be on its way."""
        asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _decoded(content: bytes) -> str:
    """JSON is UTF-8, whatever the header says."""
    return content.decode("utf-8-sig", errors="replace")
