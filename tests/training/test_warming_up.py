"""A pretrained student warmed up on real games: what it learns from, and what is kept from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from configured import section
from student.tiny import CHAT_TEMPLATE, COMMANDS, chat_student, context

from teachable.errors import ConfigError
from teachable.pipeline.building import warm
from teachable.student import Student
from teachable.student.builder import StudentSettings, new_model, save_student, train_tokenizer
from teachable.student.layouts.compact import CompactLayout
from teachable.training.demonstrations import demonstrate, demonstrations_frame
from teachable.worlds import get_reasons, get_words

WARM = {
    "max_steps": 3,
    "checkpoints": 1,
    "batch_size": 2,
    "rank": 2,
    "alpha": 2,
    "patched": 0.5,
    "band_low": 0.0,
    "band_high": 1.0,
}


@pytest.fixture
def student(tmp_path: Path) -> Student:
    settings = StudentSettings(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, vocabulary=400)
    texts = [*COMMANDS, *(context(index).scene for index in range(6)), "recipe goal did tip act system user assistant"]
    tokenizer = train_tokenizer(texts, settings.vocabulary)
    tiny = new_model(settings, len(tokenizer), seed=3)
    save_student(tmp_path / "tiny", tiny, tokenizer, CompactLayout("recipe"), name="tiny", about={})
    out = chat_student(tmp_path / "tiny", tmp_path / "model", CHAT_TEMPLATE, special=("<|im_start|>", "<|im_end|>"))
    about = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps({**about, "max_position_embeddings": 8192}))
    return Student.load(out, device="cpu")


def test_it_learns_the_expert_s_commands_on_other_games_than_it_is_tried_on(
    games: Any, student: Student, tmp_path: Path
) -> None:
    tasks = games.of("easy")
    words = get_words("textworld")
    found = demonstrate(
        games.world, games.root, tasks, words, trajectories=2, noise=0.25, gaps={}, own_lights=0.0, run_seed=1,
        max_steps=8,
    )  # fmt: skip
    assert all(one.expert == one.demonstrator for one in found)

    def warmed(validation_games: int) -> dict[str, object]:
        settings = section("student", "pretrained", warm_start={**WARM, "validation_games": validation_games})
        warm(
            student, demonstrations_frame(found), tasks, games.world, games.root, settings.warm_start, words,
            get_reasons("textworld"), max_steps=8, run_seed=1, micro_batch=1, out=tmp_path / "warm",
        )  # fmt: skip
        return json.loads((tmp_path / "warm" / "student.json").read_text())["warm_start"]

    with pytest.raises(ConfigError, match=r"student\.warm_start\.validation_games is 3, which leaves none of the 3"):
        warmed(3)
    said = warmed(1)
    held_out = tasks[-1].task_id
    assert said["examples"] == sum(not one.key.startswith(held_out) for one in found)
    assert 0 < said["patched"] < said["examples"]
    assert said["steps"] == 3
    assert said["settings"]["micro_batch"] == 1
