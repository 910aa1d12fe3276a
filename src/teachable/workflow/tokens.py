"""What the student read in a run, stage by stage, gathered from the logs of its jobs."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from teachable.artifacts.runner import NOTED

_LINE = re.compile(rf"^(?P<stage>[a-z0-9-]+): {NOTED} (?P<notes>\{{.*\}})$")


def gather(logs: Path) -> dict[str, Any]:
    """Decisions computed, tokens encoded and the fewest possible of every stage that asked the student, and their
    ratio. ``fewest`` adds up what each job could not have done without: what two jobs share counts for both."""
    stages: dict[str, dict[str, Any]] = defaultdict(lambda: {"jobs": 0, "decisions": 0, "encoded": 0, "fewest": 0})
    for log in sorted(logs.rglob("*.log")):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            found = _LINE.match(line)
            if found is None:
                continue
            counts = stages[found["stage"]]
            counts["jobs"] += 1
            for name, value in json.loads(found["notes"]).items():
                counts[name] = counts.get(name, 0) + value
    for counts in stages.values():
        counts["ratio"] = round(counts["encoded"] / counts["fewest"], 4) if counts["fewest"] else None
    return {name: stages[name] for name in sorted(stages)}


def write(logs: Path, results: Path) -> str | None:
    """Write ``engine.json`` into ``results``; a line about it, or None where no student was asked."""
    stages = gather(logs)
    if not stages:
        return None
    place = results / "engine.json"
    draft = place.with_name(f".{place.name}.new")
    draft.write_text(json.dumps(stages, indent=1) + "\n", encoding="utf-8")
    draft.replace(place)
    encoded = sum(counts["encoded"] for counts in stages.values())
    fewest = sum(counts["fewest"] for counts in stages.values())
    return f"Tokens: {encoded:,} read, {encoded / fewest:.2f} times the fewest possible ({place})"
