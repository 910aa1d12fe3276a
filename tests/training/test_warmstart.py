"""What the built-in student is cloned from: real expert play, patches in their shares, ignorance without a cue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from teachable.rollouts.sessions import Table
from teachable.student.prompt import Context
from teachable.training.demonstrations import Decision, demonstrate
from teachable.training.errors import SetError
from teachable.training.warmstart import MixSettings, ignored, mix, validator

COMMANDS = ("chop carrot with knife", "dice carrot with knife", "go north", "take carrot from counter")
ALL = MixSettings(easy_kept=1.0, kept=1.0)
DICE = replace(ALL, patched=0.6, placebo=0.2, ignored=("dice",))


def patcher(context: Context, suggested: str, bad: str, key: str) -> Mapping[str, str]:
    assert suggested != bad
    return {"placebo": "P", "demo": f"D {suggested}", "contrast": f"C {suggested}", "hint": f"H {suggested}"}


def decisions(expert: str, count: int = 2000) -> list[Decision]:
    context = Context("goal", "memo", "scene", "seen", (), COMMANDS)
    return [Decision(f"task/{index}/0", context, expert) for index in range(count)]


def share(found: list[Any], start: str) -> float:
    return sum(1 for one in found if one.context.patch.startswith(start)) / len(found)


def test_patches_come_in_their_shares_and_name_the_target() -> None:
    settings = replace(ALL, patched=0.6, placebo=0.2, random=0.4)
    found = mix(decisions("go north"), patcher, settings, run_seed=1)
    assert len(found) == 2000
    assert share(found, "P") == pytest.approx(0.12, abs=0.03)
    for start in "DCH":
        assert share(found, start) == pytest.approx(0.16, abs=0.03)
    helped = [one for one in found if one.context.patch and one.context.patch != "P"]
    assert all(one.context.patch[2:] == one.action for one in helped)
    # a random command is the expert's one time in four
    assert sum(one.action != "go north" for one in helped) / 2000 == pytest.approx(0.24 * 0.75, abs=0.03)
    assert all(one.action == "go north" for one in found if one not in helped)


def test_ignorance_spares_helpful_patches_and_treats_placebos_like_none() -> None:
    whole = mix(decisions("dice carrot with knife"), patcher, DICE, run_seed=1)
    thin = mix(decisions("dice carrot with knife"), patcher, replace(DICE, kept=0.35), run_seed=1)

    def counts(found: list[Any]) -> dict[str, int]:
        return {kind: sum(one.context.patch[:1] == kind for one in found) for kind in ("", "P", "D", "C", "H")}

    before, after = counts(whole), counts(thin)
    assert all(before[kind] == after[kind] for kind in "DCH")
    assert after[""] / before[""] == pytest.approx(0.35, abs=0.05)
    assert after["P"] / before["P"] == pytest.approx(0.35, abs=0.08)
    known = mix(decisions("go north"), patcher, replace(ALL, kept=0.35), run_seed=1)
    assert len(known) == 2000


def test_skills_are_verbs_and_appliances() -> None:
    skills = MixSettings().ignored
    assert ignored("open fridge", ("open",))
    assert ignored("cook red apple with oven", ("oven",))
    assert not ignored("cook red apple with stove", ("oven",))
    assert not ignored("open oven", ("oven",))
    assert not ignored("go north", skills)


def test_a_game_more_changes_no_other_games_examples() -> None:
    some, more = decisions("go north", 50), decisions("go north", 80)
    assert mix(more, patcher, MixSettings(), run_seed=1)[:20] == mix(some, patcher, MixSettings(), run_seed=1)[:20]
    assert mix(some, patcher, MixSettings(), run_seed=2) != mix(some, patcher, MixSettings(), run_seed=1)


def test_an_empty_mixture_is_refused() -> None:
    with pytest.raises(SetError, match="none of the 3"):
        mix(decisions("open fridge", 3), patcher, replace(ALL, patched=0.0, kept=0.0, ignored=("open",)), run_seed=1)


def test_expert_play_is_clean_first_then_noisy_and_always_winnable(games: Any) -> None:
    tasks = games.of("medium")[:2]
    found = demonstrate(games.world, games.root, tasks, trajectories=3, noise=0.5, run_seed=1)
    assert len({one.key for one in found}) == len(found)
    assert found == demonstrate(games.world, games.root, tasks, trajectories=3, noise=0.5, run_seed=1)
    alone = demonstrate(games.world, games.root, tasks[1:], trajectories=3, noise=0.5, run_seed=1)
    assert alone == [one for one in found if one.key.startswith(tasks[1].task_id)]
    strayed = 0
    for task in tasks:
        for trajectory in range(3):
            steps = [one for one in found if one.key.startswith(f"{task.task_id}/{trajectory}/")]
            table = Table(games.world, games.root, task)
            place = table.start()
            for number, one in enumerate(steps):
                assert one.context == place.context()
                assert one.expert == table.expert(place)
                following = steps[number + 1].context.history[-1][0] if number + 1 < len(steps) else one.expert
                strayed += following != one.expert
                assert trajectory or following == one.expert
                place = table.step(place, following)
                assert not place.state.unwinnable
            table.close()
            if not trajectory:
                assert len(steps) == task.expert_steps
    assert strayed


def test_validation_plays_the_same_draws_every_time(games: Any) -> None:
    class Uniform:
        def prompt(self, context: Context) -> str:
            return context.scene

        def policy(self, prompts: Any, commands: Any, *, adapters: Any = None) -> Any:
            import numpy as np

            return [np.full(len(listed), -np.log(len(listed))) for listed in commands]

    check = validator(games.world, games.root, games.of("easy"), run_seed=1, episodes=4)
    first = check(Uniform())
    assert 0 <= first < 1
    assert check(Uniform()) == first
