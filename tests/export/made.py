"""Results of a made-up study, small and lawful, where the workflow puts them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lawful import rows

from teachable import tables
from teachable.artifacts.catalogue import ARTIFACTS
from teachable.student.builder import StudentSettings, new_model, save_student, train_tokenizer
from teachable.student.digests import fingerprint
from teachable.student.layouts.compact import CompactLayout
from teachable.student.prompt import Transition

COMMANDS = ["go north", "open box", "wait"]
VALUES = {"go north": (0.9, 0.01), "open box": (0.2, 0.0), "wait": (0.5, 0.5)}
CONFIG = {
    "preset": "toy",
    "seed": 3,
    "world": {"name": "corridor"},
    "student": {"source": "builtin", "path": None, "layout": None},
    "teacher": {"source": "oracle", "model": "none", "base_url": "https://secret.example/v1"},
}
HOSTILE = 'a|b "quoted"\n\u2028 <|im_end|>'


def decision(index: int) -> dict[str, Any]:
    return {
        "goal": "Get out.",
        "memo": "",
        "scene": f"room {index}",
        "observation": HOSTILE,
        "history": [Transition("wait", "Nothing.").columns()],
        "commands": COMMANDS,
    }


def snapshot(index: int, **other: Any) -> dict[str, Any]:
    return {
        **decision(index),
        "snapshot_id": f"game{index}/student/0@02",
        "task_id": f"game{index}",
        "family": "easy",
        "source": "student",
        "kind": "failure",
        "episode_id": f"game{index}/student/0",
        "step": 2,
        "distance": 1,
        "logp": [math.log(0.1), math.log(0.2), math.log(0.7)],
        "student_action": "wait",
        "expert_action": "go north",
        "suggested_action": "go north",
        "advice_valid": True,
        "quadrant": "Q1",
        "effective_actions": 1.0,
        "U": 0.8,
        "L_local": 0.4,
        **other,
    }


def example(run: str, index: int, **other: Any) -> dict[str, Any]:
    return {
        "run": run,
        "example_id": f"game{index}:demo",
        "snapshot_id": f"game{index}/student/0@02",
        "task_id": f"game{index}",
        "family": "easy",
        "format": "demo",
        "prompt": f"goal: Get out.\nroom {index}\ndid: wait\ntip: -\nact:",
        "completion": "go north",
        **other,
    }


def put(root: Path, name: str, *given: dict[str, Any]) -> Path:
    artifact = ARTIFACTS[name]
    schema = getattr(tables, str(artifact.schema))
    path = root / artifact.whole
    tables.write(rows(schema, *given), path, schema)
    return path


def study(root: Path) -> Path:
    """Phases 0 to 2 of four games; the last two are held out. Of the third the advice is not valid."""
    tables.write_json(CONFIG, root / ARTIFACTS["config"].path)
    labeled = [snapshot(index) for index in range(4)]
    labeled[2] |= {"advice_valid": False, "suggested_action": None}
    put(root, "labeled", *labeled)
    put(root, "panels", *({"panel": "train", "side": "train", "task_id": f"game{i}"} for i in range(2)),
        *({"panel": "failure", "side": "held_out", "task_id": f"game{i}"} for i in (2, 3)))  # fmt: skip
    values = [
        {
            "snapshot_id": f"game{index}/student/0@02",
            "command": command,
            "value": value,
            "se": error,
            "lower": 0.0 if error > 0.1 else value,
            "upper": 1.0 if error > 0.1 else value,
            "pi_base": math.exp(logp),
        }
        for index in range(4)
        for (command, (value, error)), logp in zip(VALUES.items(), labeled[index]["logp"], strict=True)
    ]
    put(root, "action_values", *values)
    put(root, "examples", example("Q1_demo", 0, draw=1), example("Q1_demo", 1, draw=2), example("B1_uniform", 0))
    put(root, "replay", example("replay", 1, format="replay", snapshot_id=None))
    episodes = [
        {
            "episode_id": f"game{index}/student/{repeat}",
            "task_id": f"game{index}",
            "family": "easy",
            "split": "train",
            "model": "base",
            "behaviour": "student",
            "panel": "rollout",
            "condition": "none",
            "repeat": repeat,
            "steps": 2,
            "actions": ["wait", "go north"],
            "success": None if (index, repeat) == (1, 1) else repeat == 0,
            "lost": False,
            "fault": "the engine died" if (index, repeat) == (1, 1) else None,
        }
        for index in (1, 0)
        for repeat in (1, 0)
    ]
    put(root, "episodes", *episodes, {**episodes[0], "episode_id": "game0/expert/0", "behaviour": "expert"})
    steps = [
        {
            **{name: value for name, value in decision(step).items() if name != "history"},
            "episode_id": episode["episode_id"],
            "task_id": episode["task_id"],
            "step": step,
            "logp": [math.log(0.1), math.log(0.2), math.log(0.7)],
            "action": command,
        }
        for episode in episodes
        for step, command in ((1, "go north"), (0, "wait"))
    ]
    put(root, "steps", *steps)
    return root


def student(root: Path) -> Path:
    """A tiny student with random weights, linked as the workflow links the built-in one."""
    settings = StudentSettings(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, vocabulary=300)
    tokenizer = train_tokenizer(["go north open box wait room did tip act goal Get out"], 300)
    weights = root / "student/weights"
    model = new_model(settings, len(tokenizer), seed=3)
    save_student(weights, model, tokenizer, CompactLayout("recipe"), name="tiny", about={})
    told = {"source": "builtin", "path": None, "revision": None, "layout": None, "fingerprint": fingerprint(weights)}
    tables.write_json(told, root / "student/settings.json")
    return weights
