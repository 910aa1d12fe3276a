"""One trained adapter with its true base model and a card, for ``peft.AutoPeftModelForCausalLM``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from teachable import tables
from teachable.errors import MissingInput
from teachable.export.card import card, grid, origin
from teachable.export.found import ExportError, Found, chosen

ABOUT = {
    "about": "the adapter of a run with its base model and a card, as PEFT opens it",
    "options": ("run", "train_seed", "base"),
}
CONFIG, WEIGHTS, RECORD = "adapter_config.json", "adapter_model.safetensors", "teachable_adapter.json"
ABSENT = "absent.json"
_SETTINGS = ("rank", "alpha", "dropout", "targets", "learning_rate", "epochs", "batch_size", "schedule", "warmup")


def write(
    found: Found, out: Path, run: Sequence[str] = (), train_seed: int | None = None, base: str | None = None
) -> str:
    """The adapter of ``run`` from its training ``train_seed`` (default: the first that there is).

    ``base`` is recorded as the base model; by default the built-in student's folder as ``found`` names it, or the
    path or hub name of a pretrained one. Raises ExportError where the run has no adapter.
    """
    source = _source(found, run, train_seed)
    if base is None:
        base, revision = _base(found)
    else:
        revision = None
    config = {**tables.read_json(source / CONFIG), "base_model_name_or_path": base, "revision": revision}
    (out / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for name in (WEIGHTS, RECORD):
        shutil.copyfile(source / name, out / name)
    record = tables.read_json(source / RECORD)
    (out / "README.md").write_text(_card(found, source, record, base), encoding="utf-8")
    return f"{source} on the base model {base}"


def _source(found: Found, run: Sequence[str], train_seed: int | None) -> Path:
    folders = [path for path in sorted(found.root.glob("phase*/adapters/*/*")) if path.is_dir()]
    if not folders:
        raise MissingInput(f"{found.root / 'phase2/adapters'} holds no adapter: `snakemake -c 2 phase2` trains them.")
    names = [path.parent.name for path in folders]
    if len(run) != 1:
        raise ExportError(f"name the run to export, as --run RUN: one of {', '.join(dict.fromkeys(names))}.")
    (name,) = chosen(run, names, "run")
    seeds = {path.name: path for path in folders if path.parent.name == name}
    source = seeds.get(str(train_seed)) if train_seed is not None else next(iter(seeds.values()))
    if source is None:
        raise ExportError(f"run {name} has no training {train_seed}; there are {', '.join(seeds)}.")
    if (source / ABSENT).exists():
        raise ExportError(f"run {name} could not be trained: {source / ABSENT} says why.")
    missing = [one for one in (CONFIG, WEIGHTS, RECORD) if not (source / one).is_file()]
    if missing:
        raise MissingInput(f"{source / missing[0]} is missing: `snakemake -c 2 {source}` trains the run again.")
    return source


def _base(found: Found) -> tuple[str, str | None]:
    """The student's model and its revision."""
    settings = found.root / "student" / "settings.json"
    if not settings.exists():
        raise MissingInput(f"{settings} is missing: `snakemake -c 2 phase0` makes it; or name the base with --base.")
    student = tables.read_json(settings)
    if student["source"] == "builtin":
        return str(found.root / "student" / "weights"), None
    return str(student["path"]), student["revision"]


def _card(found: Found, source: Path, record: Mapping[str, Any], base: str) -> str:
    run, training = source.parent.name, source.name
    hub = base.count("/") == 1 and not base.startswith((".", "/", "~")) and not Path(base).exists()
    settings = record.get("settings", {})
    learned = _budget(found, run)
    return card(
        {"library_name": "peft", "tags": ["lora", "teachable-moments"], **({"base_model": base} if hub else {})},
        f"# {run}, training {training}\n\nA LoRA adapter of a Teachable Moments study: run `{run}`, its training "
        f"{training}, seed {record['seed']}, {record['steps']} optimiser steps.",
        "```python\nfrom peft import AutoPeftModelForCausalLM\n\nmodel = AutoPeftModelForCausalLM.from_pretrained"
        '("FOLDER")\n```\n\n'
        + (
            "The base model is taken from the hub."
            if hub
            else f"The base model is `{base}`, as seen from where this was exported; where it lies elsewhere, change "
            "`base_model_name_or_path` in adapter_config.json, or export with `--base`."
        ),
        f"A prompt has layout `{record['layout']}`, version {record['layout_version']}; another one is answered "
        "wrongly without a word.",
        "## What it learned from",
        learned
        or f"{record['examples']} examples, and {record['replayed']} decisions replayed from the student's own won "
        "episodes.",
        grid(("setting", "value"), [(name, settings[name]) for name in _SETTINGS if settings.get(name) is not None]),
        "## How it does",
        _success(found, run),
        origin(found),
    )


def _budget(found: Found, run: str) -> str:
    """What the run was trained on, from the tables of budgets."""
    for frame in found.batches("budget", "recovery_budget", "selection_budget"):
        for row in frame.filter(run=run).iter_rows(named=True):
            names = ("quadrant", "format", "examples", "plain", "tokens", "epochs", "replayed", "steps")
            columns = tables.BUDGET.columns
            return grid(
                ("", "value", "unit", "meaning"),
                [(name, row[name], columns[name].unit, columns[name].meaning) for name in names],
            )
    return ""


def _success(found: Found, run: str) -> str:
    """Its levels on every panel, beside the base student's."""
    rows = []
    for frame in found.batches("metrics", "selection_metrics"):
        for row in frame.filter(metric="success", group="all").iter_rows(named=True):
            if row["model"] in (run, "base") and row["point"] is not None:
                interval = "" if row["low"] is None else f"[{row['low']:.3f}, {row['high']:.3f}]"
                rows.append(
                    (row["panel"], row["model"], f"{row['point']:.3f}", interval, row["clusters"], row["method"])
                )
    if not rows:
        return "Not evaluated yet: `snakemake -c 2 phase3` does."
    heads = ("panel", "model", "share of episodes won", "interval", "games", "made by")
    said = (
        "Over all trainings of a run. Compare models by paired differences (`phase3/contrasts.parquet`), not by these."
    )
    return f"{grid(heads, sorted(set(rows)))}\n\n{said}"
