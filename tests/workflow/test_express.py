"""TextWorldExpress plays preset smoke to its end; without Java it stops before any job."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from teachable import tables
from workflow.workplace import BIN, Workplace

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(2400)]

WORLD = ("--config", "preset=smoke", "world={name: textworld_express}")


def test_textworld_express_runs_to_the_end(java: None, tmp_path: Path) -> None:
    place = Workplace(tmp_path, "off")
    result = place.snakemake("--cores", "2", *WORLD, timeout=2300)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]
    assert place.path("results/report.html").exists()
    assert tables.read_json(place.path("results/phase0/restore_check.json"))["fraction"] == 1.0
    assert tables.read_json(place.path("results/phase0/splits.json"))["overlaps"] == 0
    steps = tables.read(place.path("results/phase0/steps.parquet"), tables.STEPS)
    assert steps["scene"].str.starts_with("kitchen | ").all()
    assert steps["memo"].str.starts_with("ingredients: ").any()
    episodes = tables.read(place.path("results/phase0/episodes.parquet"), tables.EPISODES)
    assert episodes["fault"].is_null().all()
    counts = json.loads(place.path("results/phase1/thresholds.json").read_text())
    assert counts["labelled"] > 0
    assert counts["no_expert"] == 0
    config = json.loads(place.path("results/config.json").read_text())
    assert config["world"]["options"] == {"prune": ["put", "close"], "turn_limit_s": 20.0}


def test_without_java_it_stops_before_any_job(java: None, tmp_path: Path) -> None:
    """The search path has every program of this environment and of the system but java."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(folder).glob("*") if Path(folder).is_dir() else ():
            link = programs / program.name
            link.unlink(missing_ok=True)
            link.symlink_to(program)
    (programs / "java").unlink()
    place = Workplace(tmp_path / "place", "off")
    place.directory.mkdir()
    result = place.snakemake("--cores", "1", *WORLD, timeout=300, PATH=f"{BIN}:{programs}", JAVA_HOME="")
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert "world 'textworld_express' needs Java" in said
    assert "apt-get install default-jre-headless" in said
    assert "Traceback" not in said
    assert not place.path("results").exists()
