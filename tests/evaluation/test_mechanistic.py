"""Decision probes and linear probes: what is there is found, what is not is chance, and games stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from teachable import tables
from teachable.evaluation.bins import elp_bins
from teachable.evaluation.decisions import decision_probes
from teachable.evaluation.errors import EvaluationError
from teachable.evaluation.mechanistic import linear_probe, mechanistic
from teachable.evaluation.probes import adapter_probe, adapter_probes, check_shifts
from teachable.evaluation.resampling import Resampling
from teachable.worlds.textworld.words import WORDS

from .frames import episode, frame

SETTINGS = Resampling(repetitions=200)
COMMANDS = ["go east", "take apple"]


def labeled(n: int = 40) -> pl.DataFrame:
    rows = [
        {
            **dict.fromkeys(tables.LABELED),
            "snapshot_id": f"t{i // 2:02d}/{i:02d}",
            "task_id": f"t{i // 2:02d}",
            "goal": "eat",
            "memo": "",
            "scene": f"{('kitchen', 'garden')[i % 2]} | nothing",
            "observation": "",
            "history": [],
            "commands": COMMANDS,
            "expert_action": None if i == 0 else COMMANDS[i % 2],
            "quadrant": f"Q{i % 4 + 1}",
            "ELP_net": float(i),
            "route": ("demo", "contrast", "hint")[i % 3],
        }
        for i in range(n)
    ]
    return pl.DataFrame(rows, schema=dict(tables.LABELED))


class Student:
    """The base is undecided; ``good`` follows the expert: it takes where the scene is a garden."""

    def prompt(self, context: Any) -> str:
        return context.scene

    def policy(
        self, prompts: Sequence[str], commands: Sequence[Sequence[str]], *, adapters: Any = None
    ) -> list[np.ndarray]:
        answers = []
        for prompt, adapter in zip(prompts, adapters, strict=True):
            take = (0.9 if "garden" in prompt else 0.1) if adapter == "good" else 0.5
            answers.append(np.log([1 - take, take]))
        return answers

    def embed(self, prompts: Sequence[str], *, adapter: str | None = None) -> np.ndarray:
        rng = np.random.default_rng(0)
        noise = rng.normal(size=(len(prompts), 6))
        told = np.array([[5.0 * ("garden" in prompt)] for prompt in prompts]) * (adapter is not None)
        return np.concatenate([noise, told], axis=1).astype(np.float32)


def probes() -> pl.DataFrame:
    rows = labeled()
    return pl.concat(
        [
            decision_probes(Student(), rows, WORDS, model="base", adapter=None),
            decision_probes(Student(), rows, WORDS, model="Q1_demo", adapter="good"),
        ]
    )


def test_mechanistic_by_hand() -> None:
    episodes = frame(
        [
            episode(
                model,
                f"t{i // 2:02d}",
                model != "base" or i % 4 == 0,
                snapshot=f"t{i // 2:02d}/{i:02d}",
                repeat=r,
            )
            for model in ("base", "Q1_demo")
            for i in range(40)
            for r in range(2)
        ]
    )
    got = mechanistic(probes(), episodes, labeled(), SETTINGS, seed=1)

    def value(model: str, metric: str, by: str = "all", group: str = "all") -> tuple[float, int]:
        row = got.filter(
            (pl.col("model") == model)
            & (pl.col("metric") == metric)
            & (pl.col("by") == by)
            & (pl.col("group") == group)
        )
        assert row.height == 1
        return row["point"][0], row["n"][0]

    assert value("base", "success_from_state") == (0.25, 40)
    assert value("base", "success_from_state", "quadrant", "Q1") == (1.0, 10)
    assert value("base", "success_from_state", "quadrant", "Q2") == (0.0, 10)
    assert value("Q1_demo", "first_action_correct") == (1.0, 39), "the dead end has no expert's command"
    assert value("base", "first_action_correct")[0] == pytest.approx(19 / 39)  # undecided: the first command
    assert value("Q1_demo", "expert_prob_shift")[0] == pytest.approx(0.4)
    assert got.filter((pl.col("model") == "base") & (pl.col("metric") == "expert_prob_shift")).is_empty()
    assert value("Q1_demo", "probe_state_accuracy")[0] > 0.95
    assert value("base", "probe_state_accuracy")[0] < 0.75
    assert value("Q1_demo", "expert_prob_shift", "elp_bin", "high")[1] == 13
    assert {g for b, g in got.select("by", "group").rows() if b == "route"} == {"demo", "contrast", "hint"}
    tables.conform(got, tables.MECHANISTIC)


def test_a_linear_probe_never_sees_the_judged_game() -> None:
    """Hidden states that name the game and nothing else cannot tell a label that is constant within games."""
    rng = np.random.default_rng(0)
    games = [f"g{i // 5:02d}" for i in range(150)]
    of_game = {game: str(rng.integers(2)) for game in sorted(set(games))}
    names = sorted(of_game)
    of_games = rng.normal(size=(len(names), 20))
    hidden = of_games[[names.index(game) for game in games]] + 0.01 * rng.normal(size=(150, 20))
    accuracy, chance = linear_probe(hidden, [of_game[g] for g in games], games, seed=1)
    assert accuracy.mean() < 0.7
    assert not np.isnan(chance).any()
    told = np.column_stack([hidden, [4.0 * float(of_game[g]) for g in games]])
    assert linear_probe(told, [of_game[g] for g in games], games, seed=1)[0].mean() > 0.9


def test_the_probe_of_the_base_reads_what_a_run_left_in_place() -> None:
    """A run that swaps two directions keeps all that its own probe finds; the base's probe is then surely wrong."""
    rng = np.random.default_rng(2)
    games = [f"g{i // 4:02d}" for i in range(120)]
    labels = [("kitchen", "garden")[int(rng.integers(2))] for _ in games]
    hidden = np.column_stack([[6.0 * (label == "garden") for label in labels], rng.normal(size=(120, 5))])
    swapped = hidden.copy()
    swapped[:, 0] = 6.0 - swapped[:, 0]

    def share(fitted: np.ndarray, read: np.ndarray | None = None) -> float:
        return float(np.mean(linear_probe(fitted, labels, games, read=read, seed=1)[0]))

    assert share(hidden) > 0.95
    assert share(swapped) > 0.95, "its own probe sees no difference"
    assert share(hidden, swapped) < 0.05, "the base's does"
    assert share(hidden, hidden) == share(hidden)
    with pytest.raises(EvaluationError, match=r"\(120, 6\).*\(120, 5\)"):
        linear_probe(hidden, labels, games, read=hidden[:, 1:], seed=1)


