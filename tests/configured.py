"""Sections of the configuration as a user has them: workflow_config.yaml, and what a test changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from teachable.config.load import load_config, read_yaml

RAW = read_yaml(Path(__file__).parents[1] / "workflow_config.yaml")


def section(name: str, preset: str = "laptop", **changes: Any) -> Any:
    """The section called ``name``. Raises ConfigError where a change does not fit."""
    return getattr(load_config({**RAW, "override": {name: changes}}, preset=preset), name)
