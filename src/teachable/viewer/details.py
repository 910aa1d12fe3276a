"""One snapshot in full: a chunk of the snapshots that the page loads together.

A text stands once in a chunk (``texts``) and everywhere else as its number there. Keys are fixed; whatever comes from a
game or a teacher is a value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from teachable.supervision import patches
from teachable.tables import LABELED
from teachable.teacher.advice import AdviceText
from teachable.teacher.errors import AdviceError
from teachable.terms import BASE, CONDITIONS, Verbosity
from teachable.viewer.encode import Json, policy, short
from teachable.viewer.index import ENDED
from teachable.viewer.sources import Sources

Row = Mapping[str, Any]
Ref = Callable[[str | None], int | None]
MEASURED = tuple(
    name for name, what in LABELED.columns.items() if what.unit and name not in {"step", "logp"}
)  # numbers of a label
SAID = ("profile", "route", "route_tied", "quadrant", "unwinnable", "estimator", "error_type", "confidence")
ADVICE = (
    "suggested_action",
    "rationale",
    "diagnosis",
    "why_bad",
    "error_type",
    "confidence",
    "reason",
    "teacher",
    "model",
)
MICRO = ("format", "before", "before_se", "after", "after_se", "delta_snapshot", "delta_similar", "delta_micro")
SHOWN = 3  # episodes of a condition that are shown by their commands; the others are counted
_TOGETHER = 40  # chunks for which the tables are gone through at once
_VALUES = ("value", "se", "lower", "upper", *(f"pi_{condition}" for condition in CONDITIONS))
_BY_SNAPSHOT: dict[str, Sequence[str]] = {
    "advice": ("snapshot_id", "valid", *ADVICE),
    "action_values": ("snapshot_id", "command", *_VALUES),
    "label_episodes": ("snapshot_id", "condition", "behaviour", "repeat", "success", "lost", "actions"),
    "microtraining": ("snapshot_id", *MICRO),
    "examples": ("snapshot_id", "run", "draw", "format", "plain", "prompt", "completion"),
    "probes": ("snapshot_id", "model", "train_seed", "top_action", "expert_probability"),
}
_TRIED = ("snapshot_id", "model", "train_seed", "repeat", "success", "lost", "actions")
_STEP = ("episode_id", "step", "goal", "memo", "scene", "observation", "commands", "logp", "action", "unwinnable")


def chunks(ordered: pl.DataFrame, sources: Sources, size: int, verbosity: Verbosity) -> Iterator[Json]:
    """``ordered`` (:meth:`Sources.ordered`, with a column ``ended``) in chunks of ``size`` snapshots, as JSON values.

    ``verbosity`` is that of the patches that the student read. The tables are gone through for some chunks at a time,
    so that no more than those are held a second time.
    """
    tables = {
        name: table.select(columns)
        for name, columns in _BY_SNAPSHOT.items()
        if (table := getattr(sources, name)) is not None
    }
    tried = sources.tried()
    if tried is not None:
        tables["played"] = tried.select(_TRIED)
    for first in range(0, ordered.height, size * _TOGETHER):
        some = ordered.slice(first, size * _TOGETHER).with_columns(policy())
        found = {name: _grouped(table, some, "snapshot_id") for name, table in tables.items()}
        steps = {} if sources.steps is None else _grouped(sources.steps.select(_STEP), some, "episode_id")
        for start in range(0, some.height, size):
            yield _Chunk(found, steps, verbosity).of(some.slice(start, size))


def _grouped(table: pl.DataFrame, some: pl.DataFrame, key: str) -> dict[str, list[Row]]:
    """Rows of ``table`` by their ``key``, where it is one of ``some``'s."""
    groups: dict[str, list[Row]] = defaultdict(list)
    ours = table.join(some.select(key).unique(), on=key, how="semi", maintain_order="left")
    if "logp" in ours.columns:
        ours = ours.with_columns(policy()).drop("logp")
    for row in ours.with_columns(*short(*ours.select(pl.col(pl.Float64)).columns)).iter_rows(named=True):
        groups[row[key]].append(row)
    return groups


