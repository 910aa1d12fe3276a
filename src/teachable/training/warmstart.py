"""What the built-in student is cloned from: a demonstrator's play, with and without patches.

Three ingredients, each of which the labels need:

* *noise*: some trajectories take random commands that do not lose, so that the student sees where it ends
  up after mistakes and what the expert does there;
* *patches*: part of the examples carry one. Some name a random admissible command that is also the target,
  which teaches to read a patch rather than to know the answer; some are placebos, which teach nothing;
* *gaps*: without a patch that helps the target is the demonstrator's command, so that the student has something
  to learn from the teacher; with one it is what the patch names, so that it can. Placebos have the same targets
  as no patch at all, or their mere presence would tell what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from teachable import seeds
from teachable.rollouts.episodes import EpisodeSpec, PlaySettings, play
from teachable.rollouts.policy import Policy
from teachable.rollouts.sessions import Start
from teachable.student.builder import Demonstration
from teachable.student.prompt import Context
from teachable.terms import FORMATS
from teachable.training.demonstrations import Decision
from teachable.training.errors import SetError
from teachable.worlds.base import Task, World

if TYPE_CHECKING:
    from teachable.worlds.words import Words

__all__ = ["MixSettings", "mix", "validator"]

# (situation, suggested command, bad command, a key for wording) -> the patch of every condition
Patcher = Callable[[Context, str, str, str], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class MixSettings:
    """Shares of the mixture; the defaults are those the built-in student was tuned with."""

    patched: float = 0.45  # examples with a patch; reading one is learnt long before playing well
    placebo: float = 0.4  # of these: a placebo; with 0.25 it moved the student by itself
    random: float = 0.35  # of these: a helpful patch that names a random command, which is the target
    easy_kept: float = 0.3  # skills that are learnt at once need no more than this share of their examples
    passes: int = 1  # copies of every decision, each with its own draw of patch


def mix(
    decisions: Sequence[Decision], patcher: Patcher, words: Words, settings: MixSettings, *, run_seed: int
) -> list[Demonstration]:
    """Demonstrations with patches in place: the demonstrator's command, or what a helpful patch names.

    Each decision draws from its own stream, so adding games changes no other game's examples. ``words`` says which
    skills are learnt at once. Raises SetError when nothing is left.
    """
    found: list[Demonstration] = []
    for decision in decisions:
        for copy in range(settings.passes):
            generator = seeds.stream(run_seed, "mix", decision.key, copy)
            made = _one(decision, patcher, words, settings, generator, f"{decision.key}/{copy}")
            if made is not None:
                found.append(made)
    if not found:
        raise SetError(f"none of the {len(decisions)} expert decisions became an example for the built-in student")
    return found


def _one(
    decision: Decision,
    patcher: Patcher,
    words: Words,
    settings: MixSettings,
    generator: np.random.Generator,
    key: str,
) -> Demonstration | None:
    """One example, or None where enough is there without it."""
    context = decision.context
    patched, kind = generator.random(2)
    pick, other, form = generator.random(3)
    thin = generator.random()
    commands = context.commands
    helpful = patched < settings.patched and kind >= settings.placebo and len(commands) > 1
    if words.skill_of(decision.expert) in words.easy_skills and thin >= settings.easy_kept:
        return None
    action = decision.expert if helpful else decision.demonstrator
    if patched >= settings.patched or len(commands) < 2:
        return Demonstration(context, action)
    if helpful and kind < settings.placebo + settings.random:
        action = commands[int(pick * len(commands))]
    rest = [command for command in commands if command != action]
    texts = patcher(context, action, rest[int(other * len(rest))], key)
    condition = FORMATS[int(form * len(FORMATS))] if helpful else "placebo"
    return Demonstration(replace(context, patch=texts[condition]), action)


def validator(
    world: World,
    games: Path,
    tasks: Sequence[Task],
    *,
    run_seed: int,
    episodes: int = 1,
    max_steps: int = 15,
) -> Callable[..., float]:
    """A function ``(student, adapter=None)`` that plays `tasks` with a student, or with an adapter of it, sampled at
    temperature 1, and returns its success rate.

    Equal random numbers at every call, so that successive validations differ by what was learnt and not by luck.
    """
    settings = PlaySettings(max_steps=max_steps, stop_unwinnable=True)

    def success(student: Policy, adapter: str | None = None) -> float:
        specs = [
            EpisodeSpec(f"validate/{task.task_id}/{repeat}", Start(task), repeat=repeat, adapter=adapter)
            for task in tasks
            for repeat in range(episodes)
        ]
        played = play(student, world, games, specs, settings, run_seed=run_seed).episodes
        valid = played["success"].drop_nulls()
        if valid.is_empty():
            raise SetError("every validation episode ended in an engine fault; see the log")
        return float(valid.cast(float).mean())  # type: ignore[arg-type]

    return success
