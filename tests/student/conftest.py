"""A tiny Qwen3 with byte-level BPE, made once per session: a real model, a real tokenizer, random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from teachable.student import Student
from teachable.student.builder import StudentSettings, new_model, save_student, train_tokenizer
from teachable.student.layouts.compact import CompactLayout

from .tiny import COMMANDS, context


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_settings() -> StudentSettings:
    return StudentSettings(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, vocabulary=330)


@pytest.fixture(scope="session")
def student_directory(tmp_path_factory: pytest.TempPathFactory, tiny_settings: StudentSettings) -> Path:
    out = tmp_path_factory.mktemp("student") / "tiny"
    texts = [
        *COMMANDS,
        *(context(index).scene for index in range(6)),
        "recipe goal did tip act You are hungry",
    ]
    tokenizer = train_tokenizer(texts, tiny_settings.vocabulary)
    save_student(
        out, new_model(tiny_settings, len(tokenizer), seed=3), tokenizer, CompactLayout("recipe"), name="tiny", about={}
    )
    return out


@pytest.fixture
def student(student_directory: Path) -> Student:
    return Student.load(student_directory, device="cpu")
