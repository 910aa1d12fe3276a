"""On which device, and in which precision, a student runs."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from teachable.student.errors import StudentError
from teachable.student.files import memory_bytes, weights_of


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


def check_memory(directory: Path, device: torch.device, dtype: torch.dtype) -> None:
    """Raise StudentError where the weights alone are larger than all of the device's memory.

    A process that asks for more than there is may be killed without a word, hours into a run.
    """
    size = weights_of(directory) * dtype.itemsize
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        there, what = torch.cuda.get_device_properties(index).total_memory, "the GPU"
    else:
        there, what = memory_bytes(), "this machine"
    if size > there:
        raise StudentError(
            f"{directory}: its weights take {size / 1e9:.1f} GB in {str(dtype).removeprefix('torch.')}, and {what} has "
            f"{there / 1e9:.1f} GB; use a smaller model (student.path), student.dtype bfloat16, or a machine with more"
        )
