from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from teachable import tables
from teachable.config.load import load_config, read_yaml
from teachable.errors import TableError
from teachable.pipeline import fitting
from teachable.pipeline.fitting import NO_PAIRS, fit
from teachable.stages.training_summary import run as summarise
from teachable.training.budget import Replay, budget, preference_budget
from teachable.training.errors import SetError
from teachable.training.losses import training_losses
from teachable.training.preferences import preference_pairs
from teachable.training.records import training_summary

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


def rows(**columns: list[Any]) -> pl.DataFrame:
    """``EXAMPLES`` of ``Q4_contrast``."""
    count = len(next(iter(columns.values())))
    fixed = {"run": "Q4_contrast", "draw": 1, "task_id": "t", "family": "easy", "quadrant": "Q4", "format": "contrast"}
    every = {**fixed, "plain": False, "prompt": "what now?", "completion": "go"}
    frame = {name: columns.get(name, [every.get(name, f"{name}")] * count) for name in tables.EXAMPLES}
    return pl.DataFrame(frame, schema=dict(tables.EXAMPLES))


def did(*commands: str | None) -> pl.DataFrame:
    """``LABELED`` with what the student did at s0, s1, ..."""
    made = [
        {**dict.fromkeys(tables.LABELED), "snapshot_id": f"s{i}", "student_action": command}
        for i, command in enumerate(commands)
    ]
    return pl.DataFrame(made, schema=dict(tables.LABELED))


def test_pairs_prefer_the_teachers_command_to_the_students_own() -> None:
    examples = rows(snapshot_id=["s0", "s1", "s2", "s3"], plain=[True, False, True, False])
    found = preference_pairs(examples, did("wait", "go", None, "look"), "Q4")
    assert found["snapshot_id"].to_list() == ["s0", "s3"], "no preference where both are the same, or one is unknown"
    assert found.select("prompt", "completion", "rejected", "plain").rows() == [
        ("what now?", "go", "wait", True),
        ("what now?", "go", "look", False),
    ]
    assert preference_pairs(examples, did("wait", "go", None, "look"), "Q1").is_empty()
    with pytest.raises(SetError, match="'s1' is an example of Q4_contrast but has no label"):
        preference_pairs(examples, did("wait"), "Q4")


def test_a_preference_run_without_labels_or_without_a_pair(tmp_path: Path) -> None:
    examples = rows(snapshot_id=["s0", "s1"])
    arguments = (never, "Q4_dpo", examples, examples.clear(), CONFIG.training, CONFIG.lora)
    with pytest.raises(SetError, match=r"Q4_dpo: it needs the labelled snapshots and dpo\.beta"):
        fit(*arguments, out=tmp_path, run_seed=1, beta=0.1)
    with pytest.raises(SetError, match=r"Q4_dpo: its examples are drawn for the trainings \[1\], not for 2"):
        fit(*arguments, out=tmp_path, run_seed=1, train_seed=2, labeled=did("go", "go"), beta=0.1)
    alike = fit(*arguments, out=tmp_path, run_seed=1, labeled=did("go", "go"), beta=0.1)
    assert (alike["absent"], alike["dropped"], alike["loss"]) == (NO_PAIRS, 2, "dpo")


