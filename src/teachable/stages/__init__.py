"""The stages of the workflow, one module each; :mod:`teachable.artifacts.stage` says how one declares itself.

A module here imports no more than it must and is imported when its stage runs: the Snakefile, the command line and the
store read :data:`STAGES` in milliseconds.
"""

from __future__ import annotations

from pathlib import Path

from teachable.artifacts import stage

STAGES: dict[str, stage.Stage] = stage.read(__name__, Path(__file__).parent)
