"""Scoring: exact, independent of batching and order, the same by every method."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from teachable.student import LayoutMismatch, Student, StudentError
from teachable.student.scoring import SCORERS, Request, batches, tree_is_exact
from teachable.student.trees import build_tree

from .tiny import CHAT_TEMPLATE, COMMANDS, context

CONTEXTS = [context(index, patch="better go north" * (index % 3)) for index in range(17)]


def ask(student: Student) -> list[np.ndarray]:
    return student.policy([student.prompt(c) for c in CONTEXTS], [c.commands for c in CONTEXTS])


def widest(left: list[np.ndarray], right: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("method", sorted(SCORERS))
def test_every_method_equals_full_sequences_by_hand(student_directory: Path, method: str) -> None:
    student = Student.load(student_directory, device="cpu", method=method)
    found = ask(student)
    for answer, c in zip(found, CONTEXTS, strict=True):
        prompt = student.tokenizer(student.prompt(c), add_special_tokens=False).input_ids
        scores = []
        for command in c.commands:
            ids = student.tokenizer(f" {command}\n", add_special_tokens=False).input_ids
            with torch.inference_mode():
                logits = student.model(torch.tensor([prompt + ids])).logits[0].double()
            behind = torch.log_softmax(logits[len(prompt) - 1 : -1], dim=-1)
            scores.append(float(behind[range(len(ids)), ids].sum()))
        expected = np.asarray(scores) - np.logaddexp.reduce(scores)
        assert np.abs(answer - expected).max() < 1e-4
        assert answer.dtype == np.float64
        assert abs(np.exp(answer).sum() - 1) < 1e-12


@pytest.mark.parametrize("batch_tokens", [1, 150, 100_000])
def test_batching_and_order_do_not_matter(student_directory: Path, batch_tokens: int) -> None:
    reference = ask(Student.load(student_directory, device="cpu"))
    student = Student.load(student_directory, device="cpu", batch_tokens=batch_tokens, memory=0)
    order = np.random.default_rng(0).permutation(len(CONTEXTS))
    shuffled = student.policy([student.prompt(CONTEXTS[i]) for i in order], [CONTEXTS[i].commands for i in order])
    assert widest(shuffled, [reference[i] for i in order]) < 1e-5


def test_out_of_memory_halves_the_batch_and_changes_nothing_else(
    student_directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reference = ask(Student.load(student_directory, device="cpu"))
    original, seen = SCORERS["tree"], []

    def hungry(model: object, requests: Sequence[Request], pad: int) -> list[np.ndarray]:
        seen.append(len(requests))
        if len(requests) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (injected)")
        return original(model, requests, pad)

    monkeypatch.setitem(SCORERS, "tree", hungry)
    student = Student.load(student_directory, device="cpu", batch_tokens=100_000, method="tree")
    assert widest(ask(student), reference) < 1e-5
    assert max(seen) > 2
    assert student.batch_tokens <= 50_000
    assert "out of GPU memory" in caplog.text


def test_out_of_memory_with_one_prompt_is_an_error(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    def always(*_: object) -> list[np.ndarray]:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory (injected)")

    monkeypatch.setitem(SCORERS, student.method, always)
    student.forget(everything=True)
    with pytest.raises(StudentError, match="single prompt of"):
        student.policy(["act:"], [COMMANDS])


def test_the_order_of_commands_only_permutes_the_answer(student: Student) -> None:
    prompt = student.prompt(context(4))
    forward, backward = student.policy([prompt] * 2, [COMMANDS, COMMANDS[::-1]])
    assert np.abs(forward - backward[::-1]).max() < 1e-5


def test_a_command_that_begins_another_is_a_command_of_its_own(student: Student) -> None:
    short, long = "take red apple", "take red apple from counter"
    tree = build_tree([student.encode_command(short), student.encode_command(long)])
    assert tree.size == len(student.encode_command(long)) - 1  # the short one adds no node but ends with its own token
    ends = [int(tree.targets[tree.owners == owner][-1]) for owner in (0, 1)]
    assert ends == student.tokenizer("\n", add_special_tokens=False).input_ids * 2
    answer = student.policy(["act:"], [[short, long]])[0]
    assert np.isfinite(answer).all()


def test_length_normalisation_and_temperature(student_directory: Path) -> None:
    plain = Student.load(student_directory, device="cpu")
    mean = Student.load(student_directory, device="cpu", length_normalisation="mean")
    warm = Student.load(student_directory, device="cpu", temperature=2.0)
    prompt, lengths = "act:", np.asarray([len(plain.encode_command(c)) for c in COMMANDS])
    one, two, three = (s.policy([prompt], [COMMANDS])[0] for s in (plain, mean, warm))
    # up to the normalisation constant: mean scores are sums over lengths, and temperature divides them
    centred = one / 2 - np.logaddexp.reduce(one / 2)
    assert np.allclose(three, centred, atol=1e-6)
    differences = (two[:, None] - two) - (one[:, None] / lengths[:, None] - one / lengths)
    unexplained = differences / (1 / lengths[:, None] - 1 / lengths + np.eye(len(lengths)))
    known = unexplained[lengths[:, None] != lengths]
    assert np.allclose(known, known[0], atol=1e-4)  # one constant, the log of the sum over commands
    assert warm.describe()["temperature"] == 2.0
    assert mean.describe()["length_normalisation"] == "mean"


def test_answers_are_remembered_and_forgotten(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = SCORERS["tree"]
    monkeypatch.setitem(SCORERS, "tree", lambda *args: calls.append(len(args[1])) or original(*args))
    first = student.policy(["act:"] * 3, [COMMANDS] * 3)
    again = student.policy(["act:"], [COMMANDS])
    assert calls == [1]
    assert again[0] is first[0]
    assert not again[0].flags.writeable
    student.forget()
    student.policy(["act:"], [COMMANDS])
    assert calls == [1, 1]


def test_memory_is_bounded(student_directory: Path) -> None:
    student = Student.load(student_directory, device="cpu", memory=5)
    student.policy([f"{i} act:" for i in range(9)], [COMMANDS[:2]] * 9)
    assert sum(len(part) for part in student._memory._known.values()) == 5


def test_bad_questions_are_refused(student: Student) -> None:
    with pytest.raises(StudentError, match="at least one"):
        student.policy(["act:"], [[]])
    with pytest.raises(StudentError, match="same tokens"):
        student.policy(["act:"], [["go north", "go north"]])
    with pytest.raises(StudentError, match="as many"):
        student.policy(["act:"], [])
    with pytest.raises(StudentError, match="exceeds the 2048"):
        student.policy(["word " * 5000], [COMMANDS])


def test_batches_respect_the_budget_and_cover_everything(student: Student) -> None:
    tree = build_tree([[1, 2, 3], [1, 4]])
    requests = [Request([0] * length, tree, []) for length in (5, 90, 7, 31, 5, 200)]
    made = list(batches(requests, 100, 300))
    assert sorted(i for batch in made for i in batch) == list(range(6))
    for batch in made:
        assert len(batch) == 1 or len(batch) * max(requests[i].width for i in batch) <= 100


def test_tree_is_used_only_where_it_is_exact() -> None:
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    assert tree_is_exact(LlamaConfig(**small))
    assert not tree_is_exact(MistralConfig(**small, sliding_window=16))
    assert tree_is_exact(MistralConfig(**small, sliding_window=None))


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_other_families_score_the_same_by_every_method(student_directory: Path, tmp_path: Path, family: str) -> None:
    shape = {
        "vocab_size": 400, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2,
    }  # fmt: skip
    torch.manual_seed(0)
    model = (
        LlamaForCausalLM(LlamaConfig(**shape))
        if family == "llama"
        else MistralForCausalLM(MistralConfig(**shape, sliding_window=24))
    )
    model.save_pretrained(str(tmp_path))
    for file in student_directory.glob("tokenizer*"):
        shutil.copy(file, tmp_path)
    auto = Student.load(tmp_path, device="cpu")
    naive = Student.load(tmp_path, device="cpu", method="naive")
    assert auto.layout == "chat"
    assert auto.method == ("radix" if family == "llama" else "prefix_cache")
    assert widest(ask(auto), ask(naive)) < 1e-4
    if family == "mistral":
        with pytest.raises(StudentError, match="not exact for mistral"):
            Student.load(tmp_path, device="cpu", method="tree")


def test_a_chat_model_answers_behind_its_template(student_directory: Path, tmp_path: Path) -> None:
    plain = tmp_path / "chat"
    shutil.copytree(student_directory, plain)
    (plain / "student.json").unlink()
    (plain / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    student = Student.load(plain, device="cpu")
    assert student.layout == "chat"
    ends = student.tokenizer("<|im_end|>\n", add_special_tokens=False).input_ids  # no special token of this tokenizer
    assert student.encode_command("go north")[-len(ends) :] == ends
    assert widest(ask(student), ask(Student.load(plain, device="cpu", method="naive"))) < 1e-4


def test_embeddings_do_not_depend_on_the_batch(student: Student) -> None:
    prompts = [student.prompt(c) for c in CONTEXTS]
    together = student.embed(prompts)
    alone = np.concatenate([student.embed([prompt]) for prompt in prompts])
    assert together.shape == (len(prompts), 32)
    assert together.dtype == np.float32
    assert np.abs(together - alone).max() < 1e-5


def test_a_missing_student_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match=r"no student at .*nowhere.*fetch-student"):
        Student.load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudentError, match=r"config\.json is missing"):
        Student.load(tmp_path / "empty")


def test_a_hub_name_that_is_not_here_is_not_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(StudentError, match="teachable fetch-student acme/none"):
        Student.load("acme/none")


def test_a_checkpoint_of_another_layout_is_refused(student_directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(student_directory, other)
    record = json.loads((other / "student.json").read_text())
    (other / "student.json").write_text(json.dumps({**record, "layout_version": 99}))
    with pytest.raises(LayoutMismatch, match="version 99"):
        Student.load(other)


def test_the_fingerprint_is_of_the_content(student_directory: Path, tmp_path: Path) -> None:
    first = Student.load(student_directory, device="cpu").fingerprint
    copy = tmp_path / "elsewhere"
    shutil.copytree(student_directory, copy)
    assert Student.load(copy, device="cpu").fingerprint == first
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(weights))
    assert Student.load(copy, device="cpu").fingerprint != first


def test_settings_that_make_no_sense_are_refused(student_directory: Path) -> None:
    with pytest.raises(StudentError, match="temperature"):
        Student.load(student_directory, temperature=0.0)
    with pytest.raises(StudentError, match="length_normalisation"):
        Student.load(student_directory, length_normalisation="median")
    with pytest.raises(StudentError, match="scoring method"):
        Student.load(student_directory, method="guess")
    if not torch.cuda.is_available():
        with pytest.raises(StudentError, match="sees no GPU"):
            Student.load(student_directory, device="cuda")
