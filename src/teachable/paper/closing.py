"""The lines that a run ends with: where its report is, and how many of the protocol's criteria hold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path


def closing(results: Path, since: float) -> list[str]:
    """Two lines on a report made after ``since`` (seconds since the epoch); none where this run made no report."""
    report, criteria = results / "report.html", results / "criteria.json"
    if not report.is_file() or not criteria.is_file() or report.stat().st_mtime < since:
        return []
    verdicts = Counter(entry["passed"] for entry in json.loads(criteria.read_text(encoding="utf-8")))
    counted = f"{verdicts[True]} of {verdicts.total()} hold, {verdicts[False]} do not"
    if verdicts[None]:
        counted += f", {verdicts[None]} could not be measured"
    return [f"Report: {report.resolve()}", f"Criteria: {counted} ({criteria})"]
