"""The student's episodes as logs of Inspect: `inspect view` shows them, its tools analyse them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

from teachable.artifacts.catalogue import ARTIFACTS
from teachable.export.found import ExportError, Found, chosen
from teachable.export.played import Row, ended, student_episodes, student_name, with_steps
from teachable.version import __version__

ABOUT = {
    "about": "the student's episodes as Inspect's .eval logs, one a family of games",
    "options": ("family",),
}
SCORER = "success"


def write(found: Found, out: Path, family: Sequence[str] = ()) -> str:
    """``family``: those families only. A sample is a game, an epoch of it an episode; by epoch, then by game.

    Raises ExportError where inspect-ai is not installed.
    """
    _inspect("log")
    episodes = student_episodes(found)
    families = chosen(family, episodes["family"].unique().sort(), "family")
    for name in families:
        ours = episodes.filter(family=name).sort("repeat", "task_id")  # as Inspect orders what it reads
        log = _log(found, name, ours)
        _inspect("log").write_eval_log(log, str(out / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.eval"), format="eval")
    count = episodes.filter(pl.col("family").is_in(families)).height
    return f"{count} episodes in {len(families)} logs; `inspect view --log-dir` shows them"


def _inspect(module: str) -> Any:
    try:
        return import_module(f"inspect_ai.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "inspect_ai":
            raise
        raise ExportError(
            "inspect-ai is not installed: `pip install inspect-ai`, or `pip install -e '.[inspect]'` beside this "
            "repository's pyproject.toml, installs it."
        ) from None


def _log(found: Found, family: str, episodes: pl.DataFrame) -> Any:
    log = _inspect("log")
    config = found.config()
    model = student_name(found)
    world = config.get("world", {}).get("name", "unknown")
    made = (found.root / ARTIFACTS["episodes"].whole).stat().st_mtime
    created = datetime.fromtimestamp(int(made), UTC).isoformat()
    samples = [_sample(row, steps, model) for row, steps in with_steps(found, episodes)]
    games = episodes["task_id"].unique(maintain_order=True).to_list()
    name = f"{world}/{family}"
    return log.EvalLog(
        status="success",
        eval=log.EvalSpec(
            eval_id=f"{family}-{config.get('seed', 0)}",
            run_id=f"teachable-{config.get('preset', 'unknown')}-{config.get('seed', 0)}",
            task_id=name,
            task=name,
            created=created,
            dataset=log.EvalDataset(name=name, samples=len(games), sample_ids=games),
            model=f"teachable/{model}",
            config=log.EvalConfig(epochs=int(episodes["repeat"].max()) + 1, epochs_reducer=["mean"]),  # type: ignore[arg-type]
            packages={"teachable-moments": __version__},
        ),
        results=_results(log, episodes),
        stats=log.EvalStats(started_at=created, completed_at=created),
        samples=samples,
    )


def _sample(row: Row, steps: Sequence[Row], model: str) -> Any:
    log, chat = _inspect("log"), _inspect("model")
    messages = [message for step in steps for message in _turn(chat, step, model)]
    faulty = row["success"] is None
    error = log.EvalError(message=row["fault"] or "fault of the engine", traceback="", traceback_ansi="")
    kept = ("episode_id", "family", "split", "repeat", "steps", "seed", "lost", "repeats", "loops", "wasted", "escape")
    score = _inspect("scorer").Score(value="C" if row["success"] else "I", explanation=ended(row))
    return log.EvalSample(
        id=row["task_id"],
        epoch=row["repeat"] + 1,
        input=messages[0].content if messages else "",
        target="win",
        messages=messages,
        output=chat.ModelOutput(
            model=f"teachable/{model}",
            choices=[chat.ChatCompletionChoice(message=messages[-1], stop_reason="stop")] if messages else [],
        ),
        scores=None if faulty else {SCORER: score},
        metadata={name: row[name] for name in kept if row[name] is not None} | {"ended": ended(row)},
        uuid=row["episode_id"],
        error=error if faulty else None,
    )


def _turn(chat: Any, step: Row, model: str) -> list[Any]:
    """What the game said, and the student's command with how likely it was."""
    identity = f"{step['episode_id']}/{step['step']}"
    chance = dict(zip(step["commands"], step["logp"], strict=True)).get(step["action"])
    return [
        chat.ChatMessageUser(
            id=f"{identity}/user",
            content=step["observation"] or "",
            metadata={"scene": step["scene"], "memo": step["memo"], "commands": step["commands"]},
        ),
        chat.ChatMessageAssistant(
            id=f"{identity}/assistant",
            content=step["action"],
            model=f"teachable/{model}",
            metadata={
                "probability": None if chance is None else math.exp(chance),
                "unwinnable": step["unwinnable"],
            },
        ),
    ]


def _results(log: Any, episodes: pl.DataFrame) -> Any:
    """Accuracy as Inspect computes it: the mean over epochs of each game, then over games, with its standard error."""
    judged = episodes.filter(pl.col("success").is_not_null())
    means = judged.group_by("task_id").agg(pl.col("success").mean())["success"]
    count = means.len()
    metrics = {}
    if count:
        error = float(means.std() or 0.0) / math.sqrt(count)  # type: ignore[arg-type]
        metrics = {
            "accuracy": log.EvalMetric(name="accuracy", value=float(means.mean())),  # type: ignore[arg-type]
            "stderr": log.EvalMetric(name="stderr", value=error),
        }
    score = log.EvalScore(name=SCORER, scorer=SCORER, reducer="mean", scored_samples=count, metrics=metrics)
    return log.EvalResults(total_samples=episodes.height, completed_samples=judged.height, scores=[score])
