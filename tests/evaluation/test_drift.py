"""Drift: the patch test at checkpoints, with the checkpoint's adapter and the patches of the labels."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from rollouts.tiny import GAMES, Maze, TablePolicy, TinyWorld, make_task, patches_for

from teachable import tables
from teachable.evaluation.drift import checkpoint_name, drift_panel, drift_rows
from teachable.evaluation.errors import EvaluationError
from teachable.rollouts import PlaySettings, TreeSettings, starts_of, tree_values
from teachable.stages import checkpoints as checkpoints_stage
from teachable.stages import drift as drift_stage

SEEDS = [s for s in range(60) if 0 in Maze(s).distance() and len(Maze(s).commands(0)) > 2][:4]


def labeled() -> pl.DataFrame:
    rows = [
        {
            **dict.fromkeys(tables.LABELED),
            "snapshot_id": f"s{seed:02d}",
            "task_id": f"maze-{seed}",
            "prefix": [],
            "digest": f"maze-{seed}:0",
            "quadrant": "Q1",
            "ELP_net": float(seed),
        }
        for seed in SEEDS
    ]
    return pl.DataFrame(rows, schema=dict(tables.LABELED))


def panels(side: str = "held_out") -> pl.DataFrame:
    rows = [
        {
            "panel": "drift",
            "side": side,
            "snapshot_id": f"s{s:02d}",
            "task_id": f"maze-{s}",
            "quadrant": "Q1",
            "order": s,
        }
        for s in SEEDS
    ]
    return pl.DataFrame(rows, schema=dict(tables.PANELS))


def test_drift_rows() -> None:
    rows = drift_panel(labeled(), panels())
    starts = starts_of(rows, {make_task(s).task_id: make_task(s) for s in SEEDS})
    patches = {f"s{s:02d}": patches_for(Maze(s).commands(0)) for s in SEEDS[:3]}  # the last has none

    def estimate(policy, questions):  # type: ignore[no-untyped-def]
        settings = TreeSettings(prompts=20, episodes=10, play=PlaySettings(max_steps=6))
        return tree_values(policy, TinyWorld(), GAMES, questions, settings, run_seed=1)

    adapters = {"first": "early", "last": "late"}
    got = drift_rows(TablePolicy(), rows, starts, patches, estimate, labeled(), model="Q1_demo", adapters=adapters)
    assert got.height == 6
    assert set(got["checkpoint"]) == {"first", "last"}
    first, last = (got.filter(pl.col("checkpoint") == c)["p_base"].to_list() for c in ("first", "last"))
    assert first != last, "each checkpoint plays with its own adapter"
    net = got.select(pl.max_horizontal(pl.col("p_demo", "p_contrast", "p_hint") - pl.col("p_placebo"))).to_series()
    assert (net - got["ELP_net"]).abs().max() < 1e-12  # type: ignore[operator]
    assert got.filter(pl.col("checkpoint") == "first")["elp_bin"].to_list() == ["low", "low", "middle"]
    for row in got.iter_rows(named=True):
        assert row[f"p_{row['route']}"] - row["p_placebo"] == pytest.approx(row["ELP_net"])


def test_names_and_empty_panels() -> None:
    assert checkpoint_name("Q1_demo", "middle") == "Q1_demo@middle"
    with pytest.raises(EvaluationError, match="checkpoint"):
        checkpoint_name("Q1_demo", "0.5")
    assert drift_panel(labeled(), panels("train")).is_empty()


@pytest.mark.parametrize("stage", [drift_stage, checkpoints_stage])
@pytest.mark.parametrize("saved", [(), ("0.5",)])
def test_a_run_too_short_for_its_checkpoints_has_no_rows(
    stage: ModuleType, saved: Sequence[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One step has none on the way, two have one: neither stops what follows, and the log says why nothing is there."""
    tmp_path.joinpath("adapter_config.json").write_text("{}")
    for share in saved:
        (tmp_path / "checkpoints" / share).mkdir(parents=True)
    asked = inspect.signature(stage.run).parameters
    given = dict.fromkeys(asked) | {"adapter": tmp_path, "model": "Q1_demo"}
    found = stage.run(**given)
    tables_found = found.values() if isinstance(found, dict) else [found]
    assert all(table.is_empty() for table in tables_found)
    assert f"run Q1_demo has {len(saved)} checkpoints on the way" in capsys.readouterr().out
