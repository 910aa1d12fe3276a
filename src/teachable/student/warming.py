"""A warm start: a pretrained model learns the manners of the game before it is studied.

A model that never saw the game fails at everything, and a student that never wins has no failures worth teaching. An
adapter is trained on what an expert does, with some patches to read (:mod:`teachable.training.warmstart`), and merged
into the weights (PEFT), so that all that follows sees one plain model: scored, trained and loaded like any other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from teachable.student.builder import Demonstration, check_band, save_student
from teachable.student.completions import Example
from teachable.student.errors import StudentError
from teachable.student.lora import LoraSettings, train_lora
from teachable.student.model import Student

_ADAPTER = "warm start"


@dataclass(frozen=True, slots=True)
class WarmStartRecord:
    """How a pretrained model was warmed up. Losses are nats per completion token."""

    base: str  # fingerprint of the pretrained model
    success_before: float  # on the validation games
    success: float
    examples: int
    patched: int  # of these, with a patch
    prompt_tokens_median: float
    steps: int
    tokens: int  # trained on, padding not counted
    loss_first: float
    loss_last: float
    adapter: str  # SHA-256 of the adapter that was merged
    fingerprint: str  # of what was written


def warm_start(
    student: Student,
    demonstrations: Sequence[Demonstration],
    settings: LoraSettings,
    *,
    validate: Callable[[Student], float],
    band: tuple[float, float],
    seed: int,
    out: Path,
    progress: Callable[[int, int], object] | None = None,
) -> WarmStartRecord:
    """Train an adapter of ``student`` on ``demonstrations``, merge it and write the student to ``out``.

    ``validate(student)`` returns the success rate on held-out games; it is asked before and, of the very weights that
    are written, after. These are in the precision that ``student`` was loaded in. ``student`` is used up: its model is
    the merged one. ``progress(step, steps)`` after every step.

    Raises StudentError, and writes nothing, if success afterwards is outside of ``band``.
    """
    if not demonstrations:
        raise StudentError("no demonstrations to warm the student up with")
    examples = [Example(student.prompt(one.context), one.action) for one in demonstrations]
    lengths = [len(ids) for ids in student.encode_prompts([one.prompt for one in examples])]
    before = float(validate(student))

    def told(step: int, steps: int, loss: float) -> None:
        if progress is not None:
            progress(step, steps)

    trained = train_lora(
        student,
        examples,
        settings,
        seed=seed,
        name=_ADAPTER,
        progress=told,
    )
    model = student.bank.merged(_ADAPTER)
    model.config._name_or_path = ""  # where it was read from is no part of what is written
    warm = Student(
        model,
        student.tokenizer,
        student.layout_spec,
        name=student.name,
        fingerprint="",
        temperature=student.temperature,
        length_normalisation=student.length_normalisation,
        batch_tokens=student.batch_tokens,
        attention=student.attention,
    )
    success = float(validate(warm))
    check_band(
        success,
        *band,
        f"{student.name} after a warm start of {trained.steps} steps",
        (
            "take more student.warm_start.max_steps, a higher learning_rate or more games, or lower band_low",
            "take fewer student.warm_start.max_steps or harder games, or raise band_high",
        ),
    )
    record = {
        "base": student.fingerprint,
        "success_before": before,
        "success": success,
        "examples": len(examples),
        "patched": sum(bool(one.context.patch) for one in demonstrations),
        "prompt_tokens_median": float(np.median(lengths)),
        "steps": trained.steps,
        "tokens": trained.tokens,
        "loss_first": trained.loss_first,
        "loss_last": trained.loss_last,
        "adapter": trained.sha256,
    }
    about = {"seed": seed, "warm_start": {**record, "settings": asdict(settings)}}
    written = save_student(
        out,
        warm.model,
        warm.tokenizer,
        warm.layout_spec,
        name=student.name,
        about=json.loads(json.dumps(about)),
        temperature=student.temperature,
        length_normalisation=student.length_normalisation,
    )
    made: Any = {**record, "fingerprint": written}
    return WarmStartRecord(**made)
