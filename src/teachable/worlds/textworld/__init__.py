"""TextWorld: cooking, treasure hunting and coin collecting on a Z-machine.

Modules: ``families`` (what can be asked for), ``make`` and ``worker`` (games from seeds), ``games``
(canonical data), ``host`` and ``engine`` (the Z-machine), ``ground`` (rules as bit masks), ``scene`` (the
compact view), ``expert`` (shortest plans), ``session`` (playing).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable.worlds.base import GenerationError, Task, WorldError
from teachable.worlds.textworld.families import FAMILIES, SPLITS
from teachable.worlds.textworld.process import environment

if TYPE_CHECKING:
    from teachable.worlds.textworld.session import TextWorldSession

PRUNABLE = ("put", "insert", "close", "drop", "lock")


class TextWorld:
    """The world called ``textworld``; see :class:`teachable.worlds.base.World`.

    Options:

    * ``prune``: verbs that players are not offered; any of put, insert, close, drop, lock. No plan needs
      them. `examine`, `look` and `inventory` are never offered, but for `examine cookbook` until it has been
      read.
    * ``max_expert_steps``: games whose shortest winning play is longer are not made.
    * ``test_foods``: ``train`` (the test split has other games with the same foods and preparations) or
      ``test`` (also foods and preparations that the other splits never show).
    * ``jobs``: processes that make games. The games do not depend on it.
    * ``turn_limit_s``: an engine that takes longer for one turn is stopped; an EngineFault, in seconds.
    """

    name = "textworld"

    def __init__(
        self,
        prune: Sequence[str] = ("put", "insert", "close", "drop"),
        max_expert_steps: int = 15,
        test_foods: str = "train",
        jobs: int = 1,
        turn_limit_s: float = 20.0,
    ) -> None:
        wrong = sorted(set(prune) - set(PRUNABLE))
        if wrong:
            raise WorldError(f"textworld: prune cannot hold {', '.join(wrong)}; it may hold {', '.join(PRUNABLE)}.")
        if test_foods not in ("train", "test"):
            raise WorldError(f"textworld: test_foods is {test_foods!r}; it must be train or test.")
        if max_expert_steps < 1 or jobs < 1 or not turn_limit_s > 0:
            raise WorldError("textworld: max_expert_steps and jobs must be at least 1, turn_limit_s above 0.")
        self.prune = tuple(sorted(prune))
        self.max_expert_steps = max_expert_steps
        self.test_foods = test_foods
        self.jobs = jobs
        self.turn_limit_s = turn_limit_s

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families."""
        return tuple(FAMILIES)

    def generate(
        self,
        family: str | Sequence[str],
        split: str,
        seeds: Sequence[int],
        games: Path,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Task]:
        """One task per seed, in the order of ``seeds``; ``family`` is one for all or one for each.

        The same arguments give the same bytes in ``games``, on any day and with any number of jobs.
        Raises :class:`GenerationError` with the first trouble when a game cannot be made.
        """
        families = [family] * len(seeds) if isinstance(family, str) else list(family)
        if len(families) != len(seeds):
            raise WorldError(f"textworld: {len(families)} families for {len(seeds)} seeds.")
        for name in {*families, *([family] if isinstance(family, str) else [])}:
            if name not in FAMILIES:
                raise WorldError(f"textworld has no family {name!r}; it has: {', '.join(FAMILIES)}.")
        if split not in SPLITS:
            raise WorldError(f"there is no split {split!r}; splits: {', '.join(SPLITS)}.")
        wanted = [(name, int(seed)) for name, seed in zip(families, seeds, strict=True)]
        if len(set(wanted)) != len(wanted):
            raise WorldError(f"textworld: the seeds for {split} games of one family are not distinct.")
        jobs = max(1, min(self.jobs, len(seeds)))
        requests = [
            {
                "families": [name for name, _ in wanted[job::jobs]],
                "split": split,
                "seeds": [seed for _, seed in wanted[job::jobs]],
                "games": str(Path(games).resolve()),
                "limits": {
                    "max_expert_steps": self.max_expert_steps,
                    "foods": "train",
                    "test_foods": self.test_foods,
                },
            }
            for job in range(jobs)
            if seeds
        ]
        counted, lock = itertools.count(1), threading.Lock()

        def one_more() -> None:
            with lock:
                if progress is not None:
                    progress(next(counted), len(seeds))

        with ThreadPoolExecutor(jobs) as pool:
            made = [task for tasks in pool.map(lambda request: _ask(request, one_more), requests) for task in tasks]
        found = {(task.family, task.seed): task for task in made}
        return [found[want] for want in wanted]

    def start(self, task: Task, games: Path) -> TextWorldSession:
        """A session at the start of ``task``; the game must have the digest that the task says."""
        from teachable.worlds.textworld.session import TextWorldSession, open_game

        story = Path(games) / task.game
        game = open_game(story.with_suffix(".json"), self.prune)
        if game.ground.digest != task.digest:
            raise WorldError(
                f"task {task.task_id}: {story} holds another game (digest {game.ground.digest}, the task "
                f"says {task.digest}). Run the stage that makes the games again."
            )
        return TextWorldSession(task, game, story, self.turn_limit_s)


def _ask(request: dict[str, Any], made: Callable[[], None]) -> list[Task]:
    """Have a worker process make games, ``made`` being called after each; GenerationError when it cannot."""
    count = len(request["seeds"])
    what = f"{'/'.join(sorted(set(request['families'])))} {request['split']}"
    limit = 120 + 60 * count
    answers: list[dict[str, Any]] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        worker = subprocess.Popen(
            [sys.executable, "-m", "teachable.worlds.textworld.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(PYTHONHASHSEED="0"),
        )
        alarm = threading.Timer(limit, worker.kill)
        alarm.start()
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError), worker.stdin as request_line:  # it may have died: see below
                request_line.write(json.dumps(request))
            for line in worker.stdout:
                answers.append(json.loads(line))
                made()
            worker.wait()
        finally:
            late = not alarm.is_alive()
            alarm.cancel()
            worker.kill()
            worker.wait()
            worker.stdout.close()
        errors.seek(0)
        said = errors.read().strip().splitlines()
    if late and worker.returncode:
        raise GenerationError(f"making {count} {what} games took more than {limit} s.")
    tasks = [Task(**answer["task"]) for answer in answers if "task" in answer]
    for answer in answers:
        if "error" in answer:
            raise GenerationError(answer["error"])
    if worker.returncode or len(tasks) != count:
        last = (said or ["it said nothing"])[-1]
        raise GenerationError(
            f"the process that makes {what} games ended with status {worker.returncode} at seed "
            f"{request['seeds'][len(tasks)] if len(tasks) < count else '?'}: {last}"
        )
    return tasks


WORLD = TextWorld
