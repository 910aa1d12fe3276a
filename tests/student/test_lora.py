"""LoRA: completion loss only, deterministic, the same result on a small GPU, readable by plain PEFT."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

import teachable.student.lora as lora
import teachable.student.steps as steps
from teachable.student import (
    AdapterError,
    Example,
    LayoutMismatch,
    LoraSettings,
    Student,
    StudentError,
    train_lora,
)
from teachable.student.batches import epoch_batches

from .tiny import COMMANDS, context

SETTINGS = LoraSettings(rank=4, alpha=8, learning_rate=3e-3, epochs=2, batch_size=4, micro_batch=4)
PROMPT = "goal: eat\nkitchen\ndid: -\ntip: -\nact:"


def examples(student: Student, count: int = 6) -> list[Example]:
    return [Example(student.prompt(context(i)), COMMANDS[i % 3]) for i in range(count)]


def test_training_raises_the_probability_of_the_completions(student: Student) -> None:
    data = examples(student)
    record = train_lora(student, data, replace(SETTINGS, epochs=8), seed=1, name="a")
    assert record.loss_last < record.loss_first
    assert record.steps == 16
    assert len(record.losses) == 16
    assert record.examples == 6
    prompts, commands = [e.prompt for e in data], [COMMANDS] * len(data)
    base = student.policy(prompts, commands)
    tuned = student.policy(prompts, commands, adapters=["a"] * len(data))
    for e, before, after in zip(data, base, tuned, strict=True):
        assert after[COMMANDS.index(e.completion)] > before[COMMANDS.index(e.completion)]


def test_the_base_model_is_untouched(student: Student) -> None:
    before = {key: value.clone() for key, value in student.model.state_dict().items()}
    answer = student.policy([PROMPT], [COMMANDS])[0]
    train_lora(student, examples(student), SETTINGS, seed=1, name="a")
    student.forget(everything=True)
    assert np.array_equal(student.policy([PROMPT], [COMMANDS])[0], answer)
    student.remove_adapter("a")
    after = student.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(value.requires_grad for value in student.model.parameters())


def test_loss_is_on_the_completion_only(student: Student) -> None:
    """By hand, from full logits: prompt tokens take no part, nor does the padding of a longer neighbour."""
    data = lora.encode(student, [Example(PROMPT, "go north"), Example(PROMPT + PROMPT, COMMANDS[-1])], None)
    total = 0.0
    for item in data:
        with torch.inference_mode():
            logits = student.model(torch.tensor([item.ids])).logits[0]
        behind = torch.log_softmax(logits[item.start - 1 : -1], dim=-1)
        total -= float(behind[range(len(item.ids) - item.start), item.ids[item.start :]].sum())
    with torch.inference_mode():
        logits, wanted = steps.answers(student.model, data, student.pad)
    loss = torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")
    assert float(loss) == pytest.approx(total, rel=1e-5)


def test_every_epoch_replays_other_decisions_until_all_were_used() -> None:
    batches = list(epoch_batches(5, 4, 12, np.random.default_rng(0), strata=["one"] * 10, replayed=3))  # 8 an epoch
    epochs = [[*batches[i], *batches[i + 1]] for i in range(0, 12, 2)]
    assert all(sorted(row for row in epoch if row < 5) == [*range(5)] for epoch in epochs)
    replayed = [row for epoch in epochs for row in epoch if row >= 5]
    assert len(replayed) == 18
    first = [{row for row in epoch if row >= 5} for epoch in epochs[:3]]
    assert len(set.union(*first)) == 9, "none twice before all were used"
    assert set(replayed) == set(range(5, 15))
    assert any(epoch[:5] != sorted(epoch[:5]) for epoch in epochs), "mixed, not one after the other"


def test_a_rare_stratum_is_replayed_as_often_as_a_common_one() -> None:
    strata = ["common"] * 90 + ["rare"] * 4 + ["other"] * 6
    batches = epoch_batches(2, 32, 12, np.random.default_rng(0), strata=strata, replayed=10)
    replayed = [[strata[row - 2] for row in batch if row >= 2] for batch in batches]
    assert {len(epoch) for epoch in replayed} == {10}
    assert Counter(name for epoch in replayed for name in epoch) == {"common": 40, "rare": 40, "other": 40}
    assert all(max(counted.values()) - min(counted.values()) == 1 for counted in map(Counter, replayed))


def test_replay_keeps_what_the_examples_do_not_show(student: Student) -> None:
    data = examples(student, 3)
    kept = [Example(student.prompt(context(i)), COMMANDS[4]) for i in range(20, 26)]
    settings = replace(SETTINGS, epochs=10)
    alone = train_lora(student, data, settings, seed=1, name="alone")
    beside = train_lora(student, data, settings, seed=1, replay=kept, replayed=6, name="beside")
    assert (alone.replayed, alone.steps) == (0, 10)
    assert (beside.examples, beside.replayed, beside.replay_pool, beside.steps) == (3, 60, 6, 30)
    prompts, listed = [e.prompt for e in kept], [COMMANDS] * len(kept)
    chances = [np.mean([p[4] for p in student.policy(prompts, listed, adapters=[a] * 6)]) for a in ("alone", "beside")]
    assert chances[1] > chances[0]
    only = train_lora(student, [], settings, seed=1, replay=kept, replayed=4, name="only")
    assert (only.examples, only.replayed) == (0, 40)
    with pytest.raises(StudentError, match="6 decisions to replay, but 1 strata"):
        train_lora(student, data, settings, seed=1, replay=kept, strata=["walk"], replayed=4, name="none")
    with pytest.raises(StudentError, match="nothing to replay"):
        train_lora(student, data, settings, seed=1, replayed=4, name="none")


def test_a_heavy_penalty_holds_the_policy_at_the_base(student: Student) -> None:
    data = examples(student)
    prompts, listed = [e.prompt for e in data], [COMMANDS] * len(data)
    base = np.exp(student.policy(prompts, listed))
    moved = {}
    for weight in (0.0, 1.0, 300.0):
        settings = replace(SETTINGS, epochs=20, learning_rate=3e-2, base_penalty=weight)
        train_lora(student, data, settings, seed=1, name="a")
        moved[weight] = np.abs(np.exp(student.policy(prompts, listed, adapters=["a"] * len(data))) - base).max()
    assert moved[0.0] > moved[1.0] > moved[300.0]
    assert moved[300.0] < 0.5 * moved[0.0]


def test_gradients_do_not_depend_on_the_micro_batch(student: Student) -> None:
    records = [
        train_lora(student, examples(student, 8), replace(SETTINGS, batch_size=8, micro_batch=size), seed=3, name="a")
        for size in (1, 3, 8)
    ]
    for record in records[1:]:
        assert np.allclose(record.losses, records[0].losses, rtol=1e-4)


def test_the_seed_decides(student: Student, student_directory: Path) -> None:
    torch.manual_seed(123)
    one = train_lora(student, examples(student), SETTINGS, seed=5, name="a")
    torch.manual_seed(456)
    other = Student.load(student_directory, device="cpu")
    train_lora(other, examples(other, 2), SETTINGS, seed=9, name="before")  # what ran before does not matter
    two = train_lora(other, examples(other), SETTINGS, seed=5, name="a")
    three = train_lora(other, examples(other), SETTINGS, seed=6, name="a")
    assert one.sha256 == two.sha256
    assert one.losses == two.losses
    assert three.sha256 != one.sha256


def test_out_of_memory_halves_the_micro_batch_and_changes_nothing_else(
    student: Student, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = train_lora(student, examples(student, 8), replace(SETTINGS, micro_batch=1), seed=2, name="a")
    original = steps.answers

    def hungry(model: object, chosen: list[object], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
        if len(chosen) > 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (injected)")
        return original(model, chosen, pad)

    monkeypatch.setattr(steps, "answers", hungry)
    squeezed = train_lora(student, examples(student, 8), replace(SETTINGS, micro_batch=4), seed=2, name="a")
    assert squeezed.micro_batch == 1
    assert squeezed.steps == plain.steps
    assert squeezed.sha256 == plain.sha256
    assert "micro-batch of 2" in caplog.text


def test_out_of_memory_with_one_example_is_an_error(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    def always(*_: object) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory (injected)")

    monkeypatch.setattr(steps, "answers", always)
    with pytest.raises(StudentError, match="single example"):
        train_lora(student, examples(student), SETTINGS, seed=2, name="a")


def test_an_adapter_directory_is_whole_and_plain_peft_reads_it(
    student: Student, student_directory: Path, tmp_path: Path
) -> None:
    out = tmp_path / "adapter"
    record = train_lora(student, examples(student), SETTINGS, seed=1, out=out, checkpoints=(1 / 3, 2 / 3))
    assert sorted(path.name for path in out.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "checkpoints", "teachable_adapter.json",
    ]  # fmt: skip
    assert [path for path in tmp_path.iterdir() if path != out] == []
    assert student.adapters == []
    about = json.loads((out / "teachable_adapter.json").read_text())
    assert about["sha256"] == record.sha256
    assert (about["layout"], about["layout_version"], about["base"]) == ("compact", 1, student.fingerprint)

    student.add_adapter("mine", out)
    ids = torch.tensor([student.encode_prompts([PROMPT])[0]])
    with student.answering("mine"):
        mine = student.model(input_ids=ids).logits
    base = AutoModelForCausalLM.from_pretrained(str(student_directory))
    with torch.inference_mode():
        theirs = PeftModel.from_pretrained(base, str(out)).eval()(input_ids=ids).logits
    assert torch.allclose(mine, theirs, atol=1e-5)
    assert len(record.checkpoints) == 2
    for place in record.checkpoints.values():
        student.add_adapter("checkpoint", Path(place))
    assert student.adapters == ["checkpoint", "mine"]


def test_what_is_adapted_is_written_in_one_order(student: Student, tmp_path: Path) -> None:
    """PEFT keeps the names in a set, whose order another hash seed changes."""
    train_lora(student, examples(student), SETTINGS, seed=1, name="a", out=tmp_path / "a")
    written = json.loads((tmp_path / "a" / "adapter_config.json").read_text())["target_modules"]
    assert len(written) > 7
    assert written == sorted(written)


def test_each_prompt_has_its_adapter(student: Student, tmp_path: Path, student_directory: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        train_lora(student, examples(student), replace(SETTINGS, rank=seed * 2), seed=seed, out=tmp_path / name)
    names = [None, "a", "b", "a", None, "b"]
    loaded = Student.load(
        student_directory, device="cpu", adapters={"a": tmp_path / "a", "b": tmp_path / "b"}, memory=0
    )
    prompts = [student.prompt(context(i)) for i in range(6)]
    mixed = loaded.policy(prompts, [COMMANDS] * 6, adapters=names)
    for prompt, name, answer in zip(prompts, names, mixed, strict=True):
        alone = Student.load(student_directory, device="cpu", adapters={name: tmp_path / name} if name else None)
        assert np.abs(alone.policy([prompt], [COMMANDS], adapters=[name])[0] - answer).max() < 1e-5
    same = loaded.policy([PROMPT] * 3, [COMMANDS] * 3, adapters=[None, "a", "b"])
    assert np.abs(same[0] - same[1]).max() > 1e-4
    assert np.abs(same[1] - same[2]).max() > 1e-4
    assert np.abs(loaded.embed([PROMPT], adapter="a") - loaded.embed([PROMPT])).max() > 1e-4


def test_an_adapter_from_disk_answers_without_dropout(
    student: Student, student_directory: Path, tmp_path: Path
) -> None:
    train_lora(student, examples(student), replace(SETTINGS, dropout=0.5), seed=1, out=tmp_path / "dropped")
    loaded = Student.load(student_directory, device="cpu", adapters={"dropped": tmp_path / "dropped"}, memory=0)
    first, second = (loaded.policy([PROMPT], [COMMANDS], adapters=["dropped"])[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_a_retrained_adapter_of_the_same_name_is_not_answered_from_memory(student: Student) -> None:
    answers = []
    for seed in (1, 2):
        train_lora(student, examples(student), SETTINGS, seed=seed, name="micro")
        answers.append(student.policy([PROMPT], [COMMANDS], adapters=["micro"])[0])
    assert np.abs(answers[0] - answers[1]).max() > 1e-4


def test_an_adapter_that_changes_nothing_is_refused(student: Student, tmp_path: Path) -> None:
    out = tmp_path / "idle"
    train_lora(student, examples(student), replace(SETTINGS, learning_rate=1e-30), seed=1, out=out)
    with pytest.raises(AdapterError, match="changes nothing"):
        student.add_adapter("idle", out)
    assert student.adapters == []
    with pytest.raises(AdapterError, match="unknown adapter 'idle'"):
        student.policy([PROMPT], [COMMANDS], adapters=["idle"])


@pytest.fixture
def adapter(student: Student, tmp_path: Path) -> Path:
    train_lora(student, examples(student), replace(SETTINGS, max_steps=1), seed=1, out=tmp_path / "adapter")
    return tmp_path / "adapter"


def change(path: Path, **values: object) -> None:
    file = path / "teachable_adapter.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_an_adapter_of_another_layout_is_refused(student: Student, adapter: Path) -> None:
    change(adapter, layout_version=99)
    with pytest.raises(LayoutMismatch, match="version 99"):
        student.add_adapter("x", adapter)


def test_an_adapter_of_another_base_is_refused(student: Student, adapter: Path) -> None:
    change(adapter, base="0" * 64)
    with pytest.raises(AdapterError, match="another base model"):
        student.add_adapter("x", adapter)


def test_a_torn_adapter_is_refused(student: Student, adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(AdapterError, match="is not the file"):
        student.add_adapter("x", adapter)
    weights.unlink()
    with pytest.raises(AdapterError, match=r"adapter_model\.safetensors is missing"):
        student.add_adapter("x", adapter)


def test_max_steps_cycles_through_the_examples(student: Student) -> None:
    record = train_lora(student, examples(student, 1), replace(SETTINGS, max_steps=3), seed=1, name="a")
    assert record.steps == 3
    assert record.tokens == 3 * len(lora.encode(student, examples(student, 1), None)[0].ids)


def test_what_cannot_be_trained_is_refused(student: Student) -> None:
    with pytest.raises(StudentError, match="no examples"):
        train_lora(student, [], SETTINGS, seed=1, name="a")
    with pytest.raises(StudentError, match="its result is lost"):
        train_lora(student, examples(student), SETTINGS, seed=1)
    with pytest.raises(StudentError, match="limit of 10"):
        train_lora(student, examples(student), replace(SETTINGS, max_tokens=10), seed=1, name="a")
    with pytest.raises(StudentError, match="learning_rate"):
        LoraSettings(learning_rate=0)
    assert student.adapters == []


def test_gradient_checkpointing_and_dropout_train_too(student: Student) -> None:
    plain = train_lora(student, examples(student), SETTINGS, seed=1, name="a")
    checked = train_lora(student, examples(student), replace(SETTINGS, gradient_checkpointing=True), seed=1, name="a")
    assert np.allclose(plain.losses, checked.losses, rtol=1e-4)
    dropped = [
        train_lora(student, examples(student), replace(SETTINGS, dropout=0.5), seed=1, name="a") for _ in range(2)
    ]
    assert dropped[0].sha256 == dropped[1].sha256
    assert not np.allclose(dropped[0].losses, plain.losses, rtol=1e-4)
    assert not student.model.training
