"""What is no student is refused when it is loaded, in one sentence that says what is wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from teachable.student import Student, StudentError
from teachable.student.probing import try_out

from .tiny import chat_student

Damage = Callable[[Path], None]


@pytest.fixture
def model(student_directory: Path, tmp_path: Path) -> Path:
    return chat_student(student_directory, tmp_path / "model")


def weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Damage:
    def damage(model: Path) -> None:
        path = model / "model.safetensors"
        save_file(change(load_file(path)), path, metadata={"format": "pt"})

    return damage


def config(**changes: object) -> Damage:
    def damage(model: Path) -> None:
        path = model / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return damage


def shards(model: Path) -> None:
    found = load_file(model / "model.safetensors")
    names = sorted(found)
    files = {name: f"model-0000{1 + (index % 2)}-of-00002.safetensors" for index, name in enumerate(names)}
    for file in sorted(set(files.values())):
        save_file({name: found[name] for name in names if files[name] == file}, model / file, metadata={"format": "pt"})
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))


def lost_shard(model: Path) -> None:
    shards(model)
    (model / "model-00002-of-00002.safetensors").unlink()


def only_bin(model: Path) -> None:
    torch.save({}, model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()


def cut_off(model: Path) -> None:
    content = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(content[: len(content) // 2])


def pointer(model: Path) -> None:
    (model / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def no_tokenizer(model: Path) -> None:
    for path in model.glob("tokenizer*"):
        path.unlink()


def pad_outside(model: Path) -> None:
    path = model / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pad_token": "[PAD]"}))


def adapter(model: Path) -> None:
    (model / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "acme/base"}))


def own_code(model: Path) -> None:
    config(model_type="acme", auto_map={"AutoConfig": "modeling.C", "AutoModelForCausalLM": "modeling.M"})(model)
    (model / "modeling.py").write_text("raise SystemExit('run')\n")


REFUSED: dict[str, tuple[Damage, str]] = {
    "peft": (weights(lambda w: {f"base_model.model.{k}": v for k, v in w.items()}), "carry PEFT's names"),
    "unmerged": (weights(lambda w: {**w, "model.layers.0.mlp.up_proj.lora_A.weight": torch.zeros(1, 32)}), "PEFT"),
    "layer": (weights(lambda w: {k: v for k, v in w.items() if ".layers.1." not in k}), r"lacks \d+ weights"),
    "embedding": (
        weights(lambda w: {k: v for k, v in w.items() if "embed" not in k}),
        r"lacks \d weights? .* of the model",
    ),
    "more": (
        weights(lambda w: {**w, "vision.proj.weight": torch.zeros(2)}),
        "1 weight .first vision.proj",
    ),
    "shape": (weights(lambda w: {k: v[:-1] if "embed" in k else v for k, v in w.items()}), "another shape"),
    "config": (config(intermediate_size=96), "another shape"),
    "gptq": (config(quantization_config={"quant_method": "gptq", "bits": 4}), "quantised .gptq."),
    "bitsandbytes": (config(quantization_config={"load_in_4bit": True}), "quantised .bitsandbytes."),
    "fp8": (weights(lambda w: {k: v.to(torch.float8_e4m3fn) for k, v in w.items()}), "quantised .F8_E4M3."),
    "bin": (only_bin, "no weights in safetensors .only pytorch_model.bin"),
    "shard": (lost_shard, "lacks 1 of its shards, first model-00002"),
    "cut off": (cut_off, "not a whole safetensors file"),
    "pointer": (pointer, "not a whole safetensors file"),
    "own code": (own_code, "code of its own .auto_map."),
    "no tokenizer": (no_tokenizer, "no tokenizer that can write"),
    "pad": (pad_outside, r"'\[PAD\]' is number \d+, but the model embeds \d+"),
    "adapter": (adapter, "holds an adapter, not a model"),
    "unknown": (config(model_type="telegram"), "cannot load the student"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_one_sentence(model: Path, case: str) -> None:
    damage, reason = REFUSED[case]
    damage(model)
    with pytest.raises(StudentError, match=reason) as told:
        Student.load(model, device="cpu")
    text = str(told.value)
    assert "\n" not in text
    assert re.search(r"; |: ", text)
    assert len(text.replace(str(model), "")) < 450


def test_sound_ones_load(model: Path, tmp_path: Path) -> None:
    first = Student.load(model, device="cpu")
    split = Path(shutil.copytree(model, tmp_path / "split"))
    shards(split)
    config(auto_map={"AutoModelForCausalLM": "modeling.M"})(split)  # code that is not needed is not run either
    second = Student.load(split, device="cpu")
    assert torch.equal(first.model.get_input_embeddings().weight, second.model.get_input_embeddings().weight)


def test_weights_that_are_no_numbers_are_noticed_when_it_is_tried(model: Path) -> None:
    weights(lambda w: {k: v * float("nan") if "1.mlp" in k else v for k, v in w.items()})(model)
    with pytest.raises(StudentError, match="not a number"):
        try_out(Student.load(model, device="cpu"))


def test_a_context_too_short_for_a_prompt_is_noticed_when_it_is_tried(model: Path) -> None:
    config(max_position_embeddings=64)(model)
    with pytest.raises(StudentError, match="reads 64 tokens, too few"):
        try_out(Student.load(model, device="cpu"))
