"""What the built-in student is cloned from: real play, patches in their shares, gaps without a cue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from teachable.rollouts.sessions import Environment
from teachable.student.prompt import Context
from teachable.training.demonstrations import Decision, demonstrate
from teachable.training.errors import SetError
from teachable.training.gaps import Gap
from teachable.training.warmstart import MixSettings, mix, validator
from teachable.worlds.textworld.words import WORDS, TextWorldWords


class EasyOpen(TextWorldWords):
    easy_skills = ("open",)


COMMANDS = ("chop carrot with knife", "dice carrot with knife", "go north", "take carrot from counter")
ALL = MixSettings(easy_kept=1.0)


def patcher(context: Context, suggested: str, bad: str, key: str) -> Mapping[str, str]:
    assert suggested != bad
    return {"placebo": "P", "demo": f"D {suggested}", "contrast": f"C {suggested}", "hint": f"H {suggested}"}


def decisions(expert: str, count: int = 2000, shown: str | None = None) -> list[Decision]:
    context = Context("goal", "memo", "scene", "seen", (), COMMANDS)
    return [Decision(f"task/{index}/0", context, expert, shown or expert) for index in range(count)]


def share(found: list[Any], start: str) -> float:
    return sum(1 for one in found if one.context.patch.startswith(start)) / len(found)


def test_patches_come_in_their_shares_and_name_the_target() -> None:
    settings = replace(ALL, patched=0.6, placebo=0.2, random=0.4)
    found = mix(decisions("go north"), patcher, WORDS, settings, run_seed=1)
    assert len(found) == 2000
    assert share(found, "P") == pytest.approx(0.12, abs=0.03)
    for start in "DCH":
        assert share(found, start) == pytest.approx(0.16, abs=0.03)
    helped = [one for one in found if one.context.patch and one.context.patch != "P"]
    assert all(one.context.patch[2:] == one.action for one in helped)
    # a random command is the expert's one time in four
    assert sum(one.action != "go north" for one in helped) / 2000 == pytest.approx(0.24 * 0.75, abs=0.03)
    assert all(one.action == "go north" for one in found if one not in helped)


def test_gaps_spare_helpful_patches_and_treat_placebos_like_none() -> None:
    settings = replace(ALL, patched=0.6, placebo=0.2)
    right = mix(decisions("dice carrot with knife"), patcher, WORDS, settings, run_seed=1)
    wrong = mix(decisions("dice carrot with knife", shown="go north"), patcher, WORDS, settings, run_seed=1)
    assert len(right) == len(wrong) == 2000
    for before, after in zip(right, wrong, strict=True):
        if after.context.patch[:1] in ("D", "C", "H"):
            assert after == before
        else:
            assert before.action == "dice carrot with knife"
            assert after.action == "go north"
            assert after.context == before.context
    assert {one.context.patch[:1] for one in wrong} == {"", "P", "D", "C", "H"}


def test_what_is_learnt_at_once_is_thinned_by_the_expert_and_not_by_a_habit() -> None:
    settings = replace(ALL, easy_kept=0.0)
    habit = mix(decisions("cook carrot with oven", shown="examine cookbook"), patcher, WORDS, settings, run_seed=1)
    assert len(habit) == 2000
    with pytest.raises(SetError):
        mix(decisions("examine cookbook"), patcher, WORDS, settings, run_seed=1)


def test_a_game_more_changes_no_other_games_examples() -> None:
    some, more = decisions("go north", 50), decisions("go north", 80)
    assert (
        mix(more, patcher, WORDS, MixSettings(), run_seed=1)[:20]
        == mix(some, patcher, WORDS, MixSettings(), run_seed=1)[:20]
    )
    assert mix(some, patcher, WORDS, MixSettings(), run_seed=2) != mix(some, patcher, WORDS, MixSettings(), run_seed=1)


def test_an_empty_mixture_is_refused() -> None:
    with pytest.raises(SetError, match="none of the 3"):
        mix(decisions("open fridge", 3), patcher, EasyOpen(), replace(ALL, easy_kept=0.0), run_seed=1)


EXPERT: dict[str, Any] = {"trajectories": 3, "noise": 0.5, "gaps": {}, "own_lights": 0.0, "run_seed": 1}
CUTS = ("slice", "dice", "chop")


def test_expert_play_is_clean_first_then_noisy_and_always_winnable(games: Any) -> None:
    tasks = games.of("medium")[:2]
    found = demonstrate(games.world, games.root, tasks, WORDS, **EXPERT)
    assert len({one.key for one in found}) == len(found)
    assert found == demonstrate(games.world, games.root, tasks, WORDS, **EXPERT)
    alone = demonstrate(games.world, games.root, tasks[1:], WORDS, **EXPERT)
    assert alone == [one for one in found if one.key.startswith(tasks[1].task_id)]
    strayed = 0
    for task in tasks:
        for trajectory in range(3):
            steps = [one for one in found if one.key.startswith(f"{task.task_id}/{trajectory}/")]
            environment = Environment(games.world, games.root, task)
            moment = environment.start()
            for number, one in enumerate(steps):
                assert one.context == moment.context()
                assert one.expert == one.demonstrator == environment.expert(moment)
                following = steps[number + 1].context.history[-1][0] if number + 1 < len(steps) else one.expert
                strayed += following != one.expert
                assert trajectory or following == one.expert
                moment = environment.step(moment, following)
                assert not moment.state.unwinnable
            environment.close()
            if not trajectory:
                assert len(steps) == task.expert_steps
    assert strayed


@pytest.mark.parametrize("otherwise", ["habit", "dither"])
def test_a_gap_is_wrong_harmless_and_only_where_it_was_planted(games: Any, otherwise: Any) -> None:
    tasks = games.of("medium") + games.of("nav")
    gaps = {skill: Gap(0.0, otherwise) for skill in ("go", *CUTS)}
    found = demonstrate(games.world, games.root, tasks, WORDS, **{**EXPERT, "gaps": gaps, "own_lights": 0.7})
    lacking: dict[str, list[Decision]] = {}
    for task in tasks:
        environment = Environment(games.world, games.root, task)
        for one in (one for one in found if one.key.startswith(f"{task.task_id}/")):
            moment = environment.start()
            for command in (behind.command for behind in one.context.history):
                moment = environment.step(moment, command)
            assert one.context == moment.context()
            assert one.expert == environment.expert(moment)
            assert one.demonstrator in moment.state.commands
            if WORDS.skill_of(one.expert) not in gaps:
                assert one.demonstrator == one.expert
                continue
            after = environment.step(moment, one.demonstrator).state
            assert not after.done
            assert not after.unwinnable
            if one.demonstrator != one.expert:
                lacking.setdefault(moment.state.digest + one.expert, []).append(one)
        environment.close()
    assert sum(map(len, lacking.values())) > 20
    ways = [{one.demonstrator for one in alike} for alike in lacking.values() if len(alike) > 2]
    if otherwise == "habit":  # the same situation, the same command, whatever led there
        assert all(len(way) == 1 for way in ways)
    else:
        assert any(len(way) > 1 for way in ways)


def test_by_its_own_lights_the_demonstrator_stays_where_its_skill_ends(games: Any) -> None:
    tasks = games.of("medium")
    gaps = {skill: Gap(0.0, "habit") for skill in CUTS}
    found = demonstrate(
        games.world,
        games.root,
        tasks,
        WORDS,
        **{**EXPERT, "noise": 0.0, "trajectories": 4, "gaps": gaps, "own_lights": 0.5},
    )
    for task in tasks:
        played = [[one for one in found if one.key.startswith(f"{task.task_id}/{number}/")] for number in range(4)]
        assert [len(steps) for steps in played] == [task.expert_steps, task.expert_steps, 15, 15]
        assert [one.demonstrator for one in played[2]] == [one.demonstrator for one in played[3]]
        stuck = [one for one in played[2] if WORDS.skill_of(one.expert) in CUTS]
        assert stuck[0] == replace(played[0][len(played[2]) - len(stuck)], key=stuck[0].key)
        assert stuck[-1] == played[2][-1]
        assert len({(one.demonstrator, one.context.scene) for one in stuck}) == 1  # nothing changes any more


def test_the_share_of_needs_that_is_known_is_the_one_asked_for(games: Any) -> None:
    gaps = {"take": Gap(0.3, "dither")}
    options = {**EXPERT, "trajectories": 60, "noise": 0.0, "gaps": gaps}
    found = demonstrate(games.world, games.root, games.of("medium"), WORDS, **options)
    needs = [one for one in found if WORDS.skill_of(one.expert) == "take"]
    assert len(needs) > 200
    assert sum(one.demonstrator == one.expert for one in needs) / len(needs) == pytest.approx(0.3, abs=0.1)
    assert demonstrate(games.world, games.root, games.of("medium"), WORDS, **{**options, "run_seed": 2}) != found


def test_a_gap_more_leaves_the_others_as_they_were(games: Any) -> None:
    tasks = games.of("medium")[:2]
    gaps = {"take": Gap(0.5, "dither"), "slice": Gap(0.5, "dither"), "chop": Gap(0.5, "dither")}
    one = demonstrate(games.world, games.root, tasks, WORDS, **{**EXPERT, "gaps": {"take": gaps["take"]}})
    more = demonstrate(games.world, games.root, tasks, WORDS, **{**EXPERT, "gaps": gaps})
    assert [d.demonstrator for d in one if WORDS.skill_of(d.expert) == "take"] == [
        d.demonstrator for d in more if WORDS.skill_of(d.expert) == "take"
    ]
    assert [d.context for d in one] == [d.context for d in more]


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
