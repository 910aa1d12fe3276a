"""Gradients of single examples: what a step changes, and how much of it a projection keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from teachable.student import Example, LoraSettings, Student, StudentError
from teachable.student.adapters import lora_config
from teachable.student.gradients import Sketch, lora_gradients

from .tiny import COMMANDS, context

SETTINGS = LoraSettings(rank=4, alpha=8)
WHOLE = 1 << 30  # more dimensions than there are weights: nothing is projected


def examples(student: Student, count: int = 12) -> list[Example]:
    return [Example(student.prompt(context(i)), COMMANDS[(i * 5) % len(COMMANDS)]) for i in range(count)]


def gradients(student: Student, chosen: list[Example], dimensions: int = WHOLE, seed: int = 3, draw: int = 0):
    generator = np.random.default_rng(draw)
    return lora_gradients(student, chosen, SETTINGS, seed=seed, dimensions=dimensions, generator=generator)


def loss(student: Student, example: Example) -> float:
    """Nats a token of the completion, by a plain forward pass."""
    (prompt,) = student.encode_prompts([example.prompt])
    ids = torch.tensor([[*prompt, *student.encode_command(example.completion)]])
    with torch.no_grad():
        logp = student.model(input_ids=ids).logits[0].double().log_softmax(dim=-1)
    places = range(len(prompt), ids.shape[1])
    return -float(np.mean([float(logp[place - 1, ids[0, place]]) for place in places]))


def stepped(student: Student, step: np.ndarray, validation: list[Example], seed: int) -> float:
    """The mean loss on ``validation`` with a fresh adapter whose B is ``step``."""
    student.bank.create("stepped", lora_config(SETTINGS.rank, SETTINGS.alpha, 0.0, SETTINGS.targets))
    student.bank.reset("stepped", seed)
    student.bank.activate("stepped")
    flat, start = torch.from_numpy(step), 0
    with torch.no_grad():
        for matrix in student.bank.outward("stepped"):
            matrix.copy_(flat[start : start + matrix.numel()].view_as(matrix))
            start += matrix.numel()
    assert start == len(flat)
    found = float(np.mean([loss(student, example) for example in validation]))
    student.bank.remove("stepped")
    return found


def test_a_step_on_an_example_changes_the_validation_loss_by_the_product_of_gradients(student: Student) -> None:
    chosen = examples(student)
    train, validation = chosen[:8], chosen[8:]
    found = gradients(student, chosen)
    aim = found.vectors[8:].mean(axis=0)
    before = float(np.mean([loss(student, example) for example in validation]))
    assert found.losses[8:].mean() == pytest.approx(before, rel=1e-5)
    for row in range(len(train)):
        gradient = found.vectors[row]
        product = float(gradient.astype(np.float64) @ aim)
        rate = 1e-3 / abs(product)
        change = stepped(student, -rate * gradient, validation, seed=3) - before
        assert change == pytest.approx(-rate * product, rel=1e-2)


def test_projected_products_rank_as_exact_ones_do(student: Student) -> None:
    chosen = examples(student, 30)
    exact, kept = gradients(student, chosen), gradients(student, chosen, dimensions=512)
    assert kept.vectors.shape == (30, 512)
    assert exact.vectors.shape[1] >= 4 * 512
    products = [found.vectors[:20].astype(np.float64) @ found.vectors[20:].mean(axis=0) for found in (exact, kept)]
    assert spearmanr(*products).statistic > 0.9
    assert np.linalg.norm(exact.vectors, axis=1) == pytest.approx(exact.norms, rel=1e-5)
    assert np.array_equal(exact.norms, kept.norms)


def test_the_same_seeds_give_the_same_bytes_and_others_other_ones(student: Student) -> None:
    chosen = examples(student, 3)
    first = gradients(student, chosen, dimensions=64)
    assert np.array_equal(first.vectors, gradients(student, chosen, dimensions=64).vectors)
    assert np.array_equal(first.vectors[1:2], gradients(student, chosen[1:2], dimensions=64).vectors), "one by one"
    assert not np.allclose(first.vectors, gradients(student, chosen, dimensions=64, draw=1).vectors)
    assert not np.allclose(first.vectors, gradients(student, chosen, dimensions=64, seed=4).vectors)


def test_checkpointing_changes_nothing_and_the_student_is_as_it_was(student: Student) -> None:
    chosen = examples(student, 3)
    prompts, commands = [example.prompt for example in chosen], [COMMANDS] * 3
    before = [answer.copy() for answer in student.policy(prompts, commands)]
    plain = gradients(student, chosen)
    saving = lora_gradients(
        student,
        chosen,
        LoraSettings(rank=4, alpha=8, gradient_checkpointing=True),
        seed=3,
        dimensions=WHOLE,
        generator=np.random.default_rng(0),
    )
    assert saving.vectors == pytest.approx(plain.vectors, rel=1e-4, abs=1e-6)
    assert student.adapters == []
    assert not student.model.training
    student.forget(everything=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, student.policy(prompts, commands), strict=True))
    assert not any(parameter.requires_grad for parameter in student.model.parameters())


def test_products_of_sketches_are_right_in_the_mean_and_as_noisy_as_said() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=1000)
    b = 0.5 * a + rng.normal(size=1000)
    found = []
    for draw in range(400):
        sketch = Sketch.draw(1000, 64, np.random.default_rng(draw), torch.device("cpu"))
        left, right = (sketch(torch.from_numpy(x)).numpy() for x in (a, b))
        assert left.shape == (64,)
        found.append(left @ right)
    bound = np.linalg.norm(a) * np.linalg.norm(b) * np.sqrt(2 / 64)
    assert np.mean(found) == pytest.approx(a @ b, abs=4 * bound / 20)
    assert np.std(found) < 1.1 * bound


def test_errors_say_what_is_wrong(student: Student) -> None:
    assert gradients(student, [], dimensions=8).vectors.shape == (0, 8)
    with pytest.raises(StudentError, match="at least one dimension"):
        gradients(student, examples(student, 1), dimensions=0)
    assert student.adapters == []
    with torch.no_grad():
        next(student.model.parameters()).fill_(float("nan"))
    with pytest.raises(StudentError, match=r"the loss of example 1 is nan"):
        gradients(student, examples(student, 1))