def test_a_preference_run_takes_the_steps_of_the_cell_whose_examples_it_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the pairs are dropped: steps and replayed decisions are those of all, and the cell is trained as ever."""
    examples = rows(snapshot_id=[f"s{i}" for i in range(10)])
    replay = rows(snapshot_id=[None] * 30, run=["replay"] * 30)
    training = CONFIG.training.model_copy(update={"replay": 0.5, "epochs": 3, "batch_size": 4})
    asked: dict[str, Any] = {}

    class Stop(Exception):
        pass

    def caught(_: Any, chosen: Any, settings: Any, **options: Any) -> Any:
        asked.update(options, chosen=chosen, settings=settings)
        raise Stop

    monkeypatch.setattr(fitting, "train_lora", caught)
    labeled = did(*["go", "wait"] * 5)
    for run in ("Q4_contrast", "Q4_dpo"):
        with pytest.raises(Stop):
            fit(
                lambda: None,  # type: ignore[arg-type, return-value]
                run,
                examples,
                replay,
                training,
                CONFIG.lora,
                out=tmp_path,
                run_seed=1,
                labeled=labeled,
                beta=0.3,
            )
        if run == "Q4_contrast":
            assert (len(asked["chosen"]), asked["pairs"], asked["settings"].max_steps) == (10, [], None)
    assert (len(asked["chosen"]), len(asked["pairs"]), asked["beta"], asked["replayed"]) == (0, 5, 0.3, 10)
    assert asked["settings"].max_steps == 3 * 5


def test_the_budget_and_the_summary_say_what_a_preference_run_was_given() -> None:
    examples = rows(snapshot_id=["s0", "s1", "s2"])
    cells = budget(examples, {"Q4_contrast": 3}, lambda texts: [2] * len(texts), Replay(0.5, 9, 2, 2))
    pairs = {"Q4": preference_pairs(examples, did("wait", "go", "look"), "Q4")}
    found = preference_budget(pairs, cells, lambda texts: [2] * len(texts)).row(0, named=True)
    cell = cells.row(0, named=True)
    assert found["run"] == "Q4_dpo"
    assert (found["examples"], found["target_examples"], found["difference"]) == (2, 3, -1)
    assert (found["tokens"], found["completion_tokens"]) == (2 * 2 * 4, 2 * 4)
    assert (found["steps"], found["replayed"]) == (cell["steps"], cell["replayed"])
    assert preference_budget({}, cells, len).is_empty()  # type: ignore[arg-type]

    record = dict.fromkeys(("quadrant", "format", "epochs", "examples", "replayed", "replay_pool", "steps"), 1)
    record |= dict.fromkeys(("tokens", "loss_first", "loss_last", "probe_shift"), 1)
    record |= {"loss": "dpo", "beta": 0.1, "pairs": 2, "dropped": 1, "margin_first": 0.0, "accuracy_first": 0.5}
    ends = ({"margin_last": 1.0, "accuracy_last": 0.8}, {"margin_last": 3.0, "accuracy_last": 1.0})
    trainings = [{**record, **end, "run": "Q4_dpo", "train_seed": seed} for seed, end in enumerate(ends, 1)]
    entry = training_summary(trainings)["runs"]["Q4_dpo"]
    assert (entry["loss"], entry["beta"], entry["pairs"], entry["dropped"]) == ("dpo", 0.1, 2, 1)
    assert (entry["margin_first"], entry["margin_last"], entry["accuracy_last"]) == (0.0, 2.0, pytest.approx(0.9))


def test_a_record_without_a_key_is_named_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "phase2" / "records" / "Q1_demo" / "1.json"
    path.parent.mkdir(parents=True)
    tables.write_json({"run": "Q1_demo", "train_seed": 1, "absent": "no snapshot", "format": "demo"}, path)
    with pytest.raises(TableError, match=r"1\.json.*quadrant"):
        summarise([tables.read_json(path)], {"records": [path]})


def test_the_losses_of_every_training_are_put_together_step_by_step() -> None:
    trained = {"run": "Q1_demo", "train_seed": 2, "losses": [1.5, 0.25]}
    absent = {"run": "Q2_demo", "train_seed": 1, "absent": "nothing"}
    made = training_losses([trained, absent, {**trained, "train_seed": 1, "losses": [2.0]}])
    assert made.rows() == [("Q1_demo", 1, 1, 2.0), ("Q1_demo", 2, 1, 1.5), ("Q1_demo", 2, 2, 0.25)]
    assert training_losses([absent]).equals(tables.empty(tables.LOSSES))
    with pytest.raises(TableError, match="4 rows are not the only ones of their kind"):
        training_losses([trained, trained])
