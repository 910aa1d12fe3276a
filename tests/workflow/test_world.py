"""A world of one file, from another package, plays preset smoke to its end; nothing else is changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from toy import bring

from teachable import tables
from workflow.workplace import Workplace

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(2400)]


def test_another_world_runs_to_the_end(tmp_path: Path) -> None:
    path = os.pathsep.join([str(bring(tmp_path / "site")), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    place = Workplace(tmp_path, "off")
    result = place.snakemake(
        "--cores", "2", "--config", "preset=smoke", "world={name: corridor}", timeout=2300, PYTHONPATH=path
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]
    assert place.path("results/report.html").exists()
    steps = tables.read(place.path("results/phase0/steps.parquet"), tables.STEPS)
    assert steps["scene"].str.starts_with("room ").all()
    advice = tables.read(place.path("results/phase0/advice.parquet"), tables.ADVICE)
    counts = json.loads(place.path("results/phase1/thresholds.json").read_text())
    alone = advice.filter(advice["expert_action"].is_null() & ~advice["unwinnable"])  # the wrong key in hand
    assert not alone["valid"].any()
    assert 0 < counts["no_expert"] <= len(alone)
    assert counts["labelled"] > 0
    config = json.loads(place.path("results/config.json").read_text())
    assert config["world"] == {"name": "corridor", "max_steps": 7, "options": {}}
