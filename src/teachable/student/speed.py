"""How fast a training goes: tokens a second, share of padding, and on a known GPU the share of its peak.

The work of a training is taken as 6 floating-point operations a parameter and token: 2 in the forward pass, 4 in the
backward pass (Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1; attention scores are not
counted), as model FLOP utilisation commonly is (Chowdhery et al. 2022, "PaLM", appendix B). With LoRA the gradients of
the frozen weights, 2 of the 6, are not computed, so that the share reads up to half above what the card does. Real
tokens count, padding does not, nor what gradient checkpointing computes again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from teachable.student.model import Student

# Dense bfloat16 peak in FLOP/s, by a part of the name that CUDA gives the card: NVIDIA's data sheets of each.
PEAKS = {
    "B200": 2.25e15,
    "H200": 989.4e12,
    "H100 NVL": 835.5e12,
    "H100 PCIe": 756e12,
    "H100": 989.4e12,
    "A100": 312e12,
    "L40S": 362.05e12,
    "L4": 121e12,
    "A10G": 70e12,
    "A10": 125e12,
    "RTX 4090": 165.2e12,
}


def peak_of(device: torch.device) -> float | None:
    """The card's dense bfloat16 peak [FLOP/s]; None on a CPU and for a card that is not in the table."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAKS.items() if part in name), None)


@dataclass(slots=True)
class Speed:
    """Tokens and seconds of the steps so far; `parameters` are the base model's."""

    parameters: int
    peak: float | None
    tokens: int = 0
    seconds: float = 0.0
    real: int = 0
    padded: int = 0
    last: tuple[int, float] = (0, 1.0)  # tokens and seconds of the last step

    @classmethod
    def of(cls, student: Student) -> Speed:
        """A count from zero for a training of this student."""
        named = student.model.named_parameters()
        return cls(sum(value.numel() for key, value in named if ".lora_" not in key), peak_of(student.device))

    @contextmanager
    def step(self, tokens: int) -> Iterator[None]:
        """Time one step over so many tokens. On a GPU what is still under way falls to the next step."""
        begun = time.perf_counter()
        yield
        self.last = (tokens, time.perf_counter() - begun)
        self.tokens += tokens
        self.seconds += self.last[1]

    def read(self, real: int, padded: int) -> None:
        """Count what the model read, without and with padding."""
        self.real += real
        self.padded += padded

    @property
    def padding(self) -> float:
        """Share of what was read that is padding."""
        return 1 - self.real / self.padded if self.padded else 0.0

    @property
    def share_of_peak(self) -> float | None:
        """Of all steps; None where the card's peak is not known."""
        return self._share(self.tokens, self.seconds)

    def _share(self, tokens: int, seconds: float) -> float | None:
        return None if self.peak is None else 6 * self.parameters * tokens / seconds / self.peak

    def measured(self) -> dict[str, float]:
        """Of the last step, for a :data:`~teachable.student.monitoring.Watch`; padding is that of all steps so far."""
        share = self._share(*self.last)
        found = {"tokens_per_second": self.last[0] / self.last[1], "padding": self.padding}
        return found if share is None else {**found, "share_of_peak": share}
