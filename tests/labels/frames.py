"""Hand-made tables for the tests of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from teachable import tables

P = Mapping[str, float | None]


def snapshots(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """SNAPSHOTS rows; each needs an ``id`` and may override anything."""
    made = []
    for row in rows:
        p = row.get("p", [0.5, 0.5])
        made.append(
            {
                "snapshot_id": row["id"],
                "task_id": row.get("task", f"task-{row['id']}"),
                "family": row.get("family", "easy"),
                "source": row.get("source", "student"),
                "kind": row.get("kind", "failure"),
                "episode_id": row.get("episode", f"e-{row['id']}"),
                "step": row.get("step", 4),
                "distance": 3,
                "prefix": [],
                "digest": "d",
                "goal": "g",
                "memo": "",
                "scene": "s",
                "observation": "o",
                "history": [],
                "commands": [f"c{i}" for i in range(len(p))],
                "logp": np.log(np.maximum(p, 1e-300)).tolist(),
                "student_action": "c0",
            }
        )
    return pl.DataFrame(made, schema=dict(tables.SNAPSHOTS))


def advice(ids: Sequence[str], invalid: Sequence[str] = ()) -> pl.DataFrame:
    rows = [
        {
            "snapshot_id": i,
            "suggested_action": None if i in invalid else "c1",
            "rationale": "r",
            "diagnosis": "d",
            "why_bad": "w",
            "error_type": "planning_error",
            "confidence": "high",
            "valid": i not in invalid,
            "reason": "outside" if i in invalid else None,
            "teacher": "oracle",
            "model": "oracle",
            "attempts": 1,
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "cost_usd": 0.0,
            "expert_action": "c1",
            "unwinnable": False,
        }
        for i in ids
    ]
    return pl.DataFrame(rows, schema=dict(tables.ADVICE))


def estimates(values: Mapping[str, P], se: float = 0.0, net_se: float | None = None) -> pl.DataFrame:
    """ESTIMATES from {snapshot: {quantity without p_: value}}."""
    rows = [
        {
            "snapshot_id": i,
            "quantity": f"p_{q}",
            "value": value,
            "se": se,
            "n": 8,
            "estimator": "tree",
            "gap": 0.0,
            "net_se": net_se if q in ("demo", "contrast", "hint") else None,
        }
        for i, mine in values.items()
        for q, value in mine.items()
    ]
    return pl.DataFrame(rows, schema=dict(tables.ESTIMATES))


def full(policy: float = 0.2, force: float = 0.6, **others: float) -> dict[str, float]:
    """All eight quantities; base equals policy."""
    base = {"policy": policy, "force": force, "expert": 1.0, "base": policy, "placebo": policy}
    return base | {"demo": 0.5, "contrast": 0.4, "hint": 0.3} | others
