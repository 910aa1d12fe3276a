"""Adapters trained side by side are those trained alone, and rows of one pass have each its own."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM

import teachable.student.stacked as stacked
from teachable.student import Example, LoraSettings, Student, StudentError, train_lora
from teachable.student.adapters import lora_config
from teachable.student.completions import Encoded, cuts, passes
from teachable.student.speed import PEAKS, Speed
from teachable.student.stacked import Job, train_stacked
from teachable.student.steps import accumulate

from .tiny import COMMANDS, context

# Several examples each, in batches of three: another number of steps for each number of examples.
SETTINGS = LoraSettings(
    rank=4, alpha=8, learning_rate=1e-3, epochs=2, batch_size=3, micro_batch=3, warmup=0.3, weight_decay=0.1, clip=0.5
)


def data(student: Student, first: int, count: int) -> list[Example]:
    return [Example(student.prompt(context(i)), COMMANDS[i % 5]) for i in range(first, first + count)]


def jobs(student: Student) -> list[Job]:
    """Of 1 to 8 examples, and one with decisions replayed beside its own."""
    sizes = (4, 1, 8, 2, 1, 5)
    made = [Job(data(student, 3 * i, size), seed=11 + i, name=f"job {i}") for i, size in enumerate(sizes)]
    pool, strata = data(student, 40, 6), ["a", "a", "b", "b", "b", "b"]
    return [*made, Job(data(student, 30, 3), 5, "again", replay=pool, strata=strata, replayed=4)]


def alone(student: Student, job: Job, settings: LoraSettings, name: str) -> Any:
    return train_lora(
        student,
        job.examples,
        settings,
        seed=job.seed,
        name=name,
        replay=job.replay,
        strata=job.strata,
        replayed=job.replayed,
    )


def largest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[key] - other[key]).abs().max()) for key in one)


@pytest.mark.parametrize("penalty", [0.0, 0.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_are_those_of_separate_training(student: Student, penalty: float, dtype: torch.dtype) -> None:
    student.model.to(dtype)
    settings = replace(SETTINGS, base_penalty=penalty)
    work = jobs(student)
    together = train_stacked(student, work, settings, together=4, batch_tokens=300)
    assert [record.steps for record in together] == [4, 2, 6, 2, 2, 4, 6]
    for job, record in zip(work, together, strict=True):
        separate = alone(student, job, settings, "alone")
        apart = largest(student.bank.state(str(job.name)), student.bank.state("alone"))
        assert apart <= (1e-5 if dtype == torch.float32 else 1e-9) * separate.steps
        assert np.allclose(record.losses, separate.losses, atol=1e-5)
        same = ("examples", "replayed", "replay_pool", "steps", "tokens", "completion_tokens")
        assert [getattr(record, key) for key in same] == [getattr(separate, key) for key in same]
    fresh = [student.bank.state(name) for name in ("job 0", "job 1")]
    assert largest(*fresh) > 1e-2, "from seeds of their own"


def test_the_grouping_changes_nothing_but_rounding(student: Student) -> None:
    work = jobs(student)
    states = []
    for together, tokens in ((1, 100), (16, 4000)):
        train_stacked(student, work, SETTINGS, together=together, batch_tokens=tokens)
        states.append([student.bank.state(str(job.name)) for job in work])
    assert max(largest(one, other) for one, other in zip(*states, strict=True)) < 6e-5
    again = train_stacked(student, work, SETTINGS, together=16, batch_tokens=4000)
    assert [record.sha256 for record in again] == [
        record.sha256 for record in train_stacked(student, work, SETTINGS, together=16, batch_tokens=4000)
    ]


def test_the_base_model_is_untouched(student: Student) -> None:
    before = {key: value.clone() for key, value in student.model.state_dict().items()}
    work = jobs(student)
    train_stacked(student, work, SETTINGS)
    assert student.adapters == sorted(str(job.name) for job in work)
    for job in work:
        student.remove_adapter(str(job.name))
    after = student.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(len(module._forward_hooks) for module in student.model.modules())


def test_directories_are_those_of_separate_training(student: Student, student_directory: Path, tmp_path: Path) -> None:
    shares = (1 / 3, 2 / 3)
    work = [
        Job(data(student, i, size), 7 + i, out=tmp_path / f"together {i}", checkpoints=shares)
        for i, size in enumerate((7, 4))
    ]
    records = train_stacked(student, work, SETTINGS)
    assert student.adapters == []
    for index, (job, record) in enumerate(zip(work, records, strict=True)):
        out = tmp_path / f"alone {index}"
        train_lora(student, job.examples, SETTINGS, seed=job.seed, out=out, checkpoints=shares)
        files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
        assert job.out is not None
        assert files == sorted(path.relative_to(job.out) for path in job.out.rglob("*") if path.is_file())
        for file in files:
            if file.name == "adapter_config.json":
                assert (out / file).read_bytes() == (job.out / file).read_bytes()
            elif file.name == "teachable_adapter.json":
                both = [json.loads((place / file).read_text()) for place in (out, job.out)]
                assert both[0] | {"sha256": ""} == both[1] | {"sha256": ""}
        student.add_adapter("mine", job.out)
        assert largest(student.bank.state("mine"), _state(student, out)) < 1e-5 * record.steps
        ids = torch.tensor([student.encode_prompts([student.prompt(context(1))])[0]])
        with student.answering("mine"):
            mine = student.model(input_ids=ids).logits
        base = AutoModelForCausalLM.from_pretrained(str(student_directory))
        with torch.inference_mode():
            theirs = PeftModel.from_pretrained(base, str(job.out)).eval()(input_ids=ids).logits
        assert torch.allclose(mine, theirs, atol=1e-5)
        student.remove_adapter("mine")


def _state(student: Student, place: Path) -> dict[str, torch.Tensor]:
    student.add_adapter("read", place)
    state = student.bank.state("read")
    student.remove_adapter("read")
    return state


def test_out_of_memory_makes_smaller_passes_then_smaller_groups(
    student: Student, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    work = jobs(student)
    train_stacked(student, work, SETTINGS, batch_tokens=4000)
    plain = [student.bank.state(str(job.name)) for job in work]
    original, stack = stacked.answers, stacked.Stack

    def hungry(model: object, chosen: list[Encoded], pad: int) -> Any:
        if len(chosen) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (injected)")
        return original(model, chosen, pad)

    def narrow(shape: Any, count: int) -> Any:
        if count > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (injected)")
        return stack(shape, count)

    monkeypatch.setattr(stacked, "answers", hungry)
    monkeypatch.setattr(stacked, "Stack", narrow)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    records = train_stacked(student, work, SETTINGS, batch_tokens=4000)
    assert [record.steps for record in records] == [4, 2, 6, 2, 2, 4, 6]
    for before, job in zip(plain, work, strict=True):
        assert largest(before, student.bank.state(str(job.name))) < 6e-5
    assert "going on with 3 adapters at once" in caplog.text
    assert "tokens a forward pass" in caplog.text
    monkeypatch.setattr(stacked, "answers", lambda *_: hungry(None, [None] * 3, 0))  # type: ignore[list-item]
    with pytest.raises(StudentError, match="single example"):
        train_stacked(student, work, SETTINGS)


def test_dropout_is_trained_one_after_the_other_and_as_alone(
    student: Student, caplog: pytest.LogCaptureFixture
) -> None:
    settings = replace(SETTINGS, dropout=0.3)
    with caplog.at_level(logging.INFO):
        records = train_stacked(student, jobs(student)[:2], settings)
    assert "one after the other: dropout is set" in caplog.text
    for job, record in zip(jobs(student)[:2], records, strict=True):
        assert record.sha256 == alone(student, job, settings, "alone").sha256


def test_what_cannot_be_trained_is_refused(student: Student) -> None:
    one = data(student, 0, 1)
    with pytest.raises(StudentError, match="one name"):
        train_stacked(student, [Job(one, 1, "a"), Job(one, 2, "a")], SETTINGS)
    with pytest.raises(StudentError, match="its result is lost"):
        train_stacked(student, [Job(one, 1)], SETTINGS)
    with pytest.raises(StudentError, match="no examples"):
        train_stacked(student, [Job([], 1, "a")], SETTINGS)
    student.model.get_input_embeddings().weight.data.fill_(float("nan"))
    with pytest.raises(StudentError, match="the loss became nan"):
        train_stacked(student, [Job(one, 1, "a")], SETTINGS)
    assert train_stacked(student, [], SETTINGS) == []


# -- evaluation ------------------------------------------------------------------------------------


def questions(student: Student, count: int) -> tuple[list[str], list[tuple[str, ...]]]:
    contexts = [context(i) for i in range(count)]
    return [student.prompt(one) for one in contexts], [one.commands for one in contexts]


def one_by_one(student: Student, names: list[str | None]) -> list[np.ndarray]:
    prompts, commands = questions(student, len(names))
    return [student.policy([p], [c], adapters=[name])[0] for p, c, name in zip(prompts, commands, names, strict=True)]


def test_rows_of_a_wave_have_each_their_adapter(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(SETTINGS, learning_rate=3e-2)
    train_stacked(student, jobs(student)[:4], settings)
    for seed in (1, 2):
        train_lora(student, data(student, 0, 3), settings, seed=seed, name=f"peft {seed}")
    train_lora(student, data(student, 0, 3), replace(settings, rank=2), seed=3, name="narrow")
    names = [None, "job 0", "peft 1", "job 3", "narrow", "job 1", "peft 2", "job 2", None, "job 0", "narrow"]
    student._memory._size = 0
    expected = one_by_one(student, names)
    shared: list[int] = []
    rows = type(student.bank).rows

    def watched(bank: Any, asked: Any) -> Any:
        shared.append(len(set(asked)))
        return rows(bank, asked)

    monkeypatch.setattr(type(student.bank), "rows", watched)
    prompts, commands = questions(student, len(names))
    found = student.policy(prompts, commands, adapters=names)
    assert max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True)) < 1e-4
    assert shared == [7], "all but the one of another shape in a single pass"
    base = one_by_one(student, [None] * len(names))
    moved = [float(np.abs(a - b).max()) for a, b in zip(found, base, strict=True)]
    assert [change > 0.01 for change in moved] == [name is not None for name in names]


def test_an_adapter_that_is_held_answers_alone_as_in_peft(student: Student, tmp_path: Path) -> None:
    train_stacked(student, [Job(data(student, 0, 4), 1, "held", tmp_path / "held")], replace(SETTINGS, epochs=20))
    student.add_adapter("read", tmp_path / "held")
    prompts, commands = questions(student, 6)
    held, read = (student.policy(prompts, commands, adapters=[name] * 6) for name in ("held", "read"))
    assert max(float(np.abs(a - b).max()) for a, b in zip(held, read, strict=True)) < 1e-5
    assert student.check_adapter("held") == pytest.approx(student.check_adapter("read"), rel=1e-3)
    base = student.policy(prompts, commands)
    assert max(float(np.abs(a - b).max()) for a, b in zip(held, base, strict=True)) > 0.01
    train_lora(student, data(student, 1, 1), SETTINGS, seed=2, name="held")  # in its place, as PEFT's
    assert student.adapters == ["held", "read"]


def test_a_model_that_mixes_rows_is_asked_one_adapter_after_another(
    student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its layers read all sequences as one: whose row is whose cannot be known."""
    train_stacked(student, jobs(student)[:2], replace(SETTINGS, learning_rate=3e-2))
    names: list[str | None] = ["job 0", "job 1", None]
    expected = one_by_one(student, names)
    student.forget(everything=True)
    mlp = student.model.get_decoder().layers[0].mlp
    inner = mlp.forward
    monkeypatch.setattr(mlp, "forward", lambda x: inner(x.reshape(1, -1, x.shape[-1])).reshape(x.shape))
    student.bank._stackable = None
    assert not student.bank.stackable
    prompts, commands = questions(student, 3)
    found = student.policy(prompts, commands, adapters=names)
    assert max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True)) < 1e-4
    records = train_stacked(student, jobs(student)[:2], SETTINGS)
    assert [record.steps for record in records] == [4, 2]


