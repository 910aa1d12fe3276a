"""The teacher's command against the student's own, as TRL's DPOTrainer reads it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from teachable.export.card import card, grid, origin
from teachable.export.found import ExportError, Found
from teachable.export.lines import spoken, writer

ABOUT = {
    "about": "preferences of the teacher's command over the student's, as TRL's JSON Lines",
    "options": (),
}
SIDES = {"train": "train", "held_out": "test"}
"""Splits by the side on which the study put the game."""
KEPT = ("snapshot_id", "task_id", "family", "quadrant", "U", "L_local")
_MEANINGS = {
    "prompt": "what the student read at the snapshot, without a patch",
    "chosen": "the command that the teacher suggests",
    "rejected": "the command that the student chose in the failed episode",
    "snapshot_id": "the decision",
    "task_id": "its game, the unit that is independent",
    "family": "of the game",
    "quadrant": "Q1 high U high L, Q2 high U low L, Q3 low U low L, Q4 low U high L",
    "U": "uncertainty of the student, as the study measured it (nats for entropy)",
    "L_local": "P(success | the expert's command, then the student) minus P(success | the student)",
    **{
        f"{side}_value{end}": f"{what} of P(success | the {side} command, then the student); null where not measured"
        for side in ("chosen", "rejected")
        for end, what in (("", "estimate"), ("_se", "standard error"))
    },
}


def write(found: Found, out: Path) -> str:
    """One row a labelled snapshot with valid advice that is not what the student did."""
    labeled, panels = found.read("labeled"), found.read("panels")
    pairs = labeled.filter(pl.col("advice_valid") & (pl.col("suggested_action") != pl.col("student_action")))
    if not pairs.height:
        raise ExportError(
            f"{found.need('labeled')} has no snapshot with valid advice other than what the student did: there is no "
            "preference to export."
        )
    sides = dict(panels.select("task_id", "side").unique().iter_rows())
    values = _values(found)
    prompter = _prompter(found)
    layout: str = prompter.layout.name
    counts: Counter[str] = Counter()
    with writer(out) as line:
        for row in pairs.iter_rows(named=True):
            split = SIDES.get(sides.get(row["task_id"], ""))
            if split is None:
                continue  # a game of no panel: it served neither side
            prompt, _ = prompter.render_decision(row, row["suggested_action"])
            told = spoken(layout, prompt, chosen=row["suggested_action"], rejected=row["student_action"])
            worth: dict[str, float | None] = {}
            for name, command in (("chosen", row["suggested_action"]), ("rejected", row["student_action"])):
                value, error = values.get((row["snapshot_id"], command), (None, None))
                worth |= {f"{name}_value": value, f"{name}_value_se": error}
            line(split, {**told, **{name: row[name] for name in KEPT}, **worth})
            counts[split] += 1
    if not counts:
        raise ExportError(f"{found.need('panels')} names no game of the labelled snapshots: run phase1 again.")
    (out / "README.md").write_text(
        _card(found, counts, conversational=layout in ("chat", "dialogue")), encoding="utf-8"
    )
    return f"{counts.total()} preferences, {', '.join(f'{number} {split}' for split, number in sorted(counts.items()))}"


def _prompter(found: Found) -> Any:
    from teachable.errors import MissingInput
    from teachable.pipeline.models import SETTINGS, load_prompter

    student = found.root / "student"
    if not (student / SETTINGS).exists():
        raise MissingInput(f"{student / SETTINGS} is missing: `snakemake -c 2 phase0` makes it.")
    return load_prompter(student)


def _values(found: Found) -> dict[tuple[str, str], tuple[float, float | None]]:
    return {
        (snapshot, command): (value, error)
        for frame in found.batches("action_values")
        for snapshot, command, value, error in frame.select("snapshot_id", "command", "value", "se").iter_rows()
    }


def _card(found: Found, counts: Counter[str], *, conversational: bool) -> str:
    files = [{"split": split, "path": f"{split}.jsonl"} for split in SIDES.values() if counts[split]]
    columns = _MEANINGS | (
        {"chat_template_kwargs": "what the chat template is told; TRL hands it on"} if conversational else {}
    )
    return card(
        {
            "pretty_name": "Preferences of a Teachable Moments study",
            "tags": ["trl", "dpo"],
            "configs": [{"config_name": "default", "data_files": files}],
        },
        "# Preferences\n\nWhat the teacher would do against what the student did, at the decisions before its "
        "failures, in [TRL's preference format](https://huggingface.co/docs/trl/dataset_formats).",
        "`train` has the games on the training side of the study. `test` has those that it evaluates on: a model that "
        "learns from `test` cannot be compared with the study's.",
        "The teacher may be wrong, and a student's command may be as good: `chosen_value` and `rejected_value` say "
        "what each was worth where that was measured, with standard errors. A value with a standard error above some "
        ".05 is hardly more than a guess.",
        grid(("split", "pairs"), [(one["split"], counts[one["split"]]) for one in files]),
        grid(("column", "meaning"), [(f"`{name}`", text) for name, text in columns.items()]),
        origin(found),
    )
