"""Making games: settings and a seed in, a verified story file and its metadata out.

Runs in a process of its own with ``PYTHONHASHSEED=0`` (see :mod:`teachable.generation.textworld.worker`), because
TextWorld iterates over sets while it draws.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from textworld.challenges.tw_coin_collector import coin_collector
from textworld.challenges.tw_cooking import cooking
from textworld.challenges.tw_treasure_hunter import treasure_hunter
from textworld.generator import GameMaker, generate_inform7_source
from textworld.generator.data import KnowledgeBase
from textworld.generator.game import EventProgression, Game, GameOptions, GameProgression
from textworld.generator.inform7.world2inform7 import I7_DEFAULT_PATH, Inform7Game
from textworld.logic import GameLogic

from teachable import seeds as streams
from teachable.generation.splits import split_of
from teachable.generation.textworld.canonical import canonical, structure_of
from teachable.worlds.base import GenerationError, Task, WorldError
from teachable.worlds.files import text_of
from teachable.worlds.textworld.engine import check_story, stamped
from teachable.worlds.textworld.expert import Expert
from teachable.worlds.textworld.families import FAMILIES, Family
from teachable.worlds.textworld.games import digest_of, game_of
from teachable.worlds.textworld.ground import GroundGame

_PRUNED = ("put", "insert", "close", "drop")  # no plan needs them
_CHALLENGES = {"cooking": cooking, "treasure_hunter": treasure_hunter, "coin_collector": coin_collector}


@cache
def _knowledge(logic: Path, grammar: str) -> KnowledgeBase:
    """The knowledge base of the rule files below ``logic``, read once, in a fixed order of files."""
    base = KnowledgeBase(GameLogic.load([str(path) for path in sorted(logic.glob("*.twl"))]), grammar)
    base.logic_path = str(logic)
    return base


@dataclass(frozen=True, slots=True)
class Limits:
    """What a game must satisfy."""

    max_expert_steps: int  # longest winning plan
    foods: str  # TextWorld's list of foods and preparations: train | test (more of them)
    attempts: int = 100  # seeds derived from one seed before giving up; one in five is in `test`
    unfit: int = 15  # games of the right split that do not fit, before giving up


@contextmanager
def _lean() -> Iterator[None]:
    """Let TextWorld generate without compiling a hidden game and without reading its rules every time."""
    load, walk = KnowledgeBase.__dict__["load"], GameMaker.set_walkthrough

    def cached(
        cls: type,
        target_dir: str | None = None,
        logic_path: str | None = None,
        grammar_path: str | None = None,
    ) -> KnowledgeBase:
        if target_dir:
            logic_path, grammar_path = (
                os.path.join(target_dir, "logic"),
                os.path.join(target_dir, "text_grammars"),
            )
        if logic_path is None or grammar_path is None:
            raise GenerationError("a TextWorld challenge asked for the built-in rules; it is not supported.")
        return _knowledge(Path(logic_path), grammar_path)

    KnowledgeBase.load = classmethod(cached)
    GameMaker.set_walkthrough = _walk
    try:
        yield
    finally:
        KnowledgeBase.load = load
        GameMaker.set_walkthrough = walk


def _walk(maker: Any, commands: Sequence[str]) -> None:
    """What ``GameMaker.set_walkthrough`` does, without an engine: store the actions that complete quests."""
    game = maker.build()
    progress, inform = GameProgression(game, track_quests=False), Inform7Game(game)
    pending = [
        (maker.quests[i].win_events[j], EventProgression(event, game.kb))
        for i, quest in enumerate(game.quests)
        for j, event in enumerate(quest.win_events)
    ]
    done = []
    for index, command in enumerate(commands):
        actions = sorted(progress.valid_actions, key=lambda action: -len(action.preconditions))
        for action, offered in zip(actions, inform.gen_commands_from_actions(actions), strict=True):
            if offered == command:
                progress.update(action)
                done.append(action)
                break
        else:
            continue  # looking around, or opening what is open
        for event, watch in list(pending):
            if watch.event.is_triggering(progress.state):
                event.actions, event.commands = list(done), list(commands[: index + 1])
                pending.remove((event, watch))
    maker.build()


def draw(family: Family, split: str, seed: int, limits: Limits) -> tuple[dict[str, Any], int]:
    """Canonical data of the game for this seed and its number of expert steps.

    Tries seeds derived from (seed, family, split) in order until TextWorld can build the game, the game
    belongs to ``split`` and its shortest plan fits. Raises :class:`GenerationError` when none does.
    """
    trouble, unfit = "none of them belongs to this split", 0
    for attempt in range(limits.attempts):
        number = streams.integer(seed, "textworld", family.name, split, attempt) % 2**31
        try:
            game = _make(family, split, number, limits)
        except (WorldError, OSError, UnicodeError):
            raise
        except Exception as error:  # TextWorld raises many kinds for a map or a quest that does not work out
            trouble = f"TextWorld: {type(error).__name__}: {error}"
            continue
        data = canonical(game.serialize())
        if split_of(structure_of(data)) != split:
            continue
        ground = GroundGame(game_of(data), digest_of(data), _PRUNED)
        plan = Expert(ground).plan(ground.start)
        unfit += 1
        if plan is None:
            trouble = "the expert cannot win"
        elif not 0 < len(plan) <= limits.max_expert_steps:
            trouble = f"the shortest winning play takes {len(plan)} commands, more than {limits.max_expert_steps}"
        else:
            data["metadata"]["teachable"] = {
                "seed": seed,
                "split": split,
                "attempt": attempt,
                "number": number,
            }
            return data, len(plan)
        if unfit == limits.unfit:
            break
    raise GenerationError(
        f"no {family.name} game for split {split!r} and seed {seed} in {attempt + 1} attempts; the last "
        f"trouble: {trouble}."
    )


def _make(family: Family, split: str, number: int, limits: Limits) -> Game:
    options = GameOptions()
    options.seeds = number
    settings = dict(family.settings)
    if family.challenge == "cooking":
        settings |= {"recipe_seed": 0, "split": limits.foods}
    with _lean():
        return _CHALLENGES[family.challenge].make(settings, options)


def write(data: dict[str, Any], target: Path) -> None:
    """Compile canonical data to ``target`` (.z8) with the metadata beside it (.json); both atomically,
    same bytes always.

    Files that are there already and hold this game are kept.
    """
    text = text_of(data) + "\n"
    meta = target.with_suffix(".json")
    if meta.exists() and target.exists() and meta.read_text(encoding="utf-8") == text:
        try:
            check_story(target, digest_of(data))
            return
        except WorldError:
            pass  # torn: make it again
    source = generate_inform7_source(game_of(data))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=target.parent) as scratch:
        story = Path(scratch) / "game.z8"
        try:
            _compile(source, story)
            image = stamped(story.read_bytes(), digest_of(data))
        except OSError:
            raise
        except Exception as error:
            raise GenerationError(f"Inform 7 cannot compile {target}: {_last_line(error)}") from error
        story.write_bytes(image)
        check_story(story)
        (Path(scratch) / "game.json").write_text(text, encoding="utf-8")
        os.replace(Path(scratch) / "game.json", meta)
        os.replace(story, target)


def _compile(source: str, story: Path) -> None:
    """What TextWorld's ``compile_inform7_game`` does, without the index that Inform 7 writes for authors: a fifth of
    its time. The story has the same bytes. Raises :class:`GenerationError` with the problem that the compiler found.
    """
    home = Path(os.environ.get("INFORM_HOME", I7_DEFAULT_PATH)) / "share" / "inform7"
    compilers = home / "Compilers"
    with tempfile.TemporaryDirectory(prefix="inform-") as project:
        for folder in ("Source", "Build"):
            Path(project, folder).mkdir()
        Path(project, "Source", "story.ni").write_text(source, encoding="utf-8")
        Path(project, "uuid.txt").touch()
        to_inform6 = [str(compilers / "ni"), "--noindex", "--internal", str(home / "Internal"), "--format=.z8"]
        to_story = [str(compilers / "inform6"), "-E2wSv8F0", str(Path(project, "Build", "auto.inf")), str(story)]
        for line in ([*to_inform6, "--project", project], to_story):
            done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
            if done.returncode:
                problem = done.stdout.partition(">-->")[2].partition("++")[0] or done.stdout[-500:]
                raise GenerationError(" ".join(problem.split()) or f"{line[0]} ended with {done.returncode}")


def make(family_name: str, split: str, seed: int, games: Path, limits: Limits) -> Task:
    """Draw, compile and verify one game: the expert plays it once on the engine and must win."""
    from teachable.worlds.textworld.session import TextWorldSession, open_game

    family = FAMILIES[family_name]
    data, steps = draw(family, split, seed, limits)
    relative = f"textworld/{family.name}/{split}/{seed}.z8"
    target = games / relative
    write(data, target)
    task = Task(
        task_id=f"textworld-{family.name}-{split}-{seed}",
        world="textworld",
        family=family.name,
        split=split,
        seed=seed,
        game=relative,
        digest=digest_of(data),
        expert_steps=steps,
    )
    session = TextWorldSession(task, open_game(target.with_suffix(".json"), _PRUNED), target)
    try:
        for _ in range(steps):
            command = session.expert_command()
            if command is None:
                break
            session.step(command)
        if not session.state.won:
            raise GenerationError(f"the expert does not win {task.task_id} on the engine; report this seed.")
    finally:
        session.close()
    return task


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
