"""Direct preference optimisation: of two commands at one prompt, the chosen one rather than the rejected one.

The loss of a pair is that of Rafailov et al. 2023 ("Direct Preference Optimization", equation 7),
``-log sigmoid(beta * ((log p(c) - log q(c)) - (log p(r) - log q(r))))``, with the chosen command c, the rejected one r,
the student in training p and the base student q. A command's log-probability is the sum over its tokens, its end
included (not their mean). q is p with its adapter off, so there is one copy of the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from teachable.student.completions import Encoded, Example, answers, encode, passes
from teachable.student.errors import StudentError
from teachable.student.scoring import token_log_probabilities

if TYPE_CHECKING:
    from teachable.student.model import Student


@dataclass(frozen=True, slots=True)
class Pair:
    """Two commands at one prompt (as `Student.prompt` writes it), of which the first is the better."""

    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a run learned from pairs. First and last: means over the first and the last tenth of the pairs it passed.

    A reward is ``beta * (log p - log q)`` in nats, a margin that of the chosen command minus that of the rejected one;
    accuracy is the share of pairs whose margin is above 0 (at the very first step all are 0).
    """

    beta: float
    pairs: int
    margin_first: float
    margin_last: float
    accuracy_first: float
    accuracy_last: float

    @classmethod
    def of(cls, margins: Sequence[float], beta: float, pairs: int) -> Preferences:
        """From the margin of every pair at every time it was trained on, in that order."""
        tenth = max(1, len(margins) // 10)
        first, last = margins[:tenth], margins[-tenth:]
        return cls(
            beta,
            pairs,
            sum(first) / tenth,
            sum(last) / tenth,
            sum(margin > 0 for margin in first) / tenth,
            sum(margin > 0 for margin in last) / tenth,
        )


@dataclass(slots=True)
class EncodedPair:
    """Token ids of a pair, and once they are known its log-probabilities (chosen, rejected) under the base [nats]."""

    chosen: Encoded
    rejected: Encoded
    reference: tuple[float, float] | None = None


def encode_pairs(student: Student, pairs: Sequence[Pair], max_tokens: int | None) -> list[EncodedPair]:
    """Token ids of the pairs. Raises StudentError for a pair of equal commands, or one that is too long."""
    for pair in pairs:
        if pair.chosen == pair.rejected:
            raise StudentError(f"a pair prefers {pair.chosen!r} to itself; leave it out")
    chosen = encode(student, [Example(pair.prompt, pair.chosen) for pair in pairs], max_tokens)
    rejected = encode(student, [Example(pair.prompt, pair.rejected) for pair in pairs], max_tokens)
    return [EncodedPair(*both) for both in zip(chosen, rejected, strict=True)]


def dpo_margins(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    reference_chosen: torch.Tensor,
    reference_rejected: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """Reward margins [B], in nats times ``beta``, from log-probabilities [B] of whole commands (nats)."""
    return beta * ((chosen - reference_chosen) - (rejected - reference_rejected))


def dpo_losses(margins: torch.Tensor) -> torch.Tensor:
    """Losses [B] (nats) of pairs with these reward margins [B]: equation 7 of Rafailov et al. 2023."""
    return -torch.nn.functional.logsigmoid(margins)


def log_probabilities(student: Student, sequences: Sequence[Encoded], size: int) -> torch.Tensor:
    """log p [S] float32 (nats) of each completion as a whole, under the adapter that is active, with gradients.

    At most `size` sequences share a forward pass.
    """
    order = sorted(range(len(sequences)), key=lambda index: len(sequences[index].ids))
    sums: list[torch.Tensor] = []
    for part in passes([sequences[index] for index in order], size, student.length_switch):
        logits, wanted = answers(student.model, part, student.pad)
        tokens = token_log_probabilities(logits, wanted)
        sums += [one.sum() for one in torch.split(tokens, [len(example.ids) - example.start for example in part])]
    places = sorted(range(len(order)), key=order.__getitem__)
    return torch.stack([sums[place] for place in places])


@contextmanager
def _without_dropout(model: Any) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def accumulate_pairs(
    student: Student, slot: str, pairs: Sequence[EncodedPair], micro_batch: int, beta: float, share: float
) -> tuple[float, list[float]]:
    """Gradients of ``share`` times the mean loss of ``pairs``; returns that loss, and the reward margins of the pairs.

    ``micro_batch`` counts sequences, two a pair. The base's log-probabilities of a pair are computed when it first
    comes by, in passes of the same shape, so that they equal those of a fresh adapter to the last bit, and are kept.
    """
    ordered = sorted(range(len(pairs)), key=lambda index: len(pairs[index].chosen.ids))
    margins = [0.0] * len(pairs)
    total = 0.0
    size = max(1, micro_batch // 2)
    for start in range(0, len(ordered), size):
        rows = ordered[start : start + size]
        part = [pairs[index] for index in rows]
        sequences = [pair.chosen for pair in part] + [pair.rejected for pair in part]
        if any(pair.reference is None for pair in part):
            with student.bank.suspended(slot), torch.no_grad(), _without_dropout(student.model):
                before = log_probabilities(student, sequences, micro_batch).tolist()
            for index, pair in enumerate(part):
                pair.reference = pair.reference or (before[index], before[len(part) + index])
        now = log_probabilities(student, sequences, micro_batch)
        reference = torch.tensor([pair.reference for pair in part], device=now.device)  # [P, 2]
        found = dpo_margins(now[: len(part)], now[len(part) :], reference[:, 0], reference[:, 1], beta)
        loss = share * dpo_losses(found).sum() / len(pairs)
        torch.autograd.backward(loss)
        total += float(loss.detach())
        for index, margin in zip(rows, found.tolist(), strict=True):
            margins[index] = margin
    return total, margins
