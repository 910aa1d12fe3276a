from __future__ import annotations

import json
from pathlib import Path

from teachable.paper.closing import closing


def test_a_run_ends_with_its_report_and_what_holds(tmp_path: Path) -> None:
    assert closing(tmp_path, 0.0) == []
    (tmp_path / "report.html").write_text("<html>")
    verdicts = [True, True, False, None]
    (tmp_path / "criteria.json").write_text(json.dumps([{"passed": verdict} for verdict in verdicts]))
    report, criteria = closing(tmp_path, 0.0)
    assert report == f"Report: {tmp_path.resolve()}/report.html"
    assert criteria.startswith("Criteria: 2 of 4 hold, 1 do not, 1 could not be measured (")
    made = (tmp_path / "report.html").stat().st_mtime
    assert closing(tmp_path, made + 1) == [], "an older run's report is not this run's"
