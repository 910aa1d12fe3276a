"""A real pretrained student through every phase: fetched, warmed up, labelled, trained on, evaluated, reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from needed import lacking
from peft import AutoPeftModelForCausalLM, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from teachable import tables
from teachable.student.errors import StudentError
from teachable.student.files import fetch_student
from workflow.workplace import Workplace

pytestmark = [pytest.mark.workflow, pytest.mark.pretrained, pytest.mark.timeout(3600)]

CUT = Path(__file__).with_name("pretrained.yaml")
PROBE = "Which command do you choose?"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    try:
        fetch_student("smollm2-135m")
    except StudentError as problem:
        lacking(f"{str(problem)[:300]}.")
    made = Workplace(tmp_path_factory.mktemp("pretrained"), "off")
    result = made.snakemake(
        "--cores", "2", "--configfile", str(CUT), "--config", "preset=pretrained", timeout=3500
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]
    return made


def adapters(place: Workplace) -> list[Path]:
    found = sorted(path.parent for path in place.path("results").glob("phase*/adapters/*/*/adapter_config.json"))
    assert found
    return found


def test_it_runs_to_its_report(place: Workplace) -> None:
    assert "smollm2-135m" in place.path("results/report.md").read_text()
    assert place.path("results/report.html").exists()
    restored = tables.read_json(place.path("results/phase0/restore_check.json"))
    assert restored["fraction"] == 1.0


def test_the_student_was_warmed_up_and_learned(place: Workplace) -> None:
    about = tables.read_json(place.path("results/student/weights/student.json"))
    said = about["warm_start"]
    assert said["loss_last"] < said["loss_first"]
    assert 0 < said["patched"] < said["examples"]
    assert said["success"] >= said["success_before"]
    settings = tables.read_json(place.path("results/student/settings.json"))
    assert (settings["path"], settings["method"], settings["dtype"]) == ("smollm2-135m", "radix", "float32")


def test_labels_are_sane(place: Workplace) -> None:
    labeled = tables.read(place.path("results/phase1/labeled_snapshots.parquet"), tables.LABELED)
    means = {name: labeled[f"p_{name}"].mean() for name in ("base", "placebo", "demo")}
    assert all(0 <= value <= 1 for value in means.values())
    assert means["demo"] > means["placebo"]
    assert np.isfinite(labeled["U"].to_numpy()).all()
    assert (labeled["U"] >= 0).all()
    assert set(labeled["quadrant"].drop_nulls()) <= {"Q1", "Q2", "Q3", "Q4"}


def test_every_adapter_opens_in_plain_peft_and_differs_from_the_base(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other on one base, from the run's directory, as ``adapter_config.json`` names it."""
    monkeypatch.chdir(place.directory)
    tokenizer = AutoTokenizer.from_pretrained("results/student/weights")
    ids = tokenizer(PROBE, return_tensors="pt").input_ids
    model = AutoModelForCausalLM.from_pretrained("results/student/weights", dtype=torch.float32)
    with torch.no_grad():
        base = model(input_ids=ids).logits
    seen = []
    for number, path in enumerate(adapters(place)):
        if number == 0:
            opened = PeftModel.from_pretrained(model, str(path), adapter_name="0")
        else:
            opened.load_adapter(str(path), adapter_name=str(number))
            opened.set_adapter(str(number))
        with torch.no_grad():
            seen.append(opened(input_ids=ids).logits)
        assert (seen[-1] - base).abs().max() > 1e-4, path
    weights = [load_file(path / "adapter_model.safetensors") for path in adapters(place)]
    digests = {tuple(float(value.sum()) for value in one.values()) for one in weights}
    assert len(digests) == len(weights), "no two runs learned the same"

    path = adapters(place)[0]
    auto = AutoPeftModelForCausalLM.from_pretrained(str(path.relative_to(place.directory)), dtype=torch.float32)
    assert auto.peft_config["default"].base_model_name_or_path == "results/student/weights"
    with torch.no_grad():
        assert (auto(input_ids=ids).logits - seen[0]).abs().max() < 1e-4
