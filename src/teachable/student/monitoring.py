"""How a training goes, step by step, as event files that TensorBoard shows: loss, learning rate, tokens a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from teachable.student.errors import StudentError

Watch = Callable[[int, Mapping[str, float]], None]
"""Told of every step (from 1): by name, what was measured in it."""


@contextmanager
def tensorboard(folder: Path) -> Iterator[Watch]:
    """A :data:`Watch` that writes event files into ``folder``, in place of those of an earlier training.

    Raises StudentError where the package tensorboard is not installed, which torch writes them with.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "tensorboard":
            raise
        raise StudentError(
            "monitoring.tensorboard is set, but the package tensorboard is not installed: `pip install tensorboard`, "
            "or set it to null"
        ) from None
    for earlier in folder.glob("events.out.tfevents.*"):
        earlier.unlink()
    writer = SummaryWriter(str(folder))

    def watch(step: int, measured: Mapping[str, float]) -> None:
        for name, value in measured.items():
            writer.add_scalar(f"training/{name}", value, step)

    try:
        yield watch
    finally:
        writer.close()
