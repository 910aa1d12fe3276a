"""What a run would be refused for in hour three is refused before its first job; `teachable check` says it alone."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import threading
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from configured import RAW

from teachable import cli
from teachable.artifacts.store import Store
from teachable.config import Config, load_config
from teachable.workflow import ready
from teachable.workflow.ready import NotReady, look, require

ROOT = Path(__file__).parents[2]
KEY = "sk-ready-0123456789abcdef"
Usage = namedtuple("Usage", "total used free")


class Listing:
    """An endpoint that lists models; ``answers``: path -> (status, body)."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {"/v1/models": (200, {"data": [{"id": "small"}, {"id": "large"}]})}
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("Authorization")))
                status, body = outer.answers.get(self.path, (404, {"error": {"message": "no such thing"}}))
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                if status in (301, 302):
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def listing() -> Iterator[Listing]:
    made = Listing()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("TEACHABLE_STORE", "off")
    return tmp_path


def asking(url: str, **changes: Any) -> Config:
    teacher = {"source": "openai", "base_url": url, "model": "small", "prices": {"small": {"input": 0, "output": 0}}}
    return load_config({**RAW, "override": {"teacher": {**teacher, **changes}}}, preset="smoke")


def problems(config: Config, **how: Any) -> list[str]:
    return [found.said for found in look(config, store=None, **how) if found.problem]


def test_an_endpoint_that_answers_is_ready(listing: Listing) -> None:
    assert problems(asking(listing.url)) == []
    assert listing.asked == [("/v1/models", f"Bearer {KEY}")]


