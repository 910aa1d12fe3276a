"""A chat-completions server on loopback that misbehaves as told, and snapshots to ask it about."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from configured import section

from teachable import tables
from teachable.config.teacher import Teacher
from teachable.student.prompt import Transition

KEY = "sk-test-0123456789-do-not-leak"

GOOD = {
    "suggested_action": "take red apple from table",
    "rationale": "The recipe asks for it.",
    "diagnosis": "An ingredient is missing.",
    "why_bad": "It leads away from the food.",
    "error_type": "exploration_failure",
    "confidence": "high",
}


def completion(answer: dict[str, Any] | str, *, finish: str = "stop", usage: bool = True, **extra: Any) -> str:
    """A response body of the chat completions API."""
    content = answer if isinstance(answer, str) else json.dumps(answer)
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}],
        **extra,
    }
    if usage:
        body["usage"] = {"prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 500}
    return json.dumps(body)


@dataclass
class Reply:
    """One HTTP response; ``delay`` seconds before it, ``cut`` closes the connection after half of the body.

    ``drip`` seconds pass before every byte of the body, or of a header where ``drip_headers``.
    """

    body: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    drip: float = 0.0
    drip_headers: bool = False


def error(status: int, code: str | None = None, message: str = "no", **headers: str) -> Reply:
    body = json.dumps({"error": {"message": message, "type": "x", "param": None, "code": code}})
    return Reply(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


class Server:
    """Answers with ``script`` replies in turn, then with ``otherwise``; records every request."""

    def __init__(self) -> None:
        self.script: list[Reply | Callable[[dict[str, Any]], Reply]] = []
        self.otherwise: Callable[[dict[str, Any]], Reply] = lambda request: Reply(completion(GOOD))
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.listed: list[str | None] = []  # keys that asked for the list of models
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """The list of models, which is looked at before a run."""
                outer.listed.append(self.headers.get("Authorization"))
                data = json.dumps({"object": "list", "data": [{"id": "gpt-4o-mini"}, {"id": "other"}]}).encode()
                self.send_response(200 if self.path == "/v1/models" else 404)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.requests.append(request)
                    outer.keys.append(self.headers.get("Authorization"))
                    outer.at_once += 1
                    outer.most_at_once = max(outer.most_at_once, outer.at_once)
                    step = outer.script.pop(0) if outer.script else outer.otherwise
                try:
                    reply = step if isinstance(step, Reply) else step(request)
                    time.sleep(reply.delay)
                finally:
                    with outer.lock:
                        outer.at_once -= 1
                data = reply.body.encode()
                try:
                    self.send_response(reply.status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    if reply.drip_headers:
                        self.flush_headers()
                        for byte in b"X-Slow: " + b"x" * 200:
                            self.wfile.write(bytes([byte]))
                            time.sleep(reply.drip)
                        self.wfile.write(b"\r\n")
                    self.end_headers()
                    for byte in data if reply.drip and not reply.drip_headers else b"":
                        self.wfile.write(bytes([byte]))
                        time.sleep(reply.drip)
                    if reply.drip and not reply.drip_headers:
                        return
                    self.wfile.write(data[: len(data) // 2] if reply.cut else data)
                    self.close_connection = self.close_connection or reply.cut
                except (BrokenPipeError, ConnectionResetError):  # the client has given up
                    self.close_connection = True

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY


def price(input: float, output: float) -> dict[str, float]:
    return {"input": input, "output": output}


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> Callable[..., Teacher]:
    def make(**changes: Any) -> Teacher:
        values: dict[str, Any] = {
            "source": "openai",
            "base_url": server.url,
            "max_retries": 2,
            "timeout_s": 5.0,
            "concurrency": 4,
            "budget_usd": 1.0,
            "cache": str(tmp_path / "cache"),
            "prices": {"gpt-4o-mini": price(input=0.15, output=0.60), "other": price(input=1, output=1)},
        }
        return section("teacher", **{**values, **changes})

    return make


def snapshot(name: str = "s0", **changes: Any) -> dict[str, Any]:
    """One row of SNAPSHOTS; its name is in the observation, so that every snapshot asks another question."""
    return {
        "snapshot_id": name,
        "task_id": "t0",
        "family": "easy",
        "source": "student",
        "kind": "failure",
        "episode_id": "e0",
        "step": 1,
        "distance": 3,
        "prefix": ["open fridge"],
        "digest": "d",
        "goal": "Prepare the meal.",
        "memo": "ingredients: red apple; directions: slice the red apple, prepare meal",
        "scene": "kitchen | table: red apple | exits: north | you have: nothing",
        "observation": f"You look around ({name}).",
        "history": [Transition("open fridge", "It is open.").columns()],
        "commands": ["go north", "open oven", "take red apple from table"],
        "logp": [-0.2, -2.0, -3.0],
        "student_action": "go north",
        **changes,
    }


def snapshots(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(tables.SNAPSHOTS))
