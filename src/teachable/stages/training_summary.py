"""One file that says of every run what it learned from and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable.evaluation.probes import check_shifts
from teachable.training.records import training_summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

ABOUT = {
    "about": "collect the records of the runs",
    "inputs": "records=record*",
    "outputs": {
        "training_summary": (
            "phase2/training_summary.json",
            "TRAINING_SUMMARY",
            "runs {run: {examples, tokens, steps, loss_first, loss_last, adapter, sha256, probe_shift}}",
        )
    },
}


def run(records: Sequence[dict[str, Any]], inputs: dict[str, list[Path]]) -> dict[str, Any]:
    """A run has what all its trainings share, their means, and each by its training seed; or why it is absent."""
    for record, path in zip(records, inputs["records"], strict=True):
        record["adapter"] = str(path.parents[2] / "adapters" / record["run"] / str(record["train_seed"]))
    summary = training_summary(records)
    trained = {name: entry for name, entry in summary["runs"].items() if "absent" not in entry}
    check_shifts({name: entry["probe_shift"] for name, entry in trained.items()})
    return summary