def test_a_missing_key(listing: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    (said,) = problems(asking(listing.url))
    assert "OPENAI_API_KEY is not set" in said
    assert not listing.asked
    assert problems(asking(listing.url, api_key_env="")) == []  # a server without keys


def test_a_key_that_is_not_accepted(listing: Listing) -> None:
    listing.answers["/v1/models"] = (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    (said,) = problems(asking(listing.url))
    assert "does not accept the key in the environment variable OPENAI_API_KEY" in said
    assert KEY not in said


def test_a_key_that_may_ask_and_not_list(listing: Listing) -> None:
    for status in (401, 403):
        listing.answers["/v1/models"] = (status, {"error": {"message": "Missing scopes: api.model.read"}})
        assert problems(asking(listing.url)) == []


def test_nothing_there(listing: Listing) -> None:
    listing.http.server_close()
    (said,) = problems(asking(listing.url))
    assert said.startswith("teacher.base_url: 127.0.0.1:")
    assert "does not answer" in said


@pytest.mark.parametrize("body", [b"", b"<html>", {"data": 1}, {"data": [1, {"id": 2}]}, [1], b"[" * 100_000])
def test_a_list_that_is_none(listing: Listing, body: Any) -> None:
    listing.answers["/v1/models"] = (200, body)
    assert problems(asking(listing.url)) == []


@pytest.mark.parametrize("status", [404, 429, 500, 302])
def test_a_server_without_a_list_may_answer_all_the_same(listing: Listing, status: int) -> None:
    listing.answers["/v1/models"] = (status, {})
    assert problems(asking(listing.url)) == []
    assert [path for path, _ in listing.asked] == ["/v1/models"]  # a key goes to one host only


def test_a_model_that_is_not_there(listing: Listing) -> None:
    (said,) = problems(asking(listing.url, model="medium", prices={"medium": {"input": 0, "output": 0}}))
    assert said.startswith("teacher.model: ")
    assert "has no model 'medium'; it has: large, small" in said
    listing.answers["/v1/models/medium"] = (200, {"id": "medium-2024"})  # another name for one that is
    assert problems(asking(listing.url, model="medium", prices={"medium": {"input": 0, "output": 0}})) == []


def test_what_is_in_the_cache_needs_no_endpoint(listing: Listing, place: Path) -> None:
    answer = place / "cache/answers/ab/cd.json"
    answer.parent.mkdir(parents=True)
    answer.write_text("{}")
    listing.http.server_close()
    assert problems(asking(listing.url, cache="cache")) == []


def test_only_what_the_jobs_need(listing: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    config = asking(listing.url)
    assert problems(config, jobs={"label", "panels"}) == []
    assert len(problems(config, jobs={"advise"})) == 1


def test_a_judge_is_looked_at_where_it_is_asked(listing: Listing) -> None:
    config = asking(listing.url)
    judge = config.judge.model_copy(update={"episodes": 3, "model": "larger"})
    judged = config.model_copy(update={"judge": judge})
    (said,) = problems(judged)
    assert said.startswith("judge.model: ")
    assert "has no model 'larger'" in said
    assert problems(judged, jobs={"advise"}) == []
    assert len(problems(judged, jobs={"judge"})) == 1
    listing.asked.clear()
    assert problems(config, jobs={"judge"}) == []
    assert not listing.asked, "off by default"


def test_a_full_disk(listing: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 10**6))
    (said,) = problems(asking(listing.url))
    assert "0.0 GB are free: make room" in said


def test_a_store_that_is_away_stops_nothing(listing: Listing, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, stat = place / "store", Path.stat

    def away(path: Path, **options: Any) -> os.stat_result:
        if path == store:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", away)
    found = list(look(asking(listing.url), store=store))
    assert [one.said for one in found if one.problem] == []
    assert any("the store is out of reach (Transport endpoint is not connected)" in one.said for one in found)
    assert Store(store).knows("advise") is False


def test_the_disk_a_run_takes_is_about_right() -> None:
    """Of preset smoke 30 MB were written, of laptop some 230 MB."""
    config = load_config(RAW, preset="laptop")
    assert 230e6 < ready.disk_bytes(config) < 460e6


def a_model(directory: Path, count: int) -> Path:
    """A model of ``count`` weights by its headers; its bytes are a hole in the file."""
    directory.mkdir()
    header = json.dumps({"w": {"dtype": "BF16", "shape": [count], "data_offsets": [0, 2 * count]}}).encode()
    with (directory / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 2 * count)
    (directory / "config.json").write_text('{"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}')
    return directory


def of_model(path: Path, **resources: Any) -> Config:
    override = {"student": {"source": "hf", "path": str(path)}, "resources": resources}
    return load_config({**RAW, "override": override}, preset="smoke")


def test_a_model_larger_than_the_memory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = a_model(place / "model", 8_000_000_000)
    monkeypatch.setattr(ready, "memory_bytes", lambda: 16 * 10**9)
    (said,) = problems(of_model(model, gpus=0))
    assert "32.0 GB in memory, and this machine has 16.0 GB" in said
    (said,) = problems(of_model(model, gpus=1, gpu_memory_gb=15))
    assert said.startswith("resources.gpu_memory_gb: ")
    assert problems(of_model(model, gpus=1, gpu_memory_gb=40)) == []


def test_the_first_job_refuses_it_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from teachable.pipeline.models import link
    from teachable.student import devices
    from teachable.student.errors import StudentError

    model = a_model(place / "model", 1_000_000_000)
    monkeypatch.setattr(devices, "memory_bytes", lambda: 10**9)
    config = of_model(model).student.model_copy(update={"device": "cpu"})
    with pytest.raises(StudentError, match=r"4.0 GB in float32, and this machine has 1.0 GB; use a smaller model"):
        link(config, None)


@pytest.mark.parametrize("damage", ["cut", "header", "none"])
def test_a_model_that_is_not_whole(place: Path, damage: str) -> None:
    model = a_model(place / "model", 1000)
    weights = model / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif damage == "header":
        weights.write_bytes(b"\xff" * 20)
    else:
        weights.unlink()
    (said,) = problems(of_model(model))
    assert said.startswith("student.path: ")
    assert "model" in said


def test_all_problems_are_said_at_once() -> None:
    found = [ready.Found("a", "one.", True), ready.Found("b", "fine"), ready.Found("c", "two.", True)]
    told: list[str] = []
    with pytest.raises(NotReady, match=r"^one\. two\.$"):
        require(found, told.append)
    assert told == ["b: fine"]


def test_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(ROOT / "workflow_config.yaml")
    assert cli.main(["check", "--file", file, "--preset", "smoke"]) == 0
    assert capsys.readouterr().out.endswith("ready\n")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert cli.main(["check", "--file", file, "--config", "preset=smoke", "teacher={source: openai}"]) == 1
    assert "OPENAI_API_KEY is not set" in capsys.readouterr().err
    assert cli.main(["check", "--file", file, "--config", "training={epoch: 3}"]) == 1
    assert "did you mean 'epochs'" in capsys.readouterr().err
    assert cli.main(["check", "--file", file, "--config", "training"]) == 1
    assert "--config: 'training' is not KEY=VALUE" in capsys.readouterr().err


@pytest.mark.workflow
def test_the_workflow_looks_before_its_first_job(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    command = ["snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(place), "--cores", "1"]
    command += ["--config", "preset=smoke", "teacher={source: openai}", "--"]
    refused = subprocess.run([*command, "results/phase0/advice.parquet"], capture_output=True, text=True, check=False)
    assert refused.returncode
    assert "OPENAI_API_KEY is not set" in refused.stderr
    assert not list(place.rglob("*.parquet"))
    assert not (place / "results/world").exists()
    without = subprocess.run([*command, "results/config.json"], capture_output=True, text=True, check=False)
    assert without.returncode == 0, without.stderr[-2000:]


def test_event_files_want_their_package_before_the_first_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "find_spec", lambda name: None)
    asked = load_config({**RAW, "override": {"monitoring": {"tensorboard": "runs"}}}, preset="smoke")
    (said,) = [one.said for one in ready.look(asked, store=None, jobs={"train_1"}) if one.problem]
    assert said.startswith("monitoring.tensorboard: the package tensorboard is not installed")
    for jobs in ({"rollout"}, {"fig_h1_1"}):
        assert not [one for one in ready.look(asked, store=None, jobs=jobs) if one.problem]
    assert not [one for one in ready.look(load_config(RAW, preset="smoke"), store=None, jobs={"train"}) if one.problem]


# --- the expert -------------------------------------------------------------------------------------------------------


def played_by(url: str, jobs: set[str] | None = None, **changes: Any) -> list[str]:
    """Advice is the oracle's; the endpoint plays on."""
    teacher = {"base_url": url, "prices": {"small": {"input": 0, "output": 0}, "huge": {"input": 0, "output": 0}}}
    expert = {"source": "teacher", "teacher": {"model": "small", **changes}}
    config = load_config({**RAW, "override": {"teacher": teacher, "expert": expert}}, preset="smoke")
    return problems(config, jobs=jobs)


def test_a_teacher_that_is_to_play_is_looked_at_where_the_advice_is_the_oracles(
    listing: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert played_by(listing.url) == []
    assert listing.asked == [("/v1/models", f"Bearer {KEY}")]
    (said,) = played_by(listing.url, model="huge")
    assert said.startswith("expert.teacher.model: ")
    assert "has no model 'huge'" in said
    monkeypatch.delenv("OPENAI_API_KEY")
    (said,) = played_by(listing.url, {"action_values"})
    assert "OPENAI_API_KEY is not set" in said
    assert played_by(listing.url, {"label", "train", "advise"}) == [], "who advises is the oracle"


def test_rollouts_need_the_expert_only_for_setup_b(listing: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert len(played_by(listing.url, {"rollout"})) == 1
    teacher = {"base_url": listing.url}
    override = {"teacher": teacher, "expert": {"source": "teacher"}, "rollouts": {"expert_episodes_per_task": 0}}
    config = load_config({**RAW, "override": override}, preset="smoke")
    assert problems(config, jobs={"rollout"}) == []
    assert len(problems(config, jobs={"recovery_examples"})) == 1


def by_checkpoint(path: Path) -> list[str]:
    override = {"expert": {"source": "checkpoint", "path": str(path)}}
    return problems(load_config({**RAW, "override": override}, preset="smoke"), jobs={"link_expert"})


def test_a_checkpoint_that_is_missing_or_torn(place: Path) -> None:
    (said,) = by_checkpoint(place / "nowhere")
    assert said.startswith("expert.path: no student at ")
    model = a_model(place / "model", 1000)
    assert by_checkpoint(model) == []
    with (model / "model.safetensors").open("r+b") as file:
        file.truncate(1500)
    (said,) = by_checkpoint(model)
    assert "is not a whole safetensors file" in said
    adapter = place / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (said,) = by_checkpoint(adapter)
    assert said.startswith(f"expert.path: {adapter} is no adapter of this project: adapter_model.safetensors")
