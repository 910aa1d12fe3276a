"""ScienceWorld in the workflow: preset smoke up to its snapshots, which are restored."""

from __future__ import annotations

from pathlib import Path

import pytest

from teachable import tables
from workflow.workplace import Workplace

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(2400)]

CONFIG = (
    "--config",
    "preset=smoke",
    "world={name: scienceworld}",
    "builtin={gaps: {}}",
    "tasks={warmstart: {find-non-living-thing: 6, lifespan-shortest-lived: 4}, "
    "train: {find-non-living-thing: 8, lifespan-shortest-lived: 6}, "
    "test: {find-non-living-thing: 2, lifespan-shortest-lived: 2}}",
)


def test_scienceworld_restores_its_snapshots(scienceworld: None, tmp_path: Path) -> None:
    """To the end it takes half an hour of two cores (docs/worlds.md has the command)."""
    place = Workplace(tmp_path, "off")
    result = place.snakemake("results/phase0/restore_check.json", "--cores", "2", *CONFIG, timeout=2300)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]
    checked = tables.read_json(place.path("results/phase0/restore_check.json"))
    assert checked["fraction"] == 1.0
    assert checked["total"] > 0
    episodes = tables.read(place.path("results/phase0/episodes.parquet"), tables.EPISODES)
    assert episodes["fault"].is_null().all()
    steps = tables.read(place.path("results/phase0/steps.parquet"), tables.STEPS)
    assert steps["scene"].str.contains(r" \| exits: ").all()
