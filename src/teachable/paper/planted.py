"""What was planted in the student and where the labels found it, in words."""

from __future__ import annotations

import polars as pl

from teachable.labels.skills import KINDS, PLACES, difference
from teachable.paper.inputs import Interval


def sentences(found: pl.DataFrame) -> list[str]:
    """What was planted and where it was found, in words, from the table SKILLS."""
    planted = found.filter((pl.col("quadrant") == "all") & pl.col("planted").is_not_null())
    if planted.is_empty():
        return [
            "Nothing was planted in this student: which skills its failures lack (Table H1.4) is a finding, and there "
            "is no truth to hold the labels against."
        ]
    shares = {(row["quadrant"], row["skill"]): row for row in found.iter_rows(named=True)}
    named = "; ".join(
        f"{row['skill']} ({row['planted']}, done rightly in {row['known']:.0%} of needs)"
        for row in planted.iter_rows(named=True)
    )
    text = [f"Gaps were planted in this student on purpose, so the labels have a truth to find: {named}."]
    for kind, places in PLACES.items():
        if kind not in planted["planted"].to_list():
            continue
        name = KINDS[kind]
        if not shares["all", name]["snapshots"]:
            text.append(f"No failure snapshot lacks a skill planted as {name}, so there was nothing to find.")
            continue
        lacking = [
            (q, Interval.maybe(shares["all" if q == "all snapshots" else q, name])) for q in (*places, "all snapshots")
        ]
        parts = [f"{value.text()} of {q}" for q, value in lacking if value]
        moved = Interval.maybe(shares.get((difference(kind), name)))
        where = " and ".join(places)
        if moved is None:
            verdict = f"there is no snapshot in {where}, or none elsewhere, to tell whether the labels found them."
        else:
            found_there = "found them there" if moved.low > 0 else "did not find them there"
            verdict = f"{where} minus the rest {moved.text(signed=True)}, so the labels {found_there}."
        text.append(
            f"Skills planted as {name} belong into {where}. Share of the failure snapshots that lack one, with 95 % "
            f"interval: {', '.join(parts)}; {verdict}"
        )
    return text
