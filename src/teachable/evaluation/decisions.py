"""What a model would do at each held-out snapshot, and its hidden state there: rows of ``PROBES``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from teachable import tables
from teachable.evaluation.errors import EvaluationError
from teachable.student.prompt import Context
from teachable.terms import BASE

if TYPE_CHECKING:
    from teachable.worlds.words import Words

Row = Mapping[str, Any]


class Reader(Protocol):
    """What is needed of a student."""

    def prompt(self, context: Context) -> str: ...

    def policy(
        self,
        prompts: Sequence[str],
        commands: Sequence[Sequence[str]],
        *,
        adapters: Sequence[str | None] | None = None,
    ) -> list[NDArray[np.float64]]: ...

    def embed(self, prompts: Sequence[str], *, adapter: str | None = None) -> NDArray[np.float32]: ...


def decision_probes(
    student: Reader, rows: pl.DataFrame, words: Words, *, model: str, adapter: str | None
) -> pl.DataFrame:
    """``PROBES`` rows of one model at the snapshots ``rows`` (LABELED), without any patch.

    What the linear probes are asked for is the world's to say: the place, for state tracking, and the kind of step that
    the expert takes next, for goal tracking.

    Raises :class:`EvaluationError` when a trained model would be read without its adapter.
    """
    if (model == BASE) != (adapter is None):
        raise EvaluationError(f"Model {model!r} with adapter {adapter!r}: every model but the base has an adapter.")
    snapshots = list(rows.sort("snapshot_id").iter_rows(named=True))
    if not snapshots:
        return tables.empty(tables.PROBES)
    prompts = [student.prompt(Context.of(row)) for row in snapshots]
    commands = [row["commands"] for row in snapshots]
    logps = student.policy(prompts, commands, adapters=[adapter] * len(prompts))
    hidden = student.embed(prompts, adapter=adapter)
    found = []
    for row, logp, state in zip(snapshots, logps, hidden, strict=True):
        expert = row["expert_action"]
        if expert is not None and expert not in row["commands"]:
            raise EvaluationError(f"Snapshot {row['snapshot_id']!r}: the expert's {expert!r} is not admissible there.")
        found.append(
            {
                "model": model,
                "train_seed": None,
                "snapshot_id": row["snapshot_id"],
                "task_id": row["task_id"],
                "expert_action": expert,
                "expert_probability": float(np.exp(logp[row["commands"].index(expert)])) if expert else None,
                "top_action": row["commands"][int(np.argmax(logp))],
                "state": words.place_of(row["scene"]),
                "goal": words.kind_of(expert) if expert else None,
                "hidden": state.tolist(),
            }
        )
    return tables.conform(pl.DataFrame(found, schema=dict(tables.PROBES)), tables.PROBES, "probes")
