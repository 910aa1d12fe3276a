"""What the viewer reads: the tables of a run, any of which but the labels may be missing."""

from __future__ import annotations

from dataclasses import dataclass, fields

import polars as pl

ORDER = ("task_id", "episode_id", "step", "snapshot_id")
"""Snapshots of an episode stand together, so that its steps are stored once or twice and not once a snapshot."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Frames by the names of results (:data:`teachable.artifacts.catalogue.ARTIFACTS`); None: there is none.

    ``labeled`` are all snapshots to be shown (LABELED), the expert's among them where they are wanted; ``examples``
    (EXAMPLES), ``played`` (EPISODES) and ``probes`` (PROBES) are those of all runs put together.
    """

    labeled: pl.DataFrame
    advice: pl.DataFrame | None = None
    action_values: pl.DataFrame | None = None
    steps: pl.DataFrame | None = None
    episodes: pl.DataFrame | None = None
    label_episodes: pl.DataFrame | None = None
    microtraining: pl.DataFrame | None = None
    examples: pl.DataFrame | None = None
    played: pl.DataFrame | None = None
    probes: pl.DataFrame | None = None

    def ordered(self) -> pl.DataFrame:
        """The snapshots in :data:`ORDER`, in which the page numbers them from 0."""
        return self.labeled.sort(ORDER)

    def absent(self) -> list[str]:
        """Names of the tables that are not there or have no row."""
        return [one.name for one in fields(self) if (table := getattr(self, one.name)) is None or not table.height]

    def tried(self) -> pl.DataFrame | None:
        """Of ``played`` what started at a snapshot on the panel of held-out failures."""
        if self.played is None:
            return None
        return self.played.filter((pl.col("panel") == "failure") & pl.col("snapshot_id").is_not_null())
