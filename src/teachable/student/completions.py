"""Prompts with the command behind them, as token ids, and one forward pass over several of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from teachable.student.errors import StudentError
from teachable.student.scoring import last_logits

if TYPE_CHECKING:
    from teachable.student.model import Student

IGNORE = -100


@dataclass(frozen=True, slots=True)
class Example:
    """One supervised example: the prompt as `Student.prompt` writes it, and the command to answer with."""

    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class Encoded:
    ids: list[int]  # prompt and completion
    start: int  # first completion token


def encode(student: Student, examples: Sequence[Example], max_tokens: int | None) -> list[Encoded]:
    """Token ids of the examples, by the very functions that scoring uses."""
    if not examples:  # which a tokenizer refuses
        return []
    limit = min(max_tokens or 1 << 30, student.context_length)
    found = []
    for prompt, example in zip(student.encode_prompts([e.prompt for e in examples]), examples, strict=True):
        ids = prompt + student.encode_command(example.completion)
        if len(ids) > limit:
            raise StudentError(
                f"an example of {len(ids)} tokens exceeds the limit of {limit}; raise max_tokens or shorten the prompt"
            )
        found.append(Encoded(ids, len(prompt)))
    return found


def answers(model: Any, chosen: Sequence[Encoded], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [T, V] (float32) at the T completion tokens, and these tokens [T]; right-padded in one forward pass.

    Under causal attention no real token sees the padding behind it, so no attention mask is needed and the
    fast kernels apply. Logits are made only for the columns from the first completion on.
    """
    width = max(len(example.ids) for example in chosen) - 1
    first = min(example.start for example in chosen) - 1
    ids = torch.full((len(chosen), width), pad, dtype=torch.long)
    labels = torch.full((len(chosen), width - first), IGNORE, dtype=torch.long)
    for row, example in enumerate(chosen):
        ids[row, : len(example.ids) - 1] = torch.tensor(example.ids[:-1])
        begin = example.start - 1 - first
        labels[row, begin : len(example.ids) - 1 - first] = torch.tensor(example.ids[example.start :])
    logits = last_logits(model, width - first, input_ids=ids.to(model.device))
    wanted = labels.to(model.device)
    real = wanted != IGNORE
    return logits[real].float(), wanted[real]


def passes(ordered: Sequence[Encoded], size: int, switch: int | None) -> Iterator[Sequence[Encoded]]:
    """`ordered` by length in forward passes of at most `size`; none reads rows on both sides of `switch` tokens."""
    long = len(ordered) if switch is None else sum(len(example.ids) - 1 <= switch for example in ordered)
    for part in (ordered[:long], ordered[long:]):
        for start in range(0, len(part), size):
            yield part[start : start + size]
