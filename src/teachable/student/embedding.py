"""A prompt as one vector: what the model makes of it, averaged over its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from teachable.student.scoring import last_hidden

if TYPE_CHECKING:
    from teachable.student.model import Student


def embeddings(student: Student, prompts: Sequence[str], adapter: str | None) -> np.ndarray:
    """[N, H] float32: the last hidden layer (after the final norm), averaged over a prompt's tokens."""
    encoded = student.encode_prompts(prompts)
    found = np.zeros((len(prompts), int(student.model.config.get_text_config().hidden_size)), dtype=np.float32)
    with student.answering(adapter):
        for rows in _batches([len(ids) for ids in encoded], student.batch_tokens, student.length_switch):
            width = max(len(encoded[index]) for index in rows)
            ids = torch.full((len(rows), width), student.pad, dtype=torch.long)
            real = torch.zeros((len(rows), width), dtype=torch.float32)
            for row, index in enumerate(rows):
                ids[row, : len(encoded[index])] = torch.tensor(encoded[index])
                real[row, : len(encoded[index])] = 1 / len(encoded[index])
            # right padding under causal attention: what is real never sees what is not
            hidden = last_hidden(student.model, ids.to(student.device))
            found[rows] = torch.einsum("bt,bth->bh", real.to(student.device), hidden.float()).cpu().numpy()
    return found


def _batches(lengths: Sequence[int], batch_tokens: int, switch: int | None) -> Iterator[list[int]]:
    """Indices by length, at most `batch_tokens` padded tokens a batch (or one); none on both sides of `switch`."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        crosses = switch is not None and batch and lengths[batch[0]] <= switch < lengths[index]
        if batch and (crosses or (len(batch) + 1) * lengths[index] > batch_tokens):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
