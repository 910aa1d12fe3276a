"""What each run is trained on, as TRL's SFTTrainer reads it: one file of prompts and completions a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from teachable import tables
from teachable.export.card import card, grid, origin
from teachable.export.found import ExportError, Found, chosen
from teachable.export.lines import spoken, writer

ABOUT = {
    "about": "training examples as TRL's prompt-completion JSON Lines, one file a run",
    "options": ("run",),
}
KEPT = ("run", "draw", "example_id", "snapshot_id", "task_id", "family", "quadrant", "format", "plain")


def write(found: Found, out: Path, run: Sequence[str] = ()) -> str:
    """``run``: those runs only. A row is an example; ``draw`` says which training of the run it serves, null: all."""
    found.need("examples")
    names = ("examples", "recovery_examples", "selection_examples", "replay")
    runs = {one for frame in found.batches(*names) for one in frame["run"].unique()}
    wanted = chosen(run, sorted(runs), "run")
    layout = found.layout()
    counts: Counter[str] = Counter()
    spoke = False
    with writer(out) as line:
        for frame in found.batches(*names):
            for row in frame.iter_rows(named=True):
                if row["run"] in wanted:
                    told = spoken(layout, row["prompt"], completion=row["completion"])
                    spoke = spoke or "chat_template_kwargs" in told
                    line(row["run"], {**told, **{name: row[name] for name in KEPT}})
                    counts[row["run"]] += 1
    if not counts:
        raise ExportError(f"{found.need('examples')} has no row: the training sets are empty.")
    (out / "README.md").write_text(_card(found, counts, conversational=spoke), encoding="utf-8")
    return f"{counts.total()} examples of {len(counts)} runs"


def _card(found: Found, counts: Counter[str], *, conversational: bool) -> str:
    runs = sorted(counts)
    form = (
        "`prompt` and `completion` are messages: the trainer writes them with the student's chat template. The column "
        "`chat_template_kwargs` switches thinking off, as it was where the student was scored; TRL hands it on."
        if conversational
        else "`prompt` and `completion` are plain text. A completion begins with a blank and ends with a line break, "
        "which is how this student ends a command; TRL adds its end-of-text token behind it unless told not to."
    )
    return card(
        {
            "pretty_name": "Training examples of a Teachable Moments study",
            "tags": ["trl", "sft"],
            "configs": [{"config_name": name, "data_files": f"{name}.jsonl"} for name in runs],
        },
        "# Training examples\n\n" + tables.EXAMPLES.about + " One file a run, in [TRL's prompt-completion "
        "format](https://huggingface.co/docs/trl/dataset_formats).",
        form,
        '```python\nfrom datasets import load_dataset\n\nrows = load_dataset("json", data_files="'
        f'{runs[0]}.jsonl", split="train")\nrows = rows.filter(lambda row: row["draw"] in (None, 1))  # those of the '
        "first training\n```",
        "A run that was trained several times has examples of its own for each training: `draw` says which one, and "
        "null serves all. `replay` holds decisions of the student's own won episodes, which the workflow mixes among "
        "the examples of every run. The tasks are those on the training side of the study; none is evaluated on.",
        grid(("run", "examples"), [(f"`{name}`", counts[name]) for name in runs]),
        grid(
            ("column", "meaning"),
            [(f"`{name}`", tables.EXAMPLES.columns[name].meaning) for name in ("prompt", "completion", *KEPT)],
        ),
        origin(found),
    )
