"""The pilot, rehearsed: its own settings, cut in size, with an endpoint over HTTP and a model of the pretrained kind.

What a first paid run would meet is met here, to its report: the look before the first job, a key, a busy server, an
answer that is refused, the cache, the ledger; a chat model without a student.json, Monte Carlo labels, micro-training
by route, dropout, the matrix and all that follows. Left for the first paid run are a GPU and weights of 8B.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from configured import section
from student.tiny import CHAT_TEMPLATE, COMMANDS, chat_student, context
from teacher.conftest import GOOD, Reply, Server, completion, error

from teachable import tables
from teachable.student.builder import StudentSettings, new_model, save_student, train_tokenizer
from teachable.student.layouts.compact import CompactLayout
from teachable.teacher.ledger import Ledger
from workflow.workplace import Workplace

KEY = "sk-pilot-0123456789-do-not-leak"
PROTOCOL_PER_QUADRANT = 50  # section 9: validation panel, snapshots a quadrant
CUT = {  # of preset pilot; all else is as it will be
    "tasks": "{train: {easy: 2, medium: 1, nav: 1, hard: 1}, test: {easy: 1, medium: 0, nav: 0, hard: 0}}",
    "rollouts": "{episodes_per_task: 1}",
    "snapshots": "{max_snapshots: 6, max_expert_snapshots: 2, interval_episodes: 1, shard_size: 4}",
    "estimation": "{policy_episodes: 2, force_episodes: 2, expert_episodes: 1, condition_episodes: 1}",
    "panels": "{failure_per_quadrant: 1, validation_per_quadrant: 1, drift: 1, retention: 1}",
    "microtraining": "{similar_tasks: 1, shard_size: 4}",
    "training": "{epochs: 1, max_examples: 2}",
    "evaluation": "{test_repeats: 1, failure_repeats: 1, retention_repeats: 1, drift_episodes: 1}",
    "predictor": "{folds: 2, trees: 10, k: [2], sample_sizes: [1.0]}",
    "selection": "{k: [2], epochs: 1, retention_repeats: 1}",
    "statistics": "{repetitions: 100}",
    "resources": "{gpus: 0, threads: 1, memory_gb: 1}",
}
TARGETS = [
    f"results/phase{part}.parquet" for part in ("0/advice", "1/labeled_snapshots", "1/panels", "1/label_episodes")
]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A Qwen3 of random weights with a chat template and without a student.json, as one comes from the hub."""
    settings = StudentSettings(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, vocabulary=400)
    texts = [*COMMANDS, *(context(index).scene for index in range(6)), "recipe goal did tip act system user assistant"]
    tokenizer = train_tokenizer(texts, settings.vocabulary)
    tiny = new_model(settings, len(tokenizer), seed=3)
    save_student(tmp_path / "tiny", tiny, tokenizer, CompactLayout("recipe"), name="tiny", about={})
    out = chat_student(tmp_path / "tiny", tmp_path / "model", CHAT_TEMPLATE, special=("<|im_start|>", "<|im_end|>"))
    about = json.loads((out / "config.json").read_text())
    about["max_position_embeddings"] = 8192  # its few tokens are short, and a chat prompt is long
    (out / "config.json").write_text(json.dumps(about))
    return out


def listed(request: dict[str, Any]) -> list[str]:
    """The admissible commands of a question."""
    part = request["messages"][1]["content"].split("ADMISSIBLE COMMANDS\n")[1].split("\n\n")[0]
    return [line.removeprefix("- ") for line in part.splitlines()]


def sound(request: dict[str, Any]) -> Reply:
    return Reply(completion({**GOOD, "suggested_action": listed(request)[-1]}))


def inadmissible(request: dict[str, Any]) -> Reply:
    return Reply(completion({**GOOD, "suggested_action": "fly to the moon"}))


def test_the_panel_of_validation_is_the_protocol_s() -> None:
    for preset in ("pilot", "paper"):
        assert section("panels", preset).validation_per_quadrant == PROTOCOL_PER_QUADRANT
    assert section("teacher", "pilot").source == "openai"
    assert section("student", "pilot").source == "hf"


@pytest.mark.workflow
@pytest.mark.timeout(1800)
def test_the_pilot_to_its_report(server: Server, model: Path, tmp_path: Path) -> None:
    server.script = [error(429, Retry_After="0.1"), inadmissible]
    server.otherwise = sound
    place = Workplace(tmp_path / "run", "off")
    place.directory.mkdir()
    config = ["preset=pilot", f"teacher={{base_url: '{server.url}'}}", f"student={{path: {model}}}"]
    config += [f"{name}={value}" for name, value in CUT.items()]

    result = place.snakemake("--cores", "2", "--config", *config, OPENAI_API_KEY=KEY, timeout=1500)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]

    assert server.listed == [f"Bearer {KEY}"], "looked at once, before the first job"
    assert set(server.keys) == {f"Bearer {KEY}"}
    for request in server.requests:
        assert (request["model"], request["temperature"], request["max_tokens"]) == ("gpt-4o-mini", 0.0, 600)
        assert request["response_format"]["json_schema"]["strict"] is True
    advice = tables.read(place.path(TARGETS[0]), tables.ADVICE)
    assert advice.height >= 4
    asked = advice.filter(~pl.col("unwinnable"))
    assert asked["valid"].all(), asked["reason"].to_list()
    assert set(advice["teacher"]) == {"openai"}
    answers = server.requests[1:]
    assert asked["attempts"].sum() == len(answers), "the busy server's refusal is no answer"
    assert asked["attempts"].max() == 2, "the inadmissible answer was asked again"
    spent = Ledger(place.path(".cache/teacher"), 0).spent()
    assert spent == pytest.approx(advice["cost_usd"].sum())
    assert 0 < spent < section("teacher", "pilot").budget_usd

    settings = tables.read_json(place.path("results/student/settings.json"))
    assert settings["layout"] in (None, "chat")
    labeled = tables.read(place.path(TARGETS[1]), tables.LABELED)
    theirs = tables.read(place.path("results/phase1/expert_snapshots.parquet"), tables.LABELED)
    assert labeled.height + theirs.height == advice.height
    known = labeled.join(asked.select("snapshot_id"), on="snapshot_id", how="semi")
    for name in ("p_policy", "p_force", "p_expert", "p_base", "p_placebo", "p_demo", "p_contrast", "p_hint", "ELP_net"):
        assert known[name].is_between(-1, 1).all(), name
    estimates = tables.read(place.path("results/phase1/estimates.parquet"), tables.ESTIMATES)
    assert set(estimates["estimator"]) == {"monte_carlo"}
    episodes = tables.read(place.path("results/phase1/label_episodes.parquet"), tables.EPISODES)
    assert set(episodes["model"]) == {"base"}
    assert episodes["fault"].null_count() == episodes.height

    report = place.path("results/report.md").read_text()
    assert "gpt-4o-mini" in report
    assert place.path("results/criteria.json").exists()

    for table in place.path("results/phase0/advice").glob("*.parquet"):
        table.unlink()
    paid = len(server.requests)
    again = place.snakemake("--cores", "2", "--config", *config, "--", TARGETS[0], OPENAI_API_KEY=KEY, timeout=300)
    assert again.returncode == 0, again.stderr[-3000:]
    assert len(server.requests) == paid, "nothing is paid twice"
    assert tables.read(place.path(TARGETS[0]), tables.ADVICE).equals(advice)

    files = [path for path in place.directory.rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert KEY not in result.stdout + result.stderr
    assert "plan: about" in result.stdout + result.stderr
