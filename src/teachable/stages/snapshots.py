"""Mine the decision points before failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teachable import tables
from teachable.rollouts.snapshots import choose_snapshots

if TYPE_CHECKING:
    from teachable.stages.params import MineSnapshots
    from teachable.stages.runner import Inputs, Outputs


def run(inputs: Inputs, outputs: Outputs, params: MineSnapshots) -> None:
    snapshots = choose_snapshots(
        tables.read(inputs["steps"][0], tables.STEPS),
        tables.read(inputs["episodes"][0], tables.EPISODES),
        params.snapshots,
        run_seed=params.seed,
        values=tables.read(inputs["values"][0], tables.EPISODE_VALUES) if inputs.get("values") else None,
    )
    tables.write(snapshots, outputs["snapshots"], tables.SNAPSHOTS)
