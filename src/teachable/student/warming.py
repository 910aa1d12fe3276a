"""A warm start: a pretrained model learns the manners of the game before it is studied.

A model that never saw the game fails at everything, and a student that never wins has no failures worth teaching; one
that has seen enough of it soon wins always, and has none either. An adapter is trained on what an expert does, with
some patches to read (:mod:`teachable.training.warmstart`); of its checkpoints the earliest that wins neither too little
nor too much is merged into the weights (PEFT), so that all that follows sees one plain model: scored, trained and
loaded like any other.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from teachable.student.adapter_files import read_adapter
from teachable.student.builder import Demonstration, check_band, save_student
from teachable.student.completions import Example
from teachable.student.errors import StudentError
from teachable.student.lora import LoraSettings, train_lora
from teachable.student.model import Student

_ADAPTER, _CHECKPOINT = "warm start", "checkpoint of the warm start"

Validate = Callable[[Student, str | None], float]  # (student, adapter; None: none) -> its success on held-out games


@dataclass(frozen=True, slots=True)
class WarmStartRecord:
    """How a pretrained model was warmed up. Losses are nats per completion token."""

    base: str  # fingerprint of the pretrained model
    success_before: float  # on the validation games
    success: float
    examples: int
    patched: int  # of these, with a patch
    prompt_tokens_median: float
    steps: int  # after which the adapter was taken ...
    of_steps: int  # ... of so many that were made
    course: tuple[tuple[int, float], ...]  # steps and success of the checkpoints that were tried, in their order
    tokens: int  # trained on in all steps, padding not counted
    loss_first: float
    loss_last: float  # of the last of all steps
    adapter: str  # SHA-256 of the adapter that was merged
    fingerprint: str  # of what was written


def warm_start(
    student: Student,
    demonstrations: Sequence[Demonstration],
    settings: LoraSettings,
    *,
    validate: Validate,
    band: tuple[float, float],
    checkpoints: int = 1,
    seed: int,
    out: Path,
    progress: Callable[[int, int], object] | None = None,
) -> WarmStartRecord:
    """Train an adapter of ``student`` on ``demonstrations``, merge it and write the student to ``out``.

    All steps of ``settings`` are made; ``checkpoints`` of them, evenly, the last included, are tried in their order
    until success lies in the ``band``. ``validate(student, adapter)`` returns the success rate on held-out games; it
    is asked before, of the checkpoints, and of the very weights that are written, which are in the precision that
    ``student`` was loaded in. ``student`` is used up: its model is the merged one. ``progress(step, steps)`` after
    every step.

    Raises StudentError, and writes nothing, if success is outside of ``band`` at all of them.
    """
    if not demonstrations:
        raise StudentError("no demonstrations to warm the student up with")
    examples = [Example(student.prompt(one.context), one.action) for one in demonstrations]
    lengths = [len(ids) for ids in student.encode_prompts([one.prompt for one in examples])]
    before = float(validate(student, None))

    def told(step: int, steps: int, loss: float) -> None:
        if progress is not None:
            progress(step, steps)

    with tempfile.TemporaryDirectory() as drafts:
        trained = train_lora(
            student,
            examples,
            settings,
            seed=seed,
            out=Path(drafts) / "adapter",
            name=_ADAPTER,
            checkpoints=[number / checkpoints for number in range(1, checkpoints)],
            progress=told,
        )
        course: list[tuple[int, float]] = []
        steps, digest = trained.steps, trained.sha256
        for share, path in sorted(trained.checkpoints.items(), key=lambda item: float(item[0])):
            student.add_adapter(_CHECKPOINT, path)
            course.append((round(float(share) * trained.steps), float(validate(student, _CHECKPOINT))))
            if band[0] <= course[-1][1] <= band[1]:
                steps, digest = course[-1][0], read_adapter(Path(path))[2]["sha256"]
                break
    early = steps < trained.steps
    if trained.checkpoints:
        student.remove_adapter(_ADAPTER if early else _CHECKPOINT)
    model = student.bank.merged(_CHECKPOINT if early else _ADAPTER)
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
    success = float(validate(warm, None))
    tried = "".join(f", {won:.2f} after {step}" for step, won in course)
    check_band(
        success,
        *band,
        f"{student.name} after a warm start of {steps} steps{f' ({tried[2:]})' if not early and course else ''}",
        (
            "take more student.warm_start.max_steps, a higher learning_rate or more games, or lower band_low",
            "take more student.warm_start.checkpoints, fewer max_steps or harder games, or raise band_high",
        ),
    )
    record = {
        "base": student.fingerprint,
        "success_before": before,
        "success": success,
        "examples": len(examples),
        "patched": sum(bool(one.context.patch) for one in demonstrations),
        "prompt_tokens_median": float(np.median(lengths)),
        "steps": steps,
        "of_steps": trained.steps,
        "course": tuple(course),
        "tokens": trained.tokens,
        "loss_first": trained.loss_first,
        "loss_last": trained.loss_last,
        "adapter": digest,
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