class _Chunk:
    """What is gathered of one chunk: texts and episodes that its snapshots share."""

    def __init__(
        self, found: Mapping[str, Mapping[str, list[Row]]], steps: Mapping[str, list[Row]], verbosity: Verbosity
    ) -> None:
        self.found = found
        self.steps = steps
        self.verbosity = verbosity
        self.numbers: dict[str, int] = {}
        self.episodes: dict[str, Json] = {}
        self.places: dict[str, int] = {}

    def of(self, rows: pl.DataFrame) -> Json:
        reals = [name for name in MEASURED if rows.schema[name] == pl.Float64]
        numbers = rows.select(MEASURED).with_columns(short(*reals)).iter_rows(named=True)
        snapshots = [self.snapshot(row, of) for row, of in zip(rows.iter_rows(named=True), numbers, strict=True)]
        return {"texts": list(self.numbers), "episodes": list(self.episodes.values()), "snapshots": snapshots}

    def ref(self, text: str | None) -> int | None:
        return None if text is None else self.numbers.setdefault(text, len(self.numbers))

    def refs(self, texts: Sequence[str]) -> list[int | None]:
        return [self.ref(text) for text in texts]

    def rows(self, table: str, row: Row) -> list[Row]:
        return self.found.get(table, {}).get(row["snapshot_id"], [])

    def snapshot(self, row: Row, numbers: Row) -> Json:
        advice = next(iter(self.rows("advice", row)), None)
        texts, untold = self.patches(row, advice)
        return {
            "id": row["snapshot_id"],
            "task": self.ref(row["task_id"]),
            "family": self.ref(row["family"]),
            "source": row["source"],
            "kind": row["kind"],
            "step": row["step"],
            "distance": row["distance"],
            "ended": row[ENDED],
            "episode": self.episode(row["episode_id"]),
            "prefix": self.refs(row["prefix"]),
            "read": self.read(row),
            "commands": self.refs(row["commands"]),
            "policy": row["policy"],
            "did": self.ref(row["student_action"]),
            "expert": self.ref(row["expert_action"]),
            "measured": {name: value for name, value in numbers.items() if value is not None},
            "said": {name: row[name] for name in SAID if row[name] is not None},
            "values": self.values(row),
            "patches": texts,
            "untold": untold,
            "advice": self.advice(advice),
            "tries": self.tries(row),
            "examples": self.examples(row),
            "runs": self.runs(row),
            "micro": self.micro(row),
        }

    def read(self, row: Row) -> Json:
        """What the agent read at a decision, but for the history."""
        return {name: self.ref(row[name]) for name in ("goal", "memo", "scene", "observation")}

    def episode(self, name: str) -> int | None:
        """Its place among the chunk's episodes; None where its steps are not stored."""
        if name in self.places:
            return self.places[name]
        steps = sorted(self.steps.get(name, ()), key=lambda step: int(step["step"]))
        if not steps:
            return None
        self.places[name] = len(self.episodes)
        self.episodes[name] = {
            "id": name,
            "steps": [
                {
                    **self.read(step),
                    "step": step["step"],
                    "commands": self.refs(step["commands"]),
                    "policy": step["policy"],
                    "did": self.ref(step["action"]),
                    "unwinnable": step["unwinnable"],
                }
                for step in steps
            ],
        }
        return self.places[name]

    def values(self, row: Row) -> list[Any]:
        """Of each command: itself, V, its standard error, its bounds and its probability under each condition."""
        return [[self.ref(one["command"]), *(one[name] for name in _VALUES)] for one in self.rows("action_values", row)]

    def patches(self, row: Row, advice: Row | None) -> tuple[Json | None, str | None]:
        """The text of every patch, by condition; or None and why there is none."""
        if advice is None:
            return None, None
        try:
            made = patches(AdviceText.from_rows(row, advice), verbosity=self.verbosity, key=str(row["snapshot_id"]))
        except AdviceError as error:
            return None, str(error)
        return {condition: self.ref(text) for condition, text in made.items() if condition != BASE}, None

    def advice(self, advice: Row | None) -> Json | None:
        if advice is None:
            return None
        return {"valid": advice["valid"], **{name: self.ref(advice[name]) for name in ADVICE}}

    def tries(self, row: Row) -> list[Json]:
        """Episodes behind the labels, counted by condition; the first few by their commands."""
        groups: dict[str, list[Row]] = defaultdict(list)
        for one in self.rows("label_episodes", row):
            groups[one["condition"]].append(one)
        return [
            {"condition": condition, **_counts(group), "shown": [self.played(one) for one in group[:SHOWN]]}
            for condition, group in sorted(groups.items())
        ]

    def examples(self, row: Row) -> list[Json]:
        """What stands in training sets: each prompt and completion once, with the runs that learn from it."""
        groups: dict[tuple[Any, ...], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for one in self.rows("examples", row):
            what = (one["format"], one["plain"], one["prompt"], one["completion"])
            draws = groups[what][one["run"]]
            if one["draw"] is not None:
                draws.append(one["draw"])
        return [
            {
                "format": format_,
                "plain": plain,
                "prompt": self.ref(prompt),
                "completion": self.ref(completion),
                "runs": [[run, draws] for run, draws in runs.items()],
            }
            for (format_, plain, prompt, completion), runs in groups.items()
        ]

    def runs(self, row: Row) -> list[Json]:
        """How every model acts here: what its trainings would do first, and the episodes that they played on."""
        probes: dict[str, list[Row]] = defaultdict(list)
        played: dict[str, list[Row]] = defaultdict(list)
        trained = {one["run"] for one in self.rows("examples", row)}
        for one in self.rows("probes", row):
            probes[one["model"]].append(one)
        for one in self.rows("played", row):
            played[one["model"]].append(one)
        return [
            {
                "model": model,
                "trained": model in trained,
                "probes": [
                    [one["train_seed"], self.ref(one["top_action"]), one["expert_probability"]]
                    for one in sorted(probes[model], key=lambda one: one["train_seed"] or 0)
                ],
                **_counts(played[model]),
                "shown": [[one["train_seed"], *self.played(one)] for one in played[model]],
            }
            for model in dict.fromkeys((*probes, *played))
        ]

    def played(self, one: Row) -> list[Any]:
        """How an episode ended and the commands of it."""
        return [_end(one), self.refs(one["actions"] or ())]

    def micro(self, row: Row) -> Json | None:
        for one in self.rows("microtraining", row):
            return {name: one[name] for name in MICRO}
        return None


def _end(one: Row) -> str:
    if one["success"] is None:
        return "fault"
    return "won" if one["success"] else "lost" if one["lost"] else "out of steps"


def _counts(group: Sequence[Row]) -> Json:
    judged = [one for one in group if one["success"] is not None]
    return {"played": len(judged), "won": sum(one["success"] for one in judged), "unjudged": len(group) - len(judged)}
