"""Waves of episodes: all that are active ask the student in one batch, then each takes its step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from teachable import seeds, tables
from teachable.rollouts.expert import Expert, Oracle, Turn
from teachable.rollouts.policy import CachedPolicy, Policy, Reals, Request, draw, greedy, tempered
from teachable.rollouts.sessions import Environment, Environments, Moment, Start, by_task
from teachable.terms import ORACLE
from teachable.worlds.base import EngineFault, World

Scope = Literal["decision", "episode"]
Progress = Callable[[int, int], None]  # (done, total)


@dataclass(frozen=True, slots=True)
class EpisodeSpec:
    """One episode to play."""

    episode_id: str  # unique; names the random stream unless ``seed_name`` does
    start: Start
    model: str = "base"
    adapter: str | None = None
    behaviour: Literal["student", "expert"] = "student"
    noise: float = 0.0  # expert only: probability of a uniformly random command instead
    greedy: bool = False
    force: str | None = None  # the first command, whoever plays
    patch: str = ""  # text from the teacher, in the context of the first decision (or of all: ``patch_scope``)
    patch_scope: Scope = "decision"
    panel: str = "rollout"
    condition: str = "none"
    repeat: int = 0
    seed_name: str | None = None  # equal names give equal random numbers: models compared on the same draws


@dataclass(frozen=True, slots=True)
class PlaySettings:
    """How episodes are played, whatever they are for."""

    max_steps: int = 15
    horizon: Literal["fresh", "remaining"] = "fresh"  # from a snapshot: max_steps anew, or what its prefix leaves
    temperature: float = 1.0  # on top of the student's own
    stop_unwinnable: bool = False  # end an episode once the world says that it cannot be won
    tasks_at_once: int = 64  # engines open at the same time

    def steps_from(self, start: Start) -> int:
        """Commands that an episode from ``start`` may take."""
        return self.max_steps if self.horizon == "fresh" else max(0, self.max_steps - len(start.prefix))


@dataclass(frozen=True, slots=True)
class Played:
    """Rows of EPISODES, in the order of the episodes, and of STEPS (empty unless recorded)."""

    episodes: pl.DataFrame
    steps: pl.DataFrame


def play(
    policy: Policy | CachedPolicy,
    world: World,
    games: Path,
    specs: Sequence[EpisodeSpec],
    settings: PlaySettings | None = None,
    *,
    run_seed: int,
    expert: Expert | None = None,
    record_steps: bool = False,
    environments: Environments | None = None,
    progress: Progress | None = None,
) -> Played:
    """Play every episode and return its row of EPISODES (and, with ``record_steps``, its rows of STEPS).

    Each episode draws from its own stream, named by the run's seed and its ``episode_id`` (or ``seed_name``),
    so the order of the episodes and how they are divided over processes never change a row. An engine fault ends
    its episode with ``fault`` set and ``success`` null, and no other. Where the expert knows no command (a
    dead end) its episode ends, unsuccessful. Another expert than the oracle stands as the ``model`` of its episodes;
    one that is not deterministic draws from a stream of its own. ``environments`` lends engines that are already open;
    they stay open.

    Raises RestoreMismatch when a start cannot be reached as recorded, InadmissibleCommand for a ``force``
    that is not offered, and ValueError for two episodes with one ``episode_id``.
    """
    settings = settings or PlaySettings()
    if len({spec.episode_id for spec in specs}) != len(specs):
        raise ValueError("two episodes have the same episode_id")
    cached = policy if isinstance(policy, CachedPolicy) else CachedPolicy(policy)
    expert = expert or Oracle()
    finished: list[_Episode | None] = [None] * len(specs)
    done = 0
    for group in by_task([spec.start for spec in specs], settings.tasks_at_once):
        lent = environments if environments is not None else Environments(world, games)
        active = [
            _Episode(index, specs[index], lent[specs[index].start.task], settings, run_seed, record_steps)
            for index in group
        ]
        for episode in active:
            finished[episode.index] = episode
            episode.begin()
        while active := [episode for episode in active if not episode.over]:
            _wave(active, cached, expert, settings)
            if progress is not None:
                progress(done + sum(1 for index in group if _over(finished[index])), len(specs))
        done += len(group)
        if environments is None:
            lent.close()
    episodes = [episode for episode in finished if episode is not None]
    return Played(
        pl.DataFrame([episode.row(expert.name) for episode in episodes], schema=dict(tables.EPISODES)),
        pl.DataFrame([row for episode in episodes for row in episode.steps], schema=dict(tables.STEPS)),
    )


def _over(episode: _Episode | None) -> bool:
    return episode is not None and episode.over


def _wave(active: Sequence[_Episode], cached: CachedPolicy, expert: Expert, settings: PlaySettings) -> None:
    """One step of every active episode."""
    asking = [episode for episode in active if episode.needs_policy]
    requests = [episode.request(cached) for episode in asking]
    for episode, logp in zip(asking, cached.ask(requests), strict=True):
        episode.logp = tempered(logp, settings.temperature)
    experts = [episode for episode in active if episode.needs_expert]
    answers = expert.commands([episode.turn(drawn=not expert.deterministic) for episode in experts])
    for episode, answer in zip(experts, answers, strict=True):
        episode.advice = answer
    for episode in active:
        episode.step()


@dataclass(slots=True)
class Tally:
    """What an episode did besides succeeding or failing; the columns of EPISODES of the same names."""

    repeats: int = 0
    loops: int = 0
    wasted: int = 0
    escape: int = 0
    _seen: set[str] = field(default_factory=set)
    _last: str | None = None
    _digest: str = ""
    _stuck: int = 0

    def begin(self, digest: str) -> None:
        self._seen, self._digest = {digest}, digest

    def add(self, command: str, digest: str) -> None:
        """Count ``command``, which led to the state ``digest``.

        A command that leaves the state as it is counts as wasted; one that returns to an earlier state as a
        loop. A run without a new state is made of either; ``escape`` is the length of the longest.
        """
        self.repeats += command == self._last
        if digest == self._digest:
            self.wasted += 1
        elif digest in self._seen:
            self.loops += 1
        self._stuck = self._stuck + 1 if digest in self._seen else 0
        self.escape = max(self.escape, self._stuck)
        self._seen.add(digest)
        self._last, self._digest = command, digest


class _Episode:
    """One episode in play."""

    def __init__(
        self,
        index: int,
        spec: EpisodeSpec,
        environment: Environment,
        settings: PlaySettings,
        run_seed: int,
        record: bool,
    ) -> None:
        self.index, self.spec, self.environment = index, spec, environment
        self.seed = seeds.integer(run_seed, "episode", spec.seed_name or spec.episode_id)
        self.over = False
        self.fault: str | None = None
        self.actions: list[str] = []
        self.steps: list[dict[str, Any]] = []
        self.logp: Reals | None = None
        self.advice: str | EngineFault | None = None
        self.moment: Moment
        self._rng = np.random.default_rng(self.seed)
        self._expert_stream = (run_seed, "expert", spec.seed_name or spec.episode_id)
        self._expert_rng: np.random.Generator | None = None
        self._left = settings.steps_from(spec.start)
        self._stop_unwinnable = settings.stop_unwinnable
        self._record = record
        self._tally = Tally()

    @property
    def _forced(self) -> bool:
        return self.spec.force is not None and not self.actions

    @property
    def needs_policy(self) -> bool:
        return self._record or (self.spec.behaviour == "student" and not self._forced)

    @property
    def needs_expert(self) -> bool:
        return self.spec.behaviour == "expert" and not self._forced

    def turn(self, *, drawn: bool) -> Turn:
        """What the expert is asked; ``drawn``: with a number of the episode's own for its random choice."""
        if not drawn:
            return Turn(self.environment, self.moment, self.spec.repeat)
        if self._expert_rng is None:
            self._expert_rng = seeds.stream(*self._expert_stream)
        return Turn(self.environment, self.moment, self.spec.repeat, float(self._expert_rng.random()))

    def begin(self) -> None:
        try:
            self.moment = self.environment.moment(self.spec.start)
        except EngineFault as fault:
            self._fail(fault)
            return
        self._tally.begin(self.moment.state.digest)
        self._check_over()

    def request(self, cached: CachedPolicy) -> Request:
        patched = not self.actions or self.spec.patch_scope == "episode"
        context = self.moment.context(self.spec.patch if patched else "", len(self.spec.start.prefix))
        return Request(cached.prompt(context), context.commands, self.spec.adapter)

    def step(self) -> None:
        before = self.moment
        if isinstance(self.advice, EngineFault):
            self._fail(self.advice)
            return
        action = self._choose(before.state.commands)
        if action is None:
            self.over = True
            return
        try:
            self.moment = self.environment.step(before, action)
        except EngineFault as fault:
            self._fail(fault)
            return
        if self._record:
            self._note(before, action)
        self.actions.append(action)
        self._tally.add(action, self.moment.state.digest)
        self._left -= 1
        self._check_over()

    def _choose(self, commands: tuple[str, ...]) -> str | None:
        if self._forced:
            return self.spec.force
        if self.spec.behaviour == "expert":
            advice = self.advice
            assert not isinstance(advice, EngineFault)
            if advice is not None and self.spec.noise > 0 and self._rng.random() < self.spec.noise:
                return commands[int(self._rng.integers(len(commands)))]
            return advice
        assert self.logp is not None
        u = self._rng.random()  # drawn in greedy play too: a stream's use does not depend on the mode
        return commands[greedy(self.logp) if self.spec.greedy else draw(self.logp, u)]

    def _check_over(self) -> None:
        state = self.moment.state
        stuck = not state.commands or (self._stop_unwinnable and state.unwinnable)
        self.over = state.done or self._left <= 0 or stuck

    def _fail(self, fault: EngineFault) -> None:
        self.over = True
        self.fault = str(fault).strip() or type(fault).__name__

    def _note(self, moment: Moment, action: str) -> None:
        assert self.logp is not None
        state = moment.state
        self.steps.append(
            {
                "episode_id": self.spec.episode_id,
                "task_id": self.spec.start.task.task_id,
                "step": len(moment.path),
                "goal": state.goal,
                "memo": state.memo,
                "scene": state.scene,
                "observation": state.observation,
                "commands": list(state.commands),
                "logp": self.logp.tolist(),
                "action": action,
                "digest": state.digest,
                "score": state.score,
                "unwinnable": state.unwinnable,
            }
        )

    def row(self, expert: str = ORACLE) -> dict[str, Any]:
        """The row of EPISODES; ``expert``: the name of whoever plays where the student does not."""
        spec, task, tally = self.spec, self.spec.start.task, self._tally
        other = spec.behaviour == "expert" and expert != ORACLE
        sound = self.fault is None
        return {
            "episode_id": spec.episode_id,
            "task_id": task.task_id,
            "family": task.family,
            "split": task.split,
            "model": expert if other else spec.model,
            "train_seed": None,
            "behaviour": spec.behaviour,
            "panel": spec.panel,
            "snapshot_id": spec.start.snapshot_id,
            "condition": spec.condition,
            "repeat": spec.repeat,
            "greedy": spec.greedy,
            "seed": self.seed,
            "steps": len(self.actions),
            "actions": self.actions,
            "success": self.moment.state.won if sound else None,
            "lost": self.moment.state.lost if sound else None,
            "fault": self.fault,
            "repeats": tally.repeats,
            "loops": tally.loops,
            "wasted": tally.wasted,
            "escape": tally.escape,
        }
