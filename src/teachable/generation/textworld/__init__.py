"""TextWorld's games: settings and seeds in, verified story files out.

Modules: ``canonical`` (a game's data in order), ``make`` and ``worker`` (games from seeds,
in processes of their own). What can be asked for is in :mod:`teachable.worlds.textworld.families`.
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
from typing import Any

from teachable.generation.requests import wanted_games
from teachable.worlds.base import GenerationError, Task, WorldError
from teachable.worlds.textworld.families import FAMILIES
from teachable.worlds.textworld.process import environment


class TextWorldGenerator:
    """The generator called ``textworld``; see :class:`teachable.generation.Generator`.

    Options:

    * ``max_expert_steps``: games whose shortest winning play is longer are not made.
    * ``foods``: ``train`` (foods and preparations of TextWorld's training list) or ``test`` (those that its test
      list adds, too).
    * ``jobs``: processes that make games. The games do not depend on it.
    """

    name = "textworld"

    def __init__(self, max_expert_steps: int = 15, foods: str = "train", jobs: int = 1) -> None:
        if max_expert_steps < 1 or jobs < 1:
            raise WorldError("textworld: max_expert_steps and jobs must be at least 1.")
        self.max_expert_steps = max_expert_steps
        self.foods = foods
        self.jobs = jobs

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
        wanted = wanted_games(self.name, FAMILIES, family, split, seeds)
        jobs = max(1, min(self.jobs, len(seeds)))
        requests = [
            {
                "families": [name for name, _ in wanted[job::jobs]],
                "split": split,
                "seeds": [seed for _, seed in wanted[job::jobs]],
                "games": str(Path(games).resolve()),
                "limits": {"max_expert_steps": self.max_expert_steps, "foods": self.foods},
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


def _ask(request: dict[str, Any], made: Callable[[], None]) -> list[Task]:
    """Have a worker process make games, ``made`` being called after each; GenerationError when it cannot."""
    count = len(request["seeds"])
    what = f"{'/'.join(sorted(set(request['families'])))} {request['split']}"
    limit = 120 + 60 * count
    answers: list[dict[str, Any]] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        worker = subprocess.Popen(
            [sys.executable, "-m", "teachable.generation.textworld.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
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
