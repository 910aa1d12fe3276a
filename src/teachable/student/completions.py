"""Prompts with the command behind them, as token ids, and one forward pass over several of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from teachable.student.errors import StudentError
from teachable.student.scoring import last_logits

if TYPE_CHECKING:
    from teachable.student.model import Student

IGNORE = -100
PADDING = 0.1  # share of the tokens read in training that may be padding


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


def cuts(widths: Sequence[int], fits: Callable[[int, int], bool], padding: float = PADDING) -> list[int]:
    """Where to cut sorted `widths` [N] into the fewest forward passes of which at most a share `padding` is padding.

    `fits(rows, width)` says whether that many rows of that width may share a pass; one row always may. Returns the
    ends of the passes, the last N. Of equally many passes those with the fewest tokens, by dynamic programming.
    """
    count, real = len(widths), sum(widths)
    most = real / (1 - padding)
    least: list[list[float]] = [[0.0, *[math.inf] * count]]  # [passes][rows covered]: tokens with padding
    chosen: list[list[int]] = [[0] * (count + 1)]
    while least[-1][count] > most + 1e-9:
        before, now, back = least[-1], [math.inf] * (count + 1), [0] * (count + 1)
        for stop in range(len(least), count + 1):
            width = widths[stop - 1]
            for start in range(stop - 1, len(least) - 2, -1):
                if stop - start > 1 and not fits(stop - start, width):
                    break
                if before[start] + (stop - start) * width < now[stop]:
                    now[stop], back[stop] = before[start] + (stop - start) * width, start
        least.append(now)
        chosen.append(back)
    ends: list[int] = []
    stop = count
    for back in reversed(chosen[1:]):
        ends.append(stop)
        stop = back[stop]
    return ends[::-1]


def passes(
    ordered: Sequence[Encoded], size: int, switch: int | None, padding: float = PADDING
) -> Iterator[Sequence[Encoded]]:
    """`ordered` by length in forward passes of at most `size`; none reads rows on both sides of `switch` tokens.

    Of the tokens that the passes on one side of it read, at most a share `padding` is padding.
    """
    widths = [len(example.ids) - 1 for example in ordered]
    long = len(ordered) if switch is None else sum(width <= switch for width in widths)
    for first, last in ((0, long), (long, len(ordered))):
        start = first
        for end in cuts(widths[first:last], lambda rows, _: rows <= size, padding) if last > first else ():
            yield ordered[start : first + end]
            start = first + end
