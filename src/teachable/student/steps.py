"""The gradients of one step, micro-batch by micro-batch, whatever memory allows.

The loss of a step is the mean negative log-likelihood over all completion tokens of its batch, however the batch is
cut into micro-batches: sorted by length, so that little is padding, and smaller ones where memory runs out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from teachable.student.completions import Encoded, answers, passes
from teachable.student.errors import StudentError
from teachable.student.preference import EncodedPair, accumulate_pairs

if TYPE_CHECKING:
    from teachable.student.model import Student

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Step:
    """What one step did: its loss (nats a completion token), the reward margins of its pairs, the micro-batch that it
    ended with, and for its rows that are no pairs how many tokens were read, without and with padding."""

    loss: float = 0.0
    margins: list[float] = field(default_factory=list)
    micro_batch: int = 1
    read: int = 0
    padded: int = 0


def accumulate(
    student: Student, slot: str, batch: Sequence[Encoded], micro_batch: int, penalty: float, part: float = 1.0
) -> tuple[float, int]:
    """Gradients of ``part`` times the batch's mean loss, micro-batch by micro-batch.

    The loss is the mean negative log-likelihood of the completion tokens plus ``penalty`` times the mean over
    these tokens of KL(base || tuned), which pulls every probability back to the base student's (knowledge
    distillation against forgetting: Li and Hoiem 2016). Returns that loss without the penalty, and the tokens read,
    padding included.
    """
    functional = torch.nn.functional
    model, pad = student.model, student.pad
    tokens = sum(len(example.ids) - example.start for example in batch)
    ordered = sorted(batch, key=lambda example: len(example.ids))  # similar lengths share a forward pass
    total, padded = 0.0, 0
    for chosen in passes(ordered, micro_batch, student.length_switch):
        padded += len(chosen) * (len(chosen[-1].ids) - 1)
        before = None
        if penalty:
            with student.bank.suspended(slot), torch.no_grad():
                before = functional.log_softmax(answers(model, chosen, pad)[0], dim=-1)
        logits, wanted = answers(model, chosen, pad)
        loss = part * functional.cross_entropy(logits, wanted, reduction="sum") / tokens
        total += float(loss.detach())
        if before is not None:
            after = functional.log_softmax(logits, dim=-1)
            loss = loss + part * penalty * functional.kl_div(after, before, reduction="sum", log_target=True) / tokens
        torch.autograd.backward(loss)
    return total, padded


def sequences(row: Encoded | EncodedPair) -> tuple[Encoded, ...]:
    return (row.chosen, row.rejected) if isinstance(row, EncodedPair) else (row,)


def gradients(
    student: Student,
    slot: str,
    optimiser: torch.optim.Optimizer,
    batch: Sequence[Encoded | EncodedPair],
    micro_batch: int,
    penalty: float,
    beta: float,
) -> Step:
    """Fill the gradients of one step, with a smaller micro-batch each time memory runs out."""
    pairs = [row for row in batch if isinstance(row, EncodedPair)]
    plain = [row for row in batch if isinstance(row, Encoded)]
    while True:
        optimiser.zero_grad(set_to_none=True)
        done = Step(micro_batch=micro_batch)
        try:
            if pairs:
                share = len(pairs) / len(batch)
                done.loss, done.margins = accumulate_pairs(student, slot, pairs, micro_batch, beta, share)
            if plain:
                loss, padded = accumulate(student, slot, plain, micro_batch, penalty, len(plain) / len(batch))
                done.loss += loss
                done.padded += padded
                done.read += sum(len(example.ids) - 1 for example in plain)
            return done
        except torch.cuda.OutOfMemoryError as problem:
            if micro_batch == 1:
                raise StudentError(
                    "out of GPU memory with a single example; use gradient_checkpointing, a lower rank, or a larger GPU"
                ) from problem
            micro_batch = max(1, micro_batch // 2)
            log.warning("out of GPU memory: going on with a micro-batch of %d, same effective batch", micro_batch)
        optimiser.zero_grad(set_to_none=True)  # outside the handler, so that its traceback frees the activations
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
