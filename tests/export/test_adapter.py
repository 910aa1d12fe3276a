"""An exported adapter is what PEFT opens by itself, on its true base model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from teachable import tables
from teachable.artifacts.catalogue import ARTIFACTS
from teachable.cli import main
from teachable.student import Student
from teachable.student.completions import Example
from teachable.student.lora import LoraSettings, train_lora

from .made import put, student

LORA = LoraSettings(rank=4, alpha=8, learning_rate=1e-2, max_steps=3, schedule="constant", warmup=0.0)


@pytest.fixture
def trained(results: Path) -> Path:
    weights = student(results)
    torch.set_num_threads(1)
    loaded = Student.load(weights, device="cpu")
    examples = [Example("goal: Get out.\nact:", "go north")]
    train_lora(loaded, examples, LORA, seed=1, out=results / "phase2/adapters/Q1_demo/1")
    absent = results / "phase2/adapters/Q3_hint/1"
    absent.mkdir(parents=True)
    (absent / "absent.json").write_text("{}")
    return results


def test_peft_opens_it_on_the_true_base(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from peft import AutoPeftModelForCausalLM, PeftModel
    from transformers import AutoModelForCausalLM

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    source = trained / "phase2/adapters/Q1_demo/1"
    before = {path.name: path.read_bytes() for path in source.iterdir() if path.is_file()}
    out = tmp_path / "adapter"
    assert main(["export", "adapter", str(trained), "--run", "Q1_demo", "-o", str(out)]) == 0
    assert {path.name: path.read_bytes() for path in source.iterdir() if path.is_file()} == before
    opened = AutoPeftModelForCausalLM.from_pretrained(str(out))
    base = AutoModelForCausalLM.from_pretrained(str(trained / "student/weights"))
    ids = torch.arange(5)[None]
    with torch.inference_mode():
        plain = base(ids).logits
        tuned = PeftModel.from_pretrained(base, str(source))(ids).logits
        assert torch.equal(opened(ids).logits, tuned)
        assert not torch.equal(plain, tuned)
    text = (out / "README.md").read_text()
    assert "Not evaluated yet" in text
    assert "seed 1" in text
    assert "base_model" not in yaml.safe_load(text.split("---\n")[1])


def test_the_card_has_the_numbers_of_phase_3(trained: Path, tmp_path: Path) -> None:
    level = {
        "panel": "test",
        "group": "all",
        "metric": "success",
        "low": 0.2,
        "high": 0.6,
        "clusters": 9,
        "method": "m",
    }
    put(trained, "metrics", *({**level, "model": name, "point": 0.4} for name in ("base", "Q1_demo", "Q2_demo")))
    out = tmp_path / "adapter"
    assert main(["export", "adapter", str(trained), "--run", "Q1_demo", "-o", str(out)]) == 0
    text = (out / "README.md").read_text()
    assert "| test | Q1_demo | 0.400 | [0.200, 0.600] | 9 | m |" in text
    assert "Q2_demo" not in text


def test_a_pretrained_base_is_named_with_its_commit(trained: Path, tmp_path: Path) -> None:
    told = {"source": "hf", "path": "Qwen/Qwen3-8B", "revision": "a" * 40}
    tables.write_json(told, trained / "student/settings.json")
    line = ["export", "adapter", str(trained), "--run", "Q1_demo"]
    assert main([*line, "-o", str(tmp_path / "one")]) == 0
    config = json.loads((tmp_path / "one/adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("Qwen/Qwen3-8B", "a" * 40)
    assert "base_model: Qwen/Qwen3-8B" in (tmp_path / "one/README.md").read_text()
    assert main([*line, "-o", str(tmp_path / "two"), "--base", "me/mine"]) == 0
    config = json.loads((tmp_path / "two/adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("me/mine", None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "name the run"),
        (["--run", "Q1_dem"], "did you mean 'Q1_demo'?"),
        (["--run", "Q3_hint"], "could not be trained"),
        (["--run", "Q1_demo", "--train-seed", "9"], "has no training 9"),
    ],
)
def test_what_there_is_not(
    more: list[str], said: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "adapter", str(trained), "-o", str(tmp_path / "out"), *more]) == 1
    assert said in capsys.readouterr().err


def test_before_phase_2(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not (results / ARTIFACTS["student"].path / "settings.json").exists()
    assert main(["export", "adapter", str(results), "-o", str(tmp_path / "out"), "--run", "x"]) == 1
    assert "`snakemake -c 2 phase2`" in capsys.readouterr().err
