"""The student: prompts, exact policies over admissible commands, LoRA training, and the built-in student.

Needs torch, transformers, peft, tokenizers, safetensors and numpy only, and nothing of the rest of the
package, so that it also runs on a bare GPU machine. Names load on first use: `teachable.student.Context`
does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from teachable.student.builder import BuildRecord, Demonstration, StudentSettings, build_student
    from teachable.student.completions import Example
    from teachable.student.errors import AdapterError, LayoutMismatch, StudentError
    from teachable.student.files import fetch_student
    from teachable.student.lora import LoraSettings, TrainRecord, train_lora
    from teachable.student.model import Student
    from teachable.student.preference import Pair
    from teachable.student.prompt import Context

_HOME = {
    "AdapterError": "errors",
    "BuildRecord": "builder",
    "Context": "prompt",
    "Demonstration": "builder",
    "Example": "completions",
    "LayoutMismatch": "errors",
    "LoraSettings": "lora",
    "Pair": "preference",
    "Student": "model",
    "StudentError": "errors",
    "StudentSettings": "builder",
    "TrainRecord": "lora",
    "build_student": "builder",
    "fetch_student": "files",
    "train_lora": "lora",
}

__all__ = [
    "AdapterError",
    "BuildRecord",
    "Context",
    "Demonstration",
    "Example",
    "LayoutMismatch",
    "LoraSettings",
    "Pair",
    "Student",
    "StudentError",
    "StudentSettings",
    "TrainRecord",
    "build_student",
    "fetch_student",
    "train_lora",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
