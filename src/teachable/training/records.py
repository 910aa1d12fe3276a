"""What training runs cost and learned from, run by run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SAME = ("quadrant", "format", "epochs", "examples", "replayed", "replay_pool", "steps")  # whatever the training seed

PREFERENCE = ("loss", "beta", "pairs", "dropped")  # of a run by direct preference optimisation; pairs may vary by draw
PREFERENCE_MEANS = ("margin_first", "margin_last", "accuracy_first", "accuracy_last")


def training_summary(records: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The entries of all runs: what their trainings share, their means, each by its training seed; or why one is
    absent, as its record has it."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for record in records:
        found.setdefault(record["run"], {})[record["train_seed"]] = record
    return {"runs": {name: _run(by_seed) for name, by_seed in found.items()}}


def _run(by_seed: dict[int, dict[str, Any]]) -> dict[str, Any]:
    records = list(by_seed.values())
    first = records[0]
    if "absent" in first:
        return {"absent": first["absent"], "quadrant": first["quadrant"], "format": first["format"]}
    return {
        **{key: first[key] for key in SAME},
        "tokens": sum(record["tokens"] for record in records),
        "loss_first": sum(record["loss_first"] for record in records) / len(records),
        "loss_last": sum(record["loss_last"] for record in records) / len(records),
        **_preferences(records),
        "probe_shift": min(record["probe_shift"] for record in records),
        "seeds": {
            str(seed): {key: value for key, value in record.items() if key not in ("run", "train_seed", "losses")}
            for seed, record in sorted(by_seed.items())
        },
    }


def _preferences(records: list[dict[str, Any]]) -> dict[str, Any]:
    """What only a run on pairs has: of the first training, and the means of all."""
    if "beta" not in records[0]:
        return {}
    means = {key: sum(record[key] for record in records) / len(records) for key in PREFERENCE_MEANS}
    return {key: records[0][key] for key in PREFERENCE} | means
