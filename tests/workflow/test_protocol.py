"""Every script that the protocol names has a command here: the table in docs/protocol.md, held to the Snakefile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workflow.workplace import ROOT, Workplace

SCRIPTS = [
    *("collect_expert_trajectories", "mine_snapshots_from_expert_trajectories"),
    *("compute_uncertainty", "compute_leverage", "run_cpt", "assign_quadrants", "create_validation_panel"),
    "export_lupper_recovery_trajectories",
    *("evaluate_end2end", "evaluate_mechanistic", "evaluate_drift", "retention_curves"),
]
ROW = re.compile(r"^\| `(?P<script>\w+)` \| `snakemake (?P<targets>[^`]+)` \| (?P<writes>.+) \|$", re.MULTILINE)


def rows() -> dict[str, re.Match[str]]:
    text = (ROOT / "docs/protocol.md").read_text("utf-8")
    part = text.split("## Scripts of the protocol")[1].split("\n## ")[0]
    found = {match["script"]: match for match in ROW.finditer(part)}
    assert len(found) == part.count("\n| `"), "every row names a script, its targets and what it writes"
    return found


def test_every_script_of_the_protocol_has_a_row() -> None:
    assert list(rows()) == SCRIPTS


@pytest.mark.workflow
def test_every_target_of_the_table_is_in_the_plan(tmp_path: Path) -> None:
    targets = list(dict.fromkeys(target for row in rows().values() for target in row["targets"].split()))
    place = Workplace(tmp_path, str(tmp_path / "store"))
    plan = place.snakemake("--dry-run", "--quiet", "rules", "--config", "preset=smoke", "--", *targets)
    assert plan.returncode == 0, plan.stderr[-2000:]
    jobs = plan.stdout.split("Job stats:")[1]
    for target in targets:
        assert target.startswith("results/") or f"\n{target} " in jobs, target
