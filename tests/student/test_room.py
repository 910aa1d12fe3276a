"""The room stands alone: it imports nothing else of the package, and the benchmarks run on a CPU."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]

ALONE = """
import sys

class Refuse:
    front_door = ("teachable", "teachable.version")

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pydantic", "polars", "textworld", "openai", "matplotlib"):
            raise ImportError(name)
        if name.startswith("teachable") and not name.startswith("teachable.student") and name not in self.front_door:
            raise ImportError(name)
        return None

sys.meta_path.insert(0, Refuse())
import teachable.student.prompt
assert "torch" not in sys.modules, "a Context needs no torch"
import teachable.student as student
for name in student.__all__:
    getattr(student, name)
"""


def test_it_imports_nothing_of_the_rest_and_a_context_needs_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def benchmark_module(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def test_gpu_check_runs_at_toy_size_on_a_cpu(benchmark_module: object, tmp_path: Path) -> None:
    out = tmp_path / "check.json"
    arguments = ["--device", "cpu", "--decisions", "8", "--steps", "1", "--repeats", "1", "--out", str(out)]
    result = benchmark_module("gpu_check").main(arguments)  # type: ignore[operator]
    assert json.loads(out.read_text()) == result
    assert result["scoring"]["decisions_per_second"] > 0
    assert result["scoring"]["largest_difference_to_full_sequences_nats"] < 1e-4
    assert result["training"]["probe_change"] > 0
    assert 0 < result["prefill"]["share_of_matrix_rate"] < 1
    assert result["micro"]["adapters"] == 2
    labelling = result["labelling"]
    assert labelling["distinct"] < labelling["requests"], "episodes from one snapshot share their beginnings"
    assert labelling["tokens_fewest"] <= labelling["tokens_encoded"] < labelling["tokens_of_full_sequences"]


def test_it_needs_nothing_beside_the_room(tmp_path: Path) -> None:
    script = ALONE.replace("import teachable.student.prompt", "", 1).partition("assert")[0] + "import gpu_check"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "benchmarks")])}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_micro_training_benchmark_writes_its_row(benchmark_module: object, tmp_path: Path) -> None:
    arguments = ["--adapters", "4", "--rounds", "1", "--out", str(tmp_path)]
    result = benchmark_module("micro_training").main(arguments)  # type: ignore[operator]
    row = json.loads((tmp_path / "micro_training_vs_peft.json").read_text())
    assert row == result
    assert {"name", "ratio", "ours", "peer", "spread", "machine", "date"} <= row.keys()
    assert row["ratio"] == pytest.approx(row["peer"] / row["ours"])
    assert row["training"]["largest_difference_of_a_weight"] < 1e-3
    assert max(row["asking"]["largest_difference_nats"].values()) < 1e-4
