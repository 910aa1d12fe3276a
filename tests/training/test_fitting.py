from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from teachable import tables
from teachable.config.load import load_config, read_yaml
from teachable.pipeline.fitting import fit
from teachable.training.errors import SetError

CONFIG = load_config(read_yaml(Path(__file__).parents[2] / "workflow_config.yaml"), preset="smoke")


def never() -> Any:
    raise AssertionError("the student is loaded although there is nothing to train")


def test_a_training_for_which_no_examples_were_drawn_is_refused(tmp_path: Path) -> None:
    example = {
        "run": "Q1_demo",
        "draw": 1,
        "example_id": "s:demo",
        "snapshot_id": "s",
        "task_id": "t",
        "family": "easy",
        "quadrant": "Q1",
        "format": "demo",
        "plain": True,
        "prompt": "what now?",
        "completion": "go",
    }
    examples = pl.DataFrame([example], schema=dict(tables.EXAMPLES))
    arguments = (never, "Q1_demo", examples, examples.clear(), CONFIG.training, CONFIG.lora)
    with pytest.raises(SetError, match=r"Q1_demo.*\[1\].*not for 2.*training.seeds"):
        fit(*arguments, out=tmp_path, run_seed=1, train_seed=2)
    empty = fit(never, "Q2_demo", *arguments[2:], out=tmp_path, run_seed=1, train_seed=2)
    assert "absent" in empty
