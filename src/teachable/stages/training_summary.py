"""One file that says of every run what it learned from and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.evaluation.probes import check_shifts

if TYPE_CHECKING:
    from teachable.stages.params import Nothing
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: Nothing) -> None:
    runs = {}
    for path in inputs["records"]:
        record = tables.read_json(path)
        name = record.pop("run")
        record.pop("losses")
        runs[name] = {**record, "adapter": str(path.parents[1] / "adapters" / name)}
    check_shifts({name: record["probe_shift"] for name, record in runs.items()})
    tables.write_json({"runs": runs}, outputs["summary"])