def test_the_base_has_no_reading_of_itself() -> None:
    got = mechanistic(probes(), frame([]), labeled(), SETTINGS, seed=1)
    found = got.filter(pl.col("metric").str.ends_with("_from_base") & (pl.col("by") == "all"))
    assert set(found["model"]) == {"Q1_demo"}
    assert found["n"].to_list() == [39, 40], "goal is unknown at the dead end"
    # The base's hidden states do not have the room, so no probe of them finds it in the run's.
    own = got.filter(pl.col("by") == "all", model="Q1_demo", metric="probe_state_accuracy")["point"][0]
    assert found.filter(metric="probe_state_from_base")["point"][0] < own - 0.2


def test_a_linear_probe_without_games_or_classes() -> None:
    one, _ = linear_probe(np.ones((3, 2)), ["a", "b", None], ["g", "g", "g"], seed=1)
    assert np.isnan(one).all()
    right, chance = linear_probe(np.ones((4, 2)), ["a", "a", None, "a"], ["g", "h", "h", "i"], seed=1)
    assert np.nanmean(right) == np.nanmean(chance) == 1.0
    assert np.isnan(right[2])


def test_reading_a_model_without_its_adapter_is_refused() -> None:
    with pytest.raises(EvaluationError, match="Q1_demo"):
        decision_probes(Student(), labeled(), WORDS, model="Q1_demo", adapter=None)
    mixed = pl.concat([probes().filter(pl.col("model") == "base"), probes().tail(3)])
    with pytest.raises(EvaluationError, match="other snapshots"):
        mechanistic(mixed, frame([]), labeled(), SETTINGS, seed=1)


def test_adapter_probe() -> None:
    student = Student()
    assert adapter_probe(student, "good", ["garden", "kitchen"], [COMMANDS] * 2) == pytest.approx(0.4)
    with pytest.raises(EvaluationError, match="exactly"):
        adapter_probe(student, "broken", ["garden"], [COMMANDS])
    with pytest.raises(EvaluationError, match="two commands"):
        adapter_probe(student, "good", ["garden"], [COMMANDS[:1]])
    assert adapter_probes(student, ["good"] * 2, ["garden", "kitchen"], [COMMANDS] * 2)[1] == pytest.approx(
        adapter_probe(student, "good", ["kitchen"], [COMMANDS])
    )
    with pytest.raises(EvaluationError, match="'broken' gives exactly"):
        adapter_probes(student, ["good", "broken"], ["garden"] * 2, [COMMANDS] * 2)
    with pytest.raises(EvaluationError, match="two commands"):
        adapter_probes(student, ["good", "good"], ["garden"] * 2, [COMMANDS, COMMANDS[:1]])
    check_shifts({"Q1_demo": 0.1})
    with pytest.raises(EvaluationError, match="Q2_demo"):
        check_shifts({"Q1_demo": 0.1, "Q2_demo": 0.0})


def test_bins_and_targets() -> None:
    bins = elp_bins(labeled(9))
    assert [bins[s] for s in sorted(bins)] == ["low"] * 3 + ["middle"] * 3 + ["high"] * 3
    assert WORDS.place_of("kitchen | counter: apple") == "kitchen"
    assert WORDS.kind_of("take apple from table") == "take"


def test_without_held_out_snapshots_there_is_nothing_to_say() -> None:
    got = mechanistic(
        tables.empty(tables.PROBES), tables.empty(tables.EPISODES), tables.empty(tables.LABELED), Resampling(), seed=1
    )
    assert got.is_empty()
