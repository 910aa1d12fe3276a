"""A teacher on loopback that fails at random: an OpenAI-compatible server for campaigns.

Its answer to a question depends on the question alone, so whoever asks twice reads the same: the first admissible
command that the student did not choose, and to one question in eight, at first, a command that is none. One request in
:data:`FAULTY` meets a fault: busy (429), an error (500), a connection cut in the middle, a page of a proxy.
What was answered whole, and so is paid for, is counted by request.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("busy", "error", "cut", "garbage")
FAULTY = 0.3  # share of requests
MODEL = "loopback"
LATENCY = 0.05  # seconds


class FaultyTeacher:
    """Serves on 127.0.0.1:``port`` until :meth:`close`; ``faulty``: the share of requests that meet a fault."""

    def __init__(self, port: int, *, seed: int = 1, faulty: float = FAULTY) -> None:
        self.faulty = faulty
        self.random = random.Random(seed)
        self.paid: Counter[str] = Counter()  # request -> how often it was answered whole
        self.faults: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Without faults, for a while."""
        faulty, self.faulty = self.faulty, 0.0
        try:
            yield
        finally:
            self.faulty = faulty

    def settings(self, cache: str, concurrency: int) -> str:
        """The section ``teacher`` that asks it, for ``--config``."""
        price = {MODEL: {"input": 1.0, "output": 2.0}}
        section = {"source": "openai", "model": MODEL, "base_url": self.url, "api_key_env": "", "prices": price}
        return "teacher=" + json.dumps({**section, "cache": cache, "max_retries": 8, "concurrency": concurrency})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(200, json.dumps({"object": "list", "data": [{"id": MODEL}]}).encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(LATENCY)
                with outer.lock:
                    fault = outer.random.choice(FAULTS) if outer.random.random() < outer.faulty else None
                    outer.faults.update([fault] if fault else [])
                whole = json.dumps(completion(reply(json.loads(body)))).encode()
                if fault == "busy":
                    self.answer(429, b'{"error": {"message": "Try again in 100ms.", "code": "rate_limit_exceeded"}}')
                elif fault == "error":
                    self.answer(500, b'{"error": {"message": "The server had an error."}}', retry_after_ms="100")
                elif fault == "garbage":
                    self.answer(200, b"<html>upstream connect error</html>")
                elif fault == "cut":
                    self.answer(200, whole, send=len(whole) // 2)
                    self.close_connection = True
                elif self.answer(200, whole):
                    with outer.lock:
                        outer.paid[name_of(json.loads(body))] += 1

            def answer(self, status: int, data: bytes, *, send: int | None = None, retry_after_ms: str = "") -> bool:
                """Whether the other side took all of it."""
                try:
                    self.send_response(status)
                    if retry_after_ms:
                        self.send_header("retry-after-ms", retry_after_ms)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data[:send])
                    self.wfile.flush()
                except OSError:
                    self.close_connection = True
                    return False
                return True

            def log_message(self, *_: Any) -> None: ...

        return Handler


def name_of(body: dict[str, Any]) -> str:
    """A request's name: the digest of what it says."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def reply(request: dict[str, Any]) -> dict[str, str]:
    """The advice on a question, from its text."""
    question = request["messages"][1]["content"]
    listed = question.split("ADMISSIBLE COMMANDS\n", 1)[1].split("\n\n", 1)[0]
    commands = [line.removeprefix("- ").strip() for line in listed.splitlines()]
    chosen = question.split("THE AGENT CHOSE\n", 1)[1].splitlines()[0]
    others = [command for command in commands if command != chosen]
    number = int(hashlib.sha256(question.encode()).hexdigest(), 16)
    wrong = number % 8 == 0 and len(request["messages"]) == 2
    return {
        "suggested_action": "juggle three knives" if wrong else others[number % len(others)],
        "rationale": "The goal asks for it.",
        "diagnosis": "Something is still missing.",
        "why_bad": "It leads away from there.",
        "error_type": "exploration_failure",
        "confidence": "high",
    }


def completion(answer: dict[str, str]) -> dict[str, Any]:
    """A response body of the chat completions API."""
    message = {"role": "assistant", "content": json.dumps(answer)}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 500}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL}
    return {**head, "choices": [choice], "usage": usage}
