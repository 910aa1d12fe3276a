"""Made-up labelled snapshots in which what can be learned is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl

from teachable.student.prompt import Transition
from teachable.tables import LABELED, conform

VERBS = ("take", "open", "go", "cook", "examine", "drop")
NOUNS = ("apple", "fridge", "north", "carrot", "table", "knife", "stove", "pepper")


def labeled(games: int = 60, each: int = 5, *, seed: int = 0, signal: float = 1.0) -> pl.DataFrame:
    """Snapshots of which entropy, the number of repeats and a hidden vector decide the labels.

    ``signal`` 0 makes every label independent of everything a student can see. Each game has its own effect,
    so that rows of one game are alike and only a split by game is honest.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for game in range(games):
        game_effect = rng.normal(0, 0.15)
        for i in range(each):
            rows.append(_row(rng, game, i, game_effect, signal))
    frame = pl.DataFrame(rows, schema=dict(LABELED))
    medians = {name: frame[name].median() for name in ("U", "L_local")}
    high_u, high_l = (pl.col(name) > medians[name] for name in ("U", "L_local"))
    quadrant = (
        pl.when(high_u & high_l)
        .then(pl.lit("Q1"))
        .when(high_u)
        .then(pl.lit("Q2"))
        .when(high_l)
        .then(pl.lit("Q4"))
        .otherwise(pl.lit("Q3"))
    )
    return conform(frame.with_columns(quadrant.alias("quadrant")), LABELED)


def _row(rng: np.random.Generator, game: int, i: int, game_effect: float, signal: float) -> dict[str, object]:
    count = int(rng.integers(4, 12))
    pairs = rng.choice(len(VERBS) * len(NOUNS), size=count, replace=False)
    commands = sorted(f"{VERBS[p // len(NOUNS)]} {NOUNS[p % len(NOUNS)]}" for p in pairs)
    logits = rng.normal(0, rng.uniform(0.1, 3), size=count)
    logp = logits - np.log(np.exp(logits).sum())
    p = np.sort(np.exp(logp))[::-1]
    entropy = float(-(p * np.log(p)).sum())
    steps = int(rng.integers(2, 12))
    stuck = rng.random()
    history = [Transition(str(rng.choice(commands)), f"You see thing {j}.").columns() for j in range(steps)]
    for j in range(1, steps):
        if rng.random() < stuck:
            history[j] = dict(history[j - 1])
    repeats = sum(a["command"] == b["command"] for a, b in pairwise(history))
    visible = 0.5 * (repeats / steps) - 0.25 * (entropy / np.log(count)) + 0.25 * ("take apple" in commands)
    noise = rng.normal(0, 0.05)
    local = float(signal * visible + (1 - signal) * rng.normal(0, 0.2) + game_effect * 0.2 + noise)
    elp = float(signal * (0.8 * visible) + (1 - signal) * rng.normal(0, 0.2) + rng.normal(0, 0.04))
    upper = local + float(rng.uniform(0, 0.3))
    hidden_route = repeats / steps if signal else rng.random()
    policy = float(np.clip(0.4 - local / 2, 0, 1))
    action = commands[int(np.argmax(logp))]
    return dict.fromkeys(LABELED) | {
        "snapshot_id": f"s{game:03d}-{i}",
        "task_id": f"game-{game:03d}",
        "family": "easy",
        "source": "student",
        "kind": "failure",
        "episode_id": f"e{game:03d}-{i}",
        "step": steps,
        "distance": int(rng.integers(2, 6)),
        "prefix": [turn["command"] for turn in history],
        "digest": f"d{game}-{i}",
        "goal": "Cook the apple and eat it.",
        "memo": "",
        "scene": "a kitchen with a closed fridge and a stove",
        "observation": history[-1]["observation"],
        "history": history,
        "commands": commands,
        "logp": logp.tolist(),
        "student_action": action,
        "suggested_action": commands[count // 2],
        "advice_valid": True,
        "unwinnable": False,
        "entropy": entropy,
        "entropy_normalised": entropy / float(np.log(count)),
        "margin": float(p[0] - p[1]),
        "topk_spread": float(p[0] - p[min(4, count - 1)]),
        "effective_actions": float(np.exp(entropy)),
        "logp_chosen": float(logp.max()),
        "U": entropy,
        "p_policy": policy,
        "p_force": min(1.0, policy + max(local, 0.0)),
        "p_expert": min(1.0, policy + max(upper, 0.0)),
        "p_base": policy,
        "p_placebo": policy,
        "p_demo": min(1.0, policy + max(elp, 0)),
        "L_local": local,
        "L_upper": upper,
        "gap": upper - local,
        "ELP_net": elp,
        "ELP_raw": elp,
        "route": "demo" if hidden_route < 0.25 else "contrast" if hidden_route < 0.5 else "hint",
        "route_tied": bool(rng.random() < 0.1),
        "d_expert": int(rng.integers(0, 4)) if rng.random() < 0.7 else None,
        "estimator": "tree",
    }


def hidden_states(frame: pl.DataFrame, *, seed: int = 1, width: int = 12) -> dict[str, np.ndarray]:
    """Vectors in which the state part knows ELP_net up to noise, and the other parts know nothing."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 5, size=width)  # the large shared part of real hidden states
    states = common + rng.normal(0, 1, size=(len(frame), width))
    states[:, 0] += 20 * frame["ELP_net"].to_numpy()
    return {
        "state": states,
        "goal": common + rng.normal(0, 1, size=(len(frame), width)),
        "history": common + rng.normal(0, 1, size=(len(frame), width)),
    }
