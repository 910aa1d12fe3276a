"""``python -m teachable.generation.textworld.worker``: makes the games that standard input asks for.

One JSON object in: families (one per seed), split, seeds, games, limits. One JSON line out for every seed:
the task, or an error. Started by :meth:`TextWorldGenerator.generate` with ``PYTHONHASHSEED=0``.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from teachable.generation.textworld.make import Limits, make
from teachable.worlds.base import WorldError


def main() -> int:
    """Serve one request."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever the libraries print is not an answer
    request = json.load(sys.stdin)
    limits = Limits(**request["limits"])
    for family, seed in zip(request["families"], request["seeds"], strict=True):
        try:
            task = make(family, request["split"], seed, Path(request["games"]), limits)
            answer: dict[str, object] = {"task": asdict(task)}
        except WorldError as error:
            answer = {"error": str(error)}
        except OSError as error:
            place = error.filename or request["games"]
            answer = {
                "error": f"games cannot be written: {place}: {error.strerror or error}; make room or give access."
            }
        print(json.dumps(answer), file=answers, flush=True)
        if "error" in answer:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
