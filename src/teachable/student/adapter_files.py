"""Directories of LoRA adapters: written whole or not at all, read if they are what they say.

A directory holds PEFT's own `adapter_config.json` and `adapter_model.safetensors` (so that plain
`peft.PeftModel.from_pretrained` reads it) and `teachable_adapter.json`, which says which base model and prompt
layout it was trained for.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors.torch import load_file, save

from teachable.student.errors import AdapterError
from teachable.student.files import ADAPTER_FILES, ADAPTER_RECORD, new_directory, read_json, write_json

ADAPTER_FILE = ADAPTER_RECORD
CONFIG_FILE, WEIGHTS_FILE = ADAPTER_FILES


def state_digest(state: dict[str, torch.Tensor]) -> str:
    """SHA-256 of the safetensors file these weights make."""
    return hashlib.sha256(save(state, metadata={"format": "pt"})).hexdigest()


def write_adapter(out: Path, config: LoraConfig, state: dict[str, torch.Tensor], record: dict[str, Any]) -> str:
    """Write an adapter directory in PEFT's format, whole or not at all; returns the digest of its weights.

    `record` (layout, base, how it was trained) goes to teachable_adapter.json with the digest.
    """
    content = save(state, metadata={"format": "pt"})
    digest = hashlib.sha256(content).hexdigest()
    with new_directory(out) as draft:
        write_into(draft, config, content, {**record, "sha256": digest})
    return digest


def write_into(draft: Path, config: LoraConfig, content: bytes, record: dict[str, Any]) -> None:
    """The three files of an adapter, into an existing directory."""
    (draft / WEIGHTS_FILE).write_bytes(content)
    training, targets = config.inference_mode, config.target_modules
    config.inference_mode = True  # as PEFT saves it: loads frozen
    if isinstance(targets, set):  # PEFT would write them in the set's order, which the hash seed makes
        config.target_modules = sorted(targets)
    try:
        config.save_pretrained(str(draft))
    finally:
        config.inference_mode, config.target_modules = training, targets
    write_json(draft / ADAPTER_FILE, record)


def read_adapter(path: Path) -> tuple[LoraConfig, dict[str, torch.Tensor], dict[str, Any]]:
    """Configuration, weights and record of an adapter directory; AdapterError says what is wrong with it."""
    for name in (CONFIG_FILE, WEIGHTS_FILE, ADAPTER_FILE):
        if not (path / name).is_file():
            raise AdapterError(f"{path} is no adapter of this project: {name} is missing; train it again")
    record = read_json(path / ADAPTER_FILE)
    content = (path / WEIGHTS_FILE).read_bytes()
    if hashlib.sha256(content).hexdigest() != record.get("sha256"):
        raise AdapterError(f"{path / WEIGHTS_FILE} is not the file that {ADAPTER_FILE} describes; train it again")
    config = LoraConfig.from_pretrained(str(path))
    return config, load_file(path / WEIGHTS_FILE), record
