"""Typed, closed configuration: ``workflow_config.yaml`` plus a preset plus what the command line overrides."""

from teachable.config.load import load_config, preset_names
from teachable.config.model import Config
from teachable.config.section import operational

__all__ = ["Config", "load_config", "operational", "preset_names"]
