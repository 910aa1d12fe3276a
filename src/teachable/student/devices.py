"""On which device, and in which precision, a student runs."""

from __future__ import annotations

import os

import torch

from teachable.student.errors import StudentError


def choose_device(device: str) -> torch.device:
    """The torch device for auto, cpu or cuda; StudentError if cuda is asked for and absent."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise StudentError(
            f"device {device} is asked for, but torch {torch.__version__} sees no GPU "
            f"(CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', 'unset')}); use device auto or cpu"
        )
    return torch.device(device)


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if dtype not in known:
        raise StudentError(f"unknown dtype {dtype!r}; known are auto, {', '.join(known)}")
    return known[dtype]
