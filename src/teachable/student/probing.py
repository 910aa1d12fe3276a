"""Trying a student out before anything is played: can it answer, embed and be tuned, and by which way of scoring?

What a configuration promises is compared with plain forward passes on prompts of several lengths, alone and in a
batch. Failures that would stop a run later, or answers that depend on their neighbours, show here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from teachable.student.adapters import lora_config
from teachable.student.errors import StudentError
from teachable.student.model import Student
from teachable.student.prompt import Context, Transition
from teachable.student.scoring import METHODS, Request, last_logits
from teachable.student.trees import build_tree

log = logging.getLogger(__name__)

# The largest difference, in nats of a command's log-probability, that is rounding: 2,000 times what full sequences and
# trees differ by in float32; in half precision a single logit of 30 is rounded by up to 0.06 (bfloat16) or 0.008.
TOLERANCES = {torch.float32: 1e-3, torch.bfloat16: 0.5, torch.float16: 0.1}
_ADAPTER = "being tried"
_COMMANDS = (
    "go north",
    "examine notes",
    "open box",
    "take red ball",
    "take red ball from shelf",
    "put red ball on table",
)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial found."""

    method: str  # the first way of scoring that agrees with plain forward passes
    largest_difference: float  # of it from them, in nats
    refused: dict[str, str]  # ways that do not, and how they failed


def samples() -> list[Context]:
    """Decisions to try a student on: a short one, a usual one, a long one."""
    long = "A wooden table holds a red ball, two cans, a lamp and some notes. "
    return [
        Context("Look around.", "", "You see a box.", "", (), _COMMANDS[:2]),
        Context(
            "Find the red ball and put it where it belongs. Read the notes, they say where.",
            "red ball: on the table",
            "hall\nbox (closed), table, red ball\nexits: north",
            "You open the box.",
            (
                Transition("go north", "You are in a hall.", "You look around.", "", "cellar\nexits: north", _COMMANDS),
                Transition("open box", "You open the box.", "You are in a hall.", "", "hall\nbox", _COMMANDS[:3]),
            ),
            _COMMANDS,
        ),
        Context(
            "Find the red ball. " * 3,
            "",
            "cellar\n" + long * 4,
            long * 4,
            tuple(Transition("go north", long, long, "", "hall\n" + long, _COMMANDS) for _ in range(6)),
            _COMMANDS[1:],
            "The command that worked there was open box.",
        ),
    ]


def try_out(student: Student) -> Trial:
    """Try `student` on `samples` and set its way of scoring to one that is exact for it.

    Raises StudentError, in one sentence, where it cannot read a prompt, answers with what is not a number, sees what
    comes after a token, answers otherwise the second time, cannot embed or cannot be given an adapter.
    """
    with _one_sentence(student, "answer"):
        requests = _requests(student, samples())
        tolerance = TOLERANCES[student.model.dtype]
        with student.answering(None):
            plain = [_scores(student, [request], "naive")[0] for request in requests]
            _check_answers(student, requests, plain, tolerance)
            start = METHODS.index(student.method)
            refused: dict[str, str] = {}
            for method in METHODS[start:]:
                found = _difference(student, requests, plain, method)
                if isinstance(found, float) and found <= tolerance:
                    break
                refused[method] = found if isinstance(found, str) else f"differs by {found:.2g} nats"
    assert isinstance(found, float)
    if refused:
        log.warning(
            "%s is scored by %s: %s",
            student.name,
            method,
            "; ".join(f"{name} {reason}" for name, reason in refused.items()),
        )
    student.method = method
    student.forget(everything=True)
    _check_embedding(student, requests, tolerance)
    with _one_sentence(student, "be given an adapter"):
        student.bank.create(_ADAPTER, lora_config(1, 1, 0.0, "all-linear"))
        student.bank.remove(_ADAPTER)
    return Trial(method, found, refused)


