"""Made-up tables of any number of snapshots: the shape of real ones, the numbers of nothing.

``sources(count)`` gives every table that the viewer reads. Texts repeat as those of games do; a few are ``HOSTILE``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from teachable import tables
from teachable.terms import CONDITIONS, QUANTITIES
from teachable.viewer import Sources

HOSTILE = (
    "<script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 1'>",
    r"$\frac{a}{b}$",
    "__proto__",
    "a\u2028b \u202e \U0001f600 &lt;b&gt; \"'`${1}",
    "</script><!-- ]]>",
)
PER_EPISODE = 4  # snapshots of an episode
STEPS = 12
COMMANDS = 10
MODELS = ("base", "Q1_demo", "B1_uniform", "S_oracle_k4")
FAMILIES = ("easy", "medium", "nav", "hard")
_WORDS = (
    "red apple",
    "fridge",
    "carrot",
    "lantern",
    "iron key",
    "blue door",
    "wooden box",
    "old map",
    "pepper",
    "rope",
)


def conformed(columns: dict[str, Any], schema: tables.Table, height: int) -> pl.DataFrame:
    """A frame of ``schema``; what is not given is null, or the first thing that may stand there."""
    plain = {tables.TEXT: "", tables.INT: 1, tables.REAL: 0.5, tables.FLAG: False}
    filled = {}
    for name, what in schema.columns.items():
        if name in columns:
            filled[name] = columns[name]
        elif what.null:
            filled[name] = pl.Series(name, [None], dtype=what.dtype).new_from_index(0, height)
        else:
            value = what.among[0] if what.among else plain.get(what.dtype, [])
            filled[name] = pl.Series(name, [value], dtype=what.dtype).new_from_index(0, height)
    return tables.conform(pl.DataFrame(filled, schema=dict(schema)), schema, schema.name)


def _commands(rng: np.random.Generator, rows: int) -> list[list[str]]:
    starts = rng.integers(0, len(_WORDS), rows)
    return [[f"{'take' if j % 2 else 'open'} {_WORDS[(s + j) % len(_WORDS)]}" for j in range(COMMANDS)] for s in starts]


def _logp(rng: np.random.Generator, rows: int) -> list[list[float]]:
    shares = rng.dirichlet(np.full(COMMANDS, 0.4), rows) + 1e-9
    logp: list[list[float]] = np.minimum(np.log(shares), 0).tolist()
    return logp


def sources(count: int, seed: int = 0) -> Sources:
    """Every table, of ``count`` snapshots in ``count / 4`` episodes; a twentieth is tried by every model."""
    rng = np.random.default_rng(seed)
    games = -(-count // PER_EPISODE)
    episode = np.arange(count) // PER_EPISODE
    step = 4 + np.arange(count) % PER_EPISODE
    task_of = [f"world-{FAMILIES[g % 4]}-train-{g * 7919 + 10**9}" for g in range(games)]
    episode_of = [f"{task}/student/0" for task in task_of]
    ids = [f"{episode_of[e]}@{s:02d}" for e, s in zip(episode, step, strict=True)]
    commands, logp = _commands(rng, count), _logp(rng, count)
    for k, text in enumerate(HOSTILE):
        commands[k % count][0] = text
    did = [texts[0] for texts in commands]
    said = [
        HOSTILE[k % len(HOSTILE)] if k < 12 else f"You see a {_WORDS[k % 10]} and a {_WORDS[k % 7]}."
        for k in range(count)
    ]
    measured = {f"p_{q}": rng.uniform(0, 1, count) for q in QUANTITIES}
    labeled = conformed(
        {
            "snapshot_id": ids,
            "task_id": [task_of[e] for e in episode],
            "family": [FAMILIES[e % 4] for e in episode],
            "source": ["student"] * count,
            "kind": ["failure"] * count,
            "episode_id": [episode_of[e] for e in episode],
            "step": step,
            "distance": 4 - np.arange(count) % PER_EPISODE,
            "prefix": [["look"] * 4] * count,
            "goal": ["Find the map."] * count,
            "memo": [""] * count,
            "scene": said,
            "observation": said,
            "history": [[{"command": "look", "observation": "A room."}]] * count,
            "commands": commands,
            "logp": logp,
            "student_action": did,
            "expert_action": [texts[1] for texts in commands],
            "suggested_action": [texts[1] for texts in commands],
            "U": rng.gamma(4, 0.28, count),
            "L_local": rng.uniform(-0.2, 1, count),
            "ELP_net": rng.uniform(-0.2, 0.8, count),
            "route": rng.choice(["demo", "contrast", "hint"], count),
            "quadrant": rng.choice(["Q1", "Q2", "Q3", "Q4"], count),
            "error_type": rng.choice(["planning_error", "affordance_miss"], count),
            **measured,
        },
        tables.LABELED,
        count,
    )
    rows = games * STEPS
    step_commands = _commands(rng, rows)
    steps = conformed(
        {
            "episode_id": [name for name in episode_of for _ in range(STEPS)],
            "task_id": [name for name in task_of for _ in range(STEPS)],
            "step": list(range(STEPS)) * games,
            "goal": ["Find the map."] * rows,
            "memo": ["note: 3-1-2"] * rows,
            "scene": [f"hall {k % 97} | {_WORDS[k % 10]}" for k in range(rows)],
            "observation": [said[k % count] for k in range(rows)],
            "commands": step_commands,
            "logp": _logp(rng, rows),
            "action": [texts[0] for texts in step_commands],
        },
        tables.STEPS,
        rows,
    )
    episodes = conformed(
        {
            "episode_id": episode_of,
            "task_id": task_of,
            "family": [FAMILIES[g % 4] for g in range(games)],
            "success": [False] * games,
            "lost": [g % 2 == 0 for g in range(games)],
        },
        tables.EPISODES,
        games,
    )
    shares = np.exp(np.array(logp)).ravel()
    values = conformed(
        {
            "snapshot_id": [name for name in ids for _ in range(COMMANDS)],
            "command": [text for texts in commands for text in texts],
            "value": rng.uniform(0, 1, count * COMMANDS),
            "se": rng.uniform(0, 0.2, count * COMMANDS),
            **{f"pi_{c}": shares for c in CONDITIONS},
        },
        tables.ACTION_VALUES,
        count * COMMANDS,
    )
    advice = conformed(
        {
            "snapshot_id": ids,
            "suggested_action": [texts[1] for texts in commands],
            "rationale": said,
            "diagnosis": [f"Something is missing there: {text}" for text in said],
            "why_bad": ["That changes nothing."] * count,
            "valid": [True] * count,
            "teacher": ["oracle"] * count,
        },
        tables.ADVICE,
        count,
    )
    held = [k for k in range(count) if k % 40 < 2]
    taught = [k for k in range(count) if k % 40 >= 38] or [count - 1]
    played = conformed(
        {
            "episode_id": [f"{model}/failure/{ids[k]}" for model in MODELS for k in held],
            "task_id": [task_of[episode[k]] for _ in MODELS for k in held],
            "model": [model for model in MODELS for _ in held],
            "train_seed": [1] * len(MODELS) * len(held),
            "panel": ["failure"] * len(MODELS) * len(held),
            "snapshot_id": [ids[k] for _ in MODELS for k in held],
            "actions": [[did[k], "look"] for _ in MODELS for k in held],
            "success": [(k // 40 + j) % 2 == 0 for j, _ in enumerate(MODELS) for k in held],
            "lost": [False] * len(MODELS) * len(held),
        },
        tables.EPISODES,
        len(MODELS) * len(held),
    )
    probes = conformed(
        {
            "model": [model for model in MODELS for _ in held],
            "train_seed": [1] * len(MODELS) * len(held),
            "snapshot_id": [ids[k] for _ in MODELS for k in held],
            "expert_probability": [0.25] * len(MODELS) * len(held),
            "top_action": [did[k] for _ in MODELS for k in held],
        },
        tables.PROBES,
        len(MODELS) * len(held),
    )
    learnt = [(run, k) for run in MODELS[1:] for k in taught]
    examples = conformed(
        {
            "run": [run for run, _ in learnt],
            "draw": [1] * len(learnt),
            "example_id": [f"{run}:{ids[k]}" for run, k in learnt],
            "snapshot_id": [ids[k] for _, k in learnt],
            "format": ["demo"] * len(learnt),
            "plain": [True] * len(learnt),
            "prompt": [f"goal: find\nseen: {said[k]}\nact:" for _, k in learnt],
            "completion": [commands[k][1] for _, k in learnt],
        },
        tables.EXAMPLES,
        len(learnt),
    )
    return Sources(
        labeled,
        advice=advice,
        action_values=values,
        steps=steps,
        episodes=episodes,
        examples=examples,
        played=played,
        probes=probes,
    )
