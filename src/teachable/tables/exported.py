"""Tables that are made for others only: no stage reads or writes them."""

from __future__ import annotations

from teachable.tables.play import DECISION, SNAPSHOTS
from teachable.tables.schema import FLAG, Table, name, of, probability, word
from teachable.terms import QUADRANTS

STEP_VALUES = Table(
    "STEP_VALUES",
    "What each command at a decision before a failure is worth to the student: one row a snapshot and command.",
    {
        "snapshot_id": name("the decision"),
        "task_id": name("its game: the unit that is independent"),
        "family": name("of the game"),
        "side": word(("train", "held_out"), "on which the study put the game; null: neither", null=True),
        "quadrant": word(QUADRANTS, "of the snapshot; null: not labelled", null=True),
        "distance": SNAPSHOTS.columns["distance"],
        **{column: DECISION[column] for column in ("goal", "memo", "scene", "observation", "history")},
        "command": name("an admissible command; all of a decision are there"),
        "value": probability(
            "V: P(success | this command now, then the student); a guess where se is large", null=False
        ),
        "se": probability("standard error of value, never above half of upper - lower", null=False),
        "lower": probability("certified bounds from the expanded tree", null=False),
        "upper": probability("0 and 1 where the command was never tried", null=False),
        "policy": probability("of this command, the student's", null=False),
        "is_expert": of(FLAG, "the command of the game's own solver", null=False),
        "is_student": of(FLAG, "what the student did here in the failed episode", null=False),
    },
    key=("snapshot_id", "command"),
)