def _requests(student: Student, contexts: Sequence[Context]) -> list[Request]:
    found = []
    for context, prompt in zip(contexts, student.encode_prompts([student.prompt(c) for c in contexts]), strict=True):
        ids = [student.encode_command(command) for command in context.commands]
        request = Request(prompt, build_tree(ids), ids)
        if request.longest < student.context_length:
            found.append(request)
    if len(found) < min(2, len(contexts)):
        raise StudentError(
            f"{student.name} reads {student.context_length} tokens, too few for a usual prompt; use a model with a "
            "longer context"
        )
    return found


def _scores(student: Student, requests: Sequence[Request], method: str) -> list[np.ndarray]:
    """Log-probabilities [K] of the commands of each request, before they are normalised."""
    values = student.scores(requests, method)
    return [request.tree.scores(row, mean=False) for request, row in zip(requests, values, strict=True)]


def _widest(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(left, right, strict=True))


def _check_answers(
    student: Student, requests: Sequence[Request], plain: Sequence[np.ndarray], tolerance: float
) -> None:
    """Raise StudentError unless plain forward passes give numbers, twice the same, of what came before alone."""
    if not all(np.isfinite(row).all() for row in plain):
        raise StudentError(f"{student.name} answers with what is not a number; its weights are damaged or overflow")
    again = [_scores(student, [request], "naive")[0] for request in reversed(requests)][::-1]
    if _widest(plain, again) > tolerance:
        raise StudentError(f"{student.name} answers otherwise the second time; it keeps a state or draws at random")
    request = requests[0]
    longer = max(request.commands, key=len)
    alone = last_logits(student.model, 1, input_ids=torch.tensor([request.prompt], device=student.device))[0, 0]
    width = len(request.prompt) + len(longer)
    ids = torch.tensor([[*request.prompt, *longer]], device=student.device)
    behind = last_logits(student.model, width, input_ids=ids)[0, len(request.prompt) - 1]
    # logits of an untrained model differ by little, so that what is rounding depends on their spread
    if float((alone.float() - behind.float()).abs().max()) > tolerance * float(alone.float().std()):
        raise StudentError(
            f"{student.name} ({student.model.config.model_type}) sees the tokens behind the one that it predicts; use "
            "a causal language model"
        )


def _difference(student: Student, requests: Sequence[Request], plain: Sequence[np.ndarray], method: str) -> float | str:
    """The largest difference from `plain`, alone and in a batch, in nats; or why there is none."""
    if method not in METHODS:
        raise StudentError(f"unknown scoring method {method!r}")
    try:
        alone = [_scores(student, [request], method)[0] for request in requests]
        together = _scores(student, requests, method)
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as problem:  # a family without a cache, or with another kind of one, fails in its own way
        return f"fails ({type(problem).__name__})"
    found = max(_widest(plain, alone), _widest(plain, together))
    return found if np.isfinite(found) else "gives what is not a number"


def _check_embedding(student: Student, requests: Sequence[Request], tolerance: float) -> None:
    """Raise StudentError unless prompts have hidden states, the same alone and in a batch."""
    texts = [student.prompt(context) for context in samples()][: len(requests)]
    with _one_sentence(student, "embed a prompt"):
        together = student.embed(texts)
        alone = np.concatenate([student.embed([text]) for text in texts])
    scale = max(1.0, float(np.abs(alone).max()))
    if not np.isfinite(together).all() or float(np.abs(together - alone).max()) > tolerance * scale:
        raise StudentError(f"{student.name} embeds a prompt otherwise in a batch than alone; use another model")


@contextmanager
def _one_sentence(student: Student, what: str) -> Iterator[None]:
    """Whatever a model raises on the way, as a StudentError that says what it cannot do."""
    try:
        yield
    except (StudentError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as problem:
        text = " ".join(str(problem).split())[:300]
        raise StudentError(
            f"{student.name} ({student.model.config.model_type}) cannot {what}: {type(problem).__name__}: {text}"
        ) from problem
