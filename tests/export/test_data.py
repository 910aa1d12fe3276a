"""Tables and step values as data sets."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
import yaml

from teachable import tables
from teachable.artifacts.catalogue import ARTIFACTS
from teachable.cli import main
from teachable.errors import TeachableError
from teachable.tables.exported import STEP_VALUES

from .made import COMMANDS, VALUES

YARDSTICK = Path(__file__).parents[2] / "benchmarks/yardstick.py"


@pytest.fixture(scope="module")
def yardstick() -> ModuleType:
    spec = importlib.util.spec_from_file_location("yardstick", YARDSTICK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["yardstick"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def values(results: Path, tmp_path: Path) -> Path:
    assert main(["export", "values", str(results), "-o", str(tmp_path / "values")]) == 0
    return tmp_path / "values"


def test_every_table_is_there_byte_for_byte(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["export", "dataset", str(results), "-o", str(out)]) == 0
    text = (out / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    names = {one["config_name"] for one in front["configs"]}
    assert names == {"labeled", "panels", "action_values", "examples", "replay", "episodes", "steps"}
    assert [one["config_name"] for one in front["configs"] if one.get("default")] == ["labeled"]
    for one in front["configs"]:
        (copy,) = out.glob(one["data_files"])
        assert copy.read_bytes() == (results / ARTIFACTS[one["config_name"]].whole).read_bytes()
    assert re.search(r"\| `logp` \| list<\w+: double> \| nats \| log-probability of each \|", text)
    assert "secret.example" not in text


def test_parts_with_a_namesake_are_not_mistaken_for_a_whole(results: Path, tmp_path: Path) -> None:
    """phase3/checkpoints.parquet is a table of metrics, phase3/checkpoints/<run>.parquet one of episodes."""
    metrics, episodes = tables.empty(tables.METRICS), tables.empty(tables.EPISODES)
    tables.write(metrics, results / "phase3/checkpoints.parquet", tables.METRICS)
    tables.write(episodes, results / "phase3/checkpoints/B1_uniform.parquet", tables.EPISODES)
    assert main(["export", "dataset", str(results), "-o", str(tmp_path / "out")]) == 0
    made = tmp_path / "out/data"
    assert tables.describe(made / "checkpoints/phase3-checkpoints.parquet").table == "METRICS"
    assert tables.describe(made / "checkpoint_episodes/phase3-checkpoints-B1_uniform.parquet").table == "EPISODES"


def test_the_library_loads_every_configuration(results: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    out = tmp_path / "out"
    assert main(["export", "dataset", str(results), "-o", str(out)]) == 0
    names = datasets.get_dataset_config_names(str(out))
    assert len(names) == 7
    for name in names:
        rows = datasets.load_dataset(str(out), name, split="train", cache_dir=str(tmp_path / "cache"))
        assert rows.num_rows == tables.describe(results / ARTIFACTS[name].whole).rows
    assert datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))["train"].num_rows == 4


def test_one_row_a_snapshot_and_command(values: Path) -> None:
    rows = tables.read(values / "values.parquet", STEP_VALUES)
    assert rows.height == 4 * len(COMMANDS)
    assert rows.equals(rows.sort("snapshot_id", "command"))
    first = rows.filter(task_id="game0")
    assert dict(zip(first["command"], zip(first["value"], first["se"], strict=True), strict=True)) == VALUES
    assert first.filter("is_expert")["command"].to_list() == ["go north"]
    assert first.filter("is_student")["command"].to_list() == ["wait"]
    assert rows.filter(task_id="game3")["side"].unique().to_list() == ["held_out"]
    assert tables.describe(values / "values.parquet").columns["value"].unit == "probability"
    assert "keeps 8 of 12 rows, 30% of" in (values / "README.md").read_text()


def test_monte_carlo_studies_have_no_such_values(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tables.empty(tables.ACTION_VALUES)
    tables.write(empty, results / ARTIFACTS["action_values"].whole, tables.ACTION_VALUES)
    assert main(["export", "values", str(results), "-o", str(tmp_path / "out")]) == 1
    assert "estimation.estimator: tree" in capsys.readouterr().err


def test_the_yardstick_tells_right_from_wrong(values: Path, yardstick: ModuleType) -> None:
    yard = yardstick.Yardstick(tables.read(values / "values.parquet", STEP_VALUES), 0.05)
    assert len(yard.slices) == 4
    right = yardstick.measure(yard, yard.value[None], 50)
    assert right["within"].point == pytest.approx(1)
    assert right["best"].point == 1
    assert right["regret"].point == right["rmse"].point == 0
    assert right["brier"].point == pytest.approx((0.9 * 0.1 + 0.2 * 0.8) / 2)
    wrong = yardstick.measure(yard, 1 - yard.value[None], 50)
    assert wrong["within"].point == pytest.approx(-1)
    assert wrong["best"].point == 0
    assert wrong["regret"].point == pytest.approx(0.7)
    silent = yardstick.measure(yard, np.full((1, len(yard.value)), 7.0), 50)
    assert silent["within"].point == 0
    assert silent["best"].point == 0.5
    assert "rmse" not in silent  # no probability


def test_more_episodes_make_better_labels(yardstick: ModuleType) -> None:
    random = np.random.default_rng(0)
    rows = pl.DataFrame(
        {
            "snapshot_id": np.repeat([f"s{i:02d}" for i in range(30)], 4),
            "task_id": np.repeat([f"g{i // 2}" for i in range(30)], 4),
            "command": ["a", "b", "c", "d"] * 30,
            "value": random.uniform(size=120),
            "se": 0.0,
            "policy": 0.25,
        }
    )
    yard = yardstick.Yardstick(rows, 0.05)
    few, many = (yardstick.measure(yard, yardstick.monte_carlo(yard, n, 10), 20) for n in (1, 7))
    for name in ("within", "best", "between"):
        assert many[name].point > few[name].point
    # var of a share of n: V (1 - V) / n
    expected = np.sqrt(np.mean(yard.value * (1 - yard.value)) / 7)
    assert many["rmse"].point == pytest.approx(expected, rel=0.1)


def test_scores_must_be_whole(values: Path, tmp_path: Path, yardstick: ModuleType) -> None:
    rows = tables.read(values / "values.parquet", STEP_VALUES)
    yard = yardstick.Yardstick(rows, 0.05)
    scored = rows.select("snapshot_id", "command", pl.col("value").alias("score"))
    scored.write_csv(tmp_path / "all.csv")
    assert yardstick.scores_in(tmp_path / "all.csv", yard).tolist() == yard.value.tolist()
    for name, frame, said in (
        ("short", scored.head(3), "no score for"),
        ("twice", pl.concat([scored, scored]), "twice"),
        ("other", scored.rename({"score": "reward"}), "lacks the columns score"),
    ):
        frame.write_parquet(tmp_path / f"{name}.parquet")
        with pytest.raises(TeachableError, match=said):
            yardstick.scores_in(tmp_path / f"{name}.parquet", yard)
