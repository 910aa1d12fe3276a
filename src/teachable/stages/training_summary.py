"""One file that says of every run what it learned from and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from teachable import tables
from teachable.evaluation.probes import check_shifts

if TYPE_CHECKING:
    from teachable.stages.params import Nothing
    from teachable.stages.runner import Inputs, Outputs

SAME = ("quadrant", "format", "epochs", "examples", "replayed", "replay_pool", "steps")  # whatever the training seed


def run(inputs: Inputs, outputs: Outputs, params: Nothing) -> None:
    """A run has what all its trainings share, their means, and each by its training seed; or why it is absent."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for path in inputs["records"]:
        record = tables.read_json(path)
        record.pop("losses", None)
        seed = record.pop("train_seed")
        record["adapter"] = str(path.parents[2] / "adapters" / record["run"] / str(seed))
        found.setdefault(record.pop("run"), {})[seed] = record
    runs = {name: _run(by_seed) for name, by_seed in found.items()}
    trained = {name: entry for name, entry in runs.items() if "absent" not in entry}
    check_shifts({name: entry["probe_shift"] for name, entry in trained.items()})
    tables.write_json({"runs": runs}, outputs["summary"])


def _run(by_seed: dict[int, dict[str, Any]]) -> dict[str, Any]:
    records = list(by_seed.values())
    first = records[0]
    if "absent" in first:
        return {"absent": first["absent"], "quadrant": first["quadrant"], "format": first["format"]}
    return {
        **{key: first[key] for key in SAME},
        "seconds": round(sum(record["seconds"] for record in records), 3),
        "tokens": sum(record["tokens"] for record in records),
        "loss_first": sum(record["loss_first"] for record in records) / len(records),
        "loss_last": sum(record["loss_last"] for record in records) / len(records),
        "probe_shift": min(record["probe_shift"] for record in records),
        "seeds": {str(seed): record for seed, record in sorted(by_seed.items())},
    }
