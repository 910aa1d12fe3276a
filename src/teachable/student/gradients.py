"""Gradients of single examples with respect to a LoRA adapter at its initialisation, projected to a fixed length.

At initialisation LoRA's B is zero. So the gradient with respect to A is zero, too, and only B's is taken: for a linear
layer with gradient G of its weights it is s G A^T, s being alpha / rank, and as A is random, products of such
gradients are, in the mean over A and but for a constant, those of G itself, divided by the layer's number of inputs:
what is compared is the slope of all linear weights, as far as rank x outputs numbers a layer can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from teachable.student.adapters import lora_config
from teachable.student.completions import Example, answers, encode
from teachable.student.errors import StudentError
from teachable.student.lora import LoraSettings, training_mode
from teachable.student.model import Student

_SLOT = "slopes"


@dataclass(frozen=True, slots=True)
class Sketch:
    """A random projection of P numbers to `dimensions` D: each with a random sign goes into one of D sums.

    A count sketch (Charikar et al. 2002) whose sums are of equally many numbers, within one. Products of projections
    are those of the vectors in the mean over signs, with a standard deviation of at most about |x| |y| sqrt(2 / D)
    (Weinberger et al. 2009), as of a dense matrix of Johnson and Lindenstrauss; but it takes P numbers of memory
    instead of P x D, and one pass. `place` [D * ceil(P / D)] is a permutation of the numbers and of zeros behind them.
    Where P <= D nothing is projected.
    """

    dimensions: int
    place: torch.Tensor | None
    signs: torch.Tensor | None

    @classmethod
    def draw(cls, count: int, dimensions: int, generator: np.random.Generator, device: torch.device) -> Sketch:
        """For vectors of `count` numbers."""
        if count <= dimensions:
            return cls(count, None, None)
        padded = dimensions * -(-count // dimensions)
        place = torch.from_numpy(generator.permutation(padded))
        signs = torch.from_numpy(generator.integers(2, size=padded, dtype=np.int8) * 2 - 1)
        return cls(dimensions, place.to(device), signs.to(device))

    def __call__(self, vector: torch.Tensor) -> torch.Tensor:
        """The projection [D] of `vector` [P]."""
        if self.place is None or self.signs is None:
            return vector
        padded = torch.nn.functional.pad(vector, (0, len(self.place) - len(vector)))
        return (padded[self.place] * self.signs).view(-1, self.dimensions).sum(dim=0)


@dataclass(frozen=True, slots=True)
class Gradients:
    """Of N examples: projected gradients `vectors` [N, D] (float32), their `norms` [N] before projection and the
    `losses` [N], the mean of each over its completion tokens (nats a token; gradients are of these)."""

    vectors: np.ndarray
    norms: np.ndarray
    losses: np.ndarray


def lora_gradients(
    student: Student,
    examples: Sequence[Example],
    settings: LoraSettings,
    *,
    seed: int,
    dimensions: int,
    generator: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> Gradients:
    """The gradient of each example's loss at the base student with a fresh adapter, projected to `dimensions` numbers.

    Of `settings` rank, alpha, targets, max_tokens and gradient_checkpointing count; `seed` draws the adapter's A,
    `generator` the projection. One forward and backward pass an example, one after the other, so that memory holds one
    example's activations and one gradient. The model is as it was afterwards.

    Raises StudentError for an example that is too long or does not fit in memory, for a loss that is not finite, and
    for fewer than one dimension.
    """
    if dimensions < 1:
        raise StudentError(f"a projection needs at least one dimension, not {dimensions}")
    if not examples:
        return Gradients(np.zeros((0, dimensions), dtype=np.float32), np.zeros(0), np.zeros(0))
    encoded = encode(student, examples, settings.max_tokens)
    student.bank.create(_SLOT, lora_config(settings.rank, settings.alpha, 0.0, settings.targets))
    student.bank.reset(_SLOT, seed)
    vectors: list[np.ndarray] = []
    norms, losses = np.zeros(len(encoded)), np.zeros(len(encoded))
    try:
        with training_mode(student, _SLOT, settings, seed):
            trained = student.bank.outward(_SLOT)
            sketch = Sketch.draw(sum(value.numel() for value in trained), dimensions, generator, student.device)
            for row, example in enumerate(encoded):
                loss, flat = _gradient(student, trained, example)
                if not np.isfinite(loss):
                    raise StudentError(f"the loss of example {row + 1} is {loss}: the student cannot be trained on it")
                losses[row] = loss
                norms[row] = float(torch.linalg.vector_norm(flat))
                vectors.append(sketch(flat).cpu().numpy())
                if progress is not None:
                    progress(row + 1, len(encoded))
    finally:
        student.bank.remove(_SLOT)
    return Gradients(np.stack(vectors), norms, losses)


def _gradient(student: Student, trained: Sequence[torch.nn.Parameter], example: Any) -> tuple[float, torch.Tensor]:
    """The loss of one example (nats a token) and its gradient [P] (float32) with respect to `trained`."""
    try:
        logits, wanted = answers(student.model, [example], student.pad)
        loss = torch.nn.functional.cross_entropy(logits, wanted)
        found = torch.autograd.grad(loss, trained)
        return float(loss.detach()), torch.cat([part.reshape(-1).float() for part in found])
    except torch.cuda.OutOfMemoryError as problem:
        raise StudentError(
            f"out of GPU memory with a single example of {len(example.ids)} tokens; use a lower rank or a larger GPU"
        ) from problem