def test_a_swap_of_rows_inside_the_model_is_found(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    mlp = student.model.get_decoder().layers[0].mlp
    inner = mlp.forward
    monkeypatch.setattr(mlp, "forward", lambda x: inner(x.flip(0)).flip(0))
    assert not student.bank.stackable
    assert student.adapters == []


def test_adapters_with_more_than_two_matrices_are_not_stacked(student: Student) -> None:
    config = lora_config(2, 4, 0.0, "all-linear")
    config.use_dora = True
    student.bank.create("dora", config)
    student.bank.reset("dora", 1)
    train_stacked(student, jobs(student)[:2], SETTINGS)
    assert student.bank.waves(["job 1", "dora", None, "job 0"]) == [["dora"], [None, "job 0", "job 1"]]


SIZES = {"vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
FAMILIES = {
    "gpt2": {"vocab_size": 400, "n_embd": 32, "n_layer": 2, "n_head": 4},
    "gemma2": {**SIZES, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 64},
    "qwen3_moe": {
        **SIZES, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 64, "moe_intermediate_size": 32,
        "num_experts": 4, "num_experts_per_tok": 2,
    },
    "mamba": {"vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_are_trained_as_alone_side_by_side_or_not(student: Student, family: str) -> None:
    """Layers that are no nn.Linear, routers, kernels that read weights past the layers: the same or one by one."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **FAMILIES[family]))
    about = {"name": family, "fingerprint": family, "memory": 0}
    method = "batched" if family == "mamba" else "auto"  # its cache has another name than the others'
    own = Student(model, student.tokenizer, student.layout_spec, **about, method=method)
    work = jobs(own)[:3]
    train_stacked(own, work, SETTINGS)
    for job in work:
        separate = alone(own, job, SETTINGS, "alone")
        assert largest(own.bank.state(str(job.name)), own.bank.state("alone")) < 1e-4 * separate.steps
    names = ["job 0", None, "job 2", "job 1", "alone"]
    prompts, commands = questions(own, len(names))
    found = own.policy(prompts, commands, adapters=names)
    assert max(float(np.abs(a - b).max()) for a, b in zip(found, one_by_one(own, names), strict=True)) < 1e-4


# -- passes ----------------------------------------------------------------------------------------


def test_passes_are_the_fewest_with_little_padding() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        widths = sorted(rng.integers(20, 400, size=rng.integers(1, 9)).tolist())
        ends = cuts(widths, lambda rows, _: rows <= 4)
        starts = [0, *ends[:-1]]
        assert ends[-1] == len(widths)
        assert all(0 < end - start <= 4 for start, end in zip(starts, ends, strict=True))
        read = sum((end - start) * widths[end - 1] for start, end in zip(starts, ends, strict=True))
        assert 1 - sum(widths) / read <= 0.1 + 1e-12
        for bits in range(1 << (len(widths) - 1)):  # every other way to cut
            other = [i + 1 for i in range(len(widths) - 1) if bits >> i & 1] + [len(widths)]
            if len(other) < len(ends) and all(b - a <= 4 for a, b in zip([0, *other[:-1]], other, strict=True)):
                cost = sum((b - a) * widths[b - 1] for a, b in zip([0, *other[:-1]], other, strict=True))
                assert 1 - sum(widths) / cost > 0.1


def test_passes_do_not_change_the_gradients_and_padding_is_counted(student: Student) -> None:
    short, long = Example("goal: eat\nact:", "go east"), Example(student.prompt(context(5)) * 2, COMMANDS[4])
    settings = replace(SETTINGS, batch_size=8, micro_batch=8, epochs=1, warmup=0.0)
    mixed = [short, *data(student, 0, 3), long, short, *data(student, 3, 2)]
    record = train_lora(student, mixed, settings, seed=1, name="a")
    assert record.padding <= 0.1
    ordered = sorted(stacked.plan(student, mixed, settings, seed=1).rows, key=lambda row: len(row.ids))  # type: ignore[union-attr]
    widths = [len(row.ids) - 1 for row in ordered]  # type: ignore[union-attr]
    assert 1 - sum(widths) / (len(widths) * widths[-1]) > 0.2, "in one pass it would have been much"
    assert sum(len(part) for part in passes(ordered, 8, None)) == 8  # type: ignore[arg-type]
    slopes = []
    for size in (1, 8):
        student.bank.reset("a", 1)
        for parameter in student.bank.trainable("a"):
            parameter.grad = None
        accumulate(student, "a", ordered, size, 0.0)  # type: ignore[arg-type]
        slopes.append([p.grad.clone() for p in student.bank.trainable("a") if p.grad is not None])
    assert max(float((a - b).abs().max()) for a, b in zip(*slopes, strict=True)) < 1e-6


def test_a_compiled_model_trains_the_same(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced and differentiated as by torch.compile, without the minute that its code generator takes."""
    used: list[dict[str, Any]] = []
    compile_ = torch.compile

    def traced(model: Any, **options: Any) -> Any:
        used.append(options)
        return compile_(model, **{**options, "backend": "aot_eager"})

    plain = train_lora(student, data(student, 0, 4), SETTINGS, seed=1, name="plain")
    monkeypatch.setattr(torch, "compile", traced)
    compiled = train_lora(student, data(student, 0, 4), replace(SETTINGS, compile=True), seed=1, name="compiled")
    assert used == [{"dynamic": True}]
    assert largest(student.bank.state("plain"), student.bank.state("compiled")) < 1e-5 * plain.steps
    assert np.allclose(plain.losses, compiled.losses, atol=1e-5)
    assert student.model._compiled_call_impl is None


def test_the_share_of_peak_is_that_of_the_last_step() -> None:
    speed = Speed(parameters=8_000_000_000, peak=PEAKS["H100"])
    speed.tokens, speed.seconds, speed.last = 50_000, 10.0, (8_000, 1.0)
    assert speed.share_of_peak == pytest.approx(6 * 8e9 * 5_000 / 989.4e12)
    assert speed.measured()["share_of_peak"] == pytest.approx(6 * 8e9 * 8_000 / 989.4e12)
    assert "share_of_peak" not in Speed(parameters=1, peak=None).measured()
