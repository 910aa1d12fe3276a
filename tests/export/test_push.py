"""Uploads to a real HTTP server that speaks what the hub's own client asks for: files, secrets, refusals."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from teachable.cli import main

TOKEN = "hf_thisIsNoRealTokenButASecretAllTheSame"


class Hub:
    """A hub with one shelf: repositories by name, each a mapping of files, and what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []  # method, path, Authorization
        self.made: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.url = ""
        self.refuse = 0
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, body: Any, status: int = 200) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def body(self) -> bytes:
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    parts = []
                    while size := int(self.rfile.readline(), 16):
                        parts.append(self.rfile.read(size))
                        self.rfile.readline()
                    self.rfile.readline()
                    return b"".join(parts)
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def do_POST(self) -> None:
                body = self.body()
                hub.asked.append(("POST", self.path, self.headers.get("Authorization")))
                if hub.refuse:
                    self.answer({"error": f"token {TOKEN} may not write"}, hub.refuse)
                elif self.path == "/api/repos/create":
                    told = json.loads(body)
                    hub.made[told["name"]] = told
                    shelf = "datasets/" if told.get("type") == "dataset" else ""
                    hub.url = f"{hub.address}/{shelf}{told.get('organization')}/{told['name']}"
                    self.answer({"url": hub.url, "name": told["name"]})
                elif self.path == "/api/validate-yaml":
                    self.answer({"errors": [], "warnings": []})
                elif "/preupload/" in self.path:
                    large = (".safetensors", ".parquet")
                    modes = [
                        {"path": one["path"], "uploadMode": "lfs" if one["path"].endswith(large) else "regular",
                         "shouldIgnore": False, "oid": None}
                        for one in json.loads(body)["files"]
                    ]  # fmt: skip
                    self.answer({"files": modes})
                elif self.path.endswith("/info/lfs/objects/batch"):
                    objects = [
                        {"oid": one["oid"], "size": one["size"],
                         "actions": {"upload": {"href": f"{hub.address}/blob/{one['oid']}"}}}
                        for one in json.loads(body)["objects"]
                    ]  # fmt: skip
                    self.answer({"transfer": "basic", "objects": objects})
                elif "/commit/" in self.path:
                    for line in body.decode().splitlines():
                        entry = json.loads(line)
                        value = entry["value"]
                        if entry["key"] == "file":
                            hub.files[value["path"]] = base64.b64decode(value["content"])
                        elif entry["key"] == "lfsFile":
                            hub.files[value["path"]] = hub.blobs[value["oid"]]
                    self.answer({"commitUrl": f"{hub.url}/commit/abc", "commitOid": "abc", "success": True})
                else:
                    self.answer({"error": f"unknown {self.path}"}, 404)

            def do_PUT(self) -> None:
                body = self.body()
                hub.asked.append(("PUT", self.path, self.headers.get("Authorization")))
                hub.blobs[hashlib.sha256(body).hexdigest()] = body
                self.answer({})

            def do_GET(self) -> None:
                hub.asked.append(("GET", self.path, self.headers.get("Authorization")))
                self.answer({"error": f"unknown {self.path}"}, 404)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.server.shutdown()


@pytest.fixture
def exported(results: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    assert main(["export", "dataset", str(results), "-o", str(out)]) == 0
    return out


def push(hub: Hub | None, *words: str | Path, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the client reads its address when it is imported. Xet is another protocol."""
    place = Path(str(words[0])).parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return subprocess.run(
        [sys.executable, "-m", "teachable.cli", "push", *map(str, words)],
        env=kept | {"HF_HOME": str(place / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        | {"HF_ENDPOINT": hub.address if hub else "http://127.0.0.1:9", **({"HF_TOKEN": token} if token else {})},
        capture_output=True,
        text=True,
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_lies_in_the_folder_arrives(hub: Hub, exported: Path) -> None:
    done = push(hub, exported, "me/moments")
    assert done.returncode == 0, done.stderr
    assert hub.files == contents(exported)
    assert len(hub.blobs) >= 1, "large files go their own way"
    (made,) = hub.made.values()
    assert (made["name"], made["type"]) == ("moments", "dataset")
    assert made.get("private") is True or made.get("visibility") == "private"
    assert done.stdout.strip() == f"{hub.address}/datasets/me/moments/commit/abc"
    assert {secret for method, _, secret in hub.asked if method == "POST"} == {f"Bearer {TOKEN}"}
    assert TOKEN not in done.stdout + done.stderr


def test_a_dry_run_sends_nothing_and_lists_what_would_arrive(hub: Hub, exported: Path) -> None:
    done = push(hub, exported, "me/moments", "--dry-run", token="")
    assert done.returncode == 0, done.stderr
    assert not hub.asked
    listed = {line.split()[1]: int(line.split()[0].replace(",", "")) for line in done.stdout.splitlines()}
    assert listed == {name: len(data) for name, data in contents(exported).items()}
    assert "nothing was sent" in done.stderr


def test_an_adapter_is_a_model(hub: Hub, exported: Path) -> None:
    (exported / "adapter_config.json").write_text("{}")
    assert push(hub, exported, "me/adapter", "--public").returncode == 0
    (made,) = hub.made.values()
    assert made.get("type", "model") == "model"
    assert made.get("private") is False or made.get("visibility") == "public"


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refusal_is_one_sentence_without_the_token(hub: Hub, exported: Path, status: int) -> None:
    hub.refuse = status
    done = push(hub, exported, "me/moments")
    assert done.returncode == 1
    assert done.stderr.startswith("teachable: ")
    assert len(done.stderr.splitlines()) == 1
    assert f"HTTP {status}" in done.stderr
    assert "may not write" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_without_a_token_or_a_way(exported: Path) -> None:
    done = push(None, exported, "me/moments", token="")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "HF_TOKEN" in done.stderr
    done = push(None, exported, "me/moments")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert main(["push", *map(str, words), "--dry-run"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_only_what_an_export_wrote_goes(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert "is no folder" in refused(capsys, tmp_path / "none", "me/x")
    (tmp_path / "other").mkdir()
    assert "has no README.md" in refused(capsys, tmp_path / "other", "me/x")
    assert "no repository of the hub" in refused(capsys, exported, "moments")
    (exported / "data/.env").write_text("HF_TOKEN=x")
    assert "data/.env is a hidden file" in refused(capsys, exported, "me/x")
    (exported / "data/.env").unlink()
    (exported / "link").symlink_to("/etc/passwd")
    assert "link is a link" in refused(capsys, exported, "me/x")
