"""Whether an adapter is in force: how far it moves the model's answer to a probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from teachable.student.errors import AdapterError

if TYPE_CHECKING:
    from teachable.student.model import Student

_PROBE = "goal: find out whether the adapter is in force\nact:"


def adapter_change(student: Student, name: str) -> float:
    """The largest change of a logit that the adapter makes on a probe; AdapterError if it makes none."""
    ids = torch.tensor([student.encode_prompts([_PROBE])[0]], device=student.device)
    logits = []
    for adapter in (None, name):
        with student.answering(adapter):
            logits.append(student.model(input_ids=ids, use_cache=False).logits.float())
    change = float((logits[0] - logits[1]).abs().max())
    if not change > 0:
        raise AdapterError(
            f"the adapter {name!r} changes nothing: with it the model answers a probe as without. "
            "It is untrained, or its weights did not reach the model"
        )
    return change
