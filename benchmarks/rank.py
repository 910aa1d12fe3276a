"""What does ranking new failures cost beside labelling them, and how well does it rank? On a finished study.

    python benchmarks/rank.py results [other/results ...] [--without-student] [--shards 1]

Of each study: ``teachable rank`` in a process of its own on the held-out failures (games that the kept predictor never
saw) and on 1,000 snapshots, without and with the student, in CPU-seconds beside those of labelling them; NDCG@k of
predicted ELP_net against entropy, with intervals that draw games; how often the intervals hold the labels; how good the
chances of quadrant and route are; how many failures are called outside, of the same study and of every other one named.
Prints a table and writes ``benchmarks/out/rank.json``.

Labelling is measured by doing it again: the stages that turn snapshots into labels run on ``--shards`` of the study's
shards, without the store, in processes of their own, and the kernel says what they and their children used
(``getrusage``). What Snakemake's benchmarks say is no measure: they look at a job every half minute, and miss what it
uses after the last look. Needs the games and the student of the study; asks no teacher that costs, whose advice is then
taken as it stands.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from runs import ROOT

from teachable import stats, tables
from teachable.config.load import read_yaml
from teachable.predictor.metrics import Bootstrap
from teachable.predictor.ranking import difference, ndcg
from teachable.terms import FORMATS, QUADRANTS
from teachable.workflow.configuration import configuration
from teachable.workflow.lines import Line, inputs_of, operational_parameters, outputs_of, parameters

OUT = Path(__file__).parent / "out" / "rank.json"
KS = (10, 25, 50, 100)
THOUSAND = 1000


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path, help="results/ of finished studies")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--without-student", action="store_true", help="leave out ranking with the student")
    parser.add_argument("--shards", type=int, default=1, help="of the study to label again (default: %(default)s)")
    arguments = parser.parse_args(argv)
    found = {}
    for results in arguments.results:
        if not (results / "phase4/predictor.safetensors").exists():
            parser.error(f"{results} has no phase4/predictor.safetensors: `snakemake phase4` makes it")
        others = [other for other in arguments.results if other != results]
        with_student = not arguments.without_student
        found[str(results)] = study(results, others, with_student=with_student, shards=arguments.shards)
        print(json.dumps(found[str(results)], indent=1), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")
    print(report(found))
    return 0


def study(results: Path, others: Sequence[Path], *, with_student: bool, shards: int) -> dict[str, Any]:
    """Everything measured of one study."""
    labeled = tables.read(results / "phase1/labeled_snapshots.parquet", tables.LABELED)
    panels = tables.read(results / "phase1/panels.parquet", tables.PANELS)
    games = panels.filter(side="held_out")["task_id"].unique().to_list()
    held_out = labeled.filter(pl.col("task_id").is_in(games) & pl.col("ELP_net").is_not_null())
    by_stage = labelling_cost(results, shards)
    labelling = sum(by_stage.values())
    found: dict[str, Any] = {
        "held_out": {"snapshots": len(held_out), "games": held_out["task_id"].n_unique()},
        "labelling_cpu_s_per_1000": labelling * THOUSAND,
        "of_which": {stage: seconds * THOUSAND for stage, seconds in by_stage.items()},
    }
    for tiers in ("tier1", "tier1 tier2")[: 1 + with_student]:
        student = results / "student" if tiers != "tier1" else None
        ranking, seconds = rank(results, _bare(held_out), student)
        many = pl.concat([_bare(labeled)] * (1 + THOUSAND // len(labeled))).head(THOUSAND)
        many = many.with_columns(snapshot_id=pl.format("{}-{}", "snapshot_id", pl.int_range(pl.len())))
        _, thousand = rank(results, many, student)
        _, start = rank(results, many.head(1), student)
        found[tiers] = {
            "cpu_s": seconds,
            "share_of_labelling": seconds / (labelling * len(held_out)),
            "cpu_s_to_start": start,
            "share_of_labelling_without_start": (thousand - start) / (labelling * THOUSAND),
            "cpu_s_per_1000": thousand,
            "share_of_labelling_per_1000": thousand / (labelling * THOUSAND),
            **quality(ranking, held_out),
            "outside": {str(other): _outside(results, other) for other in others if tiers == "tier1"},
        }
    return found


def labelling_cost(results: Path, shards: int) -> dict[str, float]:
    """CPU-seconds a snapshot of each stage that labels, run anew on the first ``shards`` shards; `label` on all.

    Every snapshot of a shard counts, those of the expert's failures and of recovery depth, too.
    """
    recorded = tables.read_json(results / "config.json")
    given = {name: value for name, value in recorded.items() if name != "preset"}
    config, _ = configuration(
        {**read_yaml(ROOT / "workflow_config.yaml"), "override": given}, preset=recorded["preset"]
    )
    snapshots = len(tables.read(results / "phase0/snapshots.parquet", tables.SNAPSHOTS))
    count = ceil(snapshots / config.snapshots.shard_size)
    layout = config.student.layout or ("compact" if config.student.source == "builtin" else "chat")
    games = sorted(f"results/{path.relative_to(results)}" for path in (results / "world/train/games").iterdir())
    paths = {"tasks": "results/phase0/tasks_train.parquet", "games": games, "student": "results/student"}
    linked = {"checkpoint": "results/expert.json"} if config.expert.source == "checkpoint" else {}
    used: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "results").symlink_to(results.absolute())

        def again(stage: str, **own: Any) -> float:
            inputs = inputs_of(stage, paths, **(linked if stage == "action-values" else {}))
            outputs = {name: str(place / "made" / Path(path).name) for name, path in outputs_of(stage).items()}
            outputs = {name: path.replace("{shard}", f"{name}-{own.get('shard', 0)}") for name, path in outputs.items()}
            how = operational_parameters(config).get(stage, "")
            line = Line(stage, inputs, outputs, parameters(config, stage, **own), how)
            return cpu_seconds(["bash", "-c", f"{sys.executable} -m teachable.cli {line}"], cwd=place)

        if config.teacher.source == "oracle":
            own = {"student_layout": layout, "shards": count}
            used["advise"] = sum(again("advise", shard=shard, **own) for shard in range(shards))
        used["action-values"] = sum(again("action-values", shard=shard, shards=count) for shard in range(shards))
        parts = [pl.read_parquet(path) for path in sorted((place / "made").glob("estimates-*.parquet"))]
        played = pl.concat(parts)["snapshot_id"].n_unique()
        used = {stage: seconds / played for stage, seconds in used.items()}
        used["label"] = again("label") / snapshots
    return used


def cpu_seconds(line: Sequence[str], *, cwd: Path | None = None) -> float:
    """CPU-seconds of a command and of all that it started and waited for, as the kernel counts them. Raises
    CalledProcessError where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TEACHABLE_STORE": "off"}
    done = subprocess.run(line, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print(done.stdout[-2000:], file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, line)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _bare(labeled: pl.DataFrame) -> pl.DataFrame:
    """Snapshots as they are before anything is measured of them."""
    return labeled.select(list(tables.SNAPSHOTS))


def rank(results: Path, snapshots: pl.DataFrame, student: Path | None) -> tuple[pl.DataFrame, float]:
    """RANKING by the study's predictor, and the CPU-seconds that the command took, its start included."""
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "snapshots.parquet", Path(folder) / "ranked.parquet"
        tables.write(snapshots, given, tables.SNAPSHOTS)
        line = [sys.executable, "-m", "teachable.cli", "rank", str(results / "phase4/predictor.safetensors")]
        line += ["--snapshots", str(given), "--out", str(out), *(["--student", str(student)] if student else [])]
        used = cpu_seconds(line)
        return tables.read(out, tables.RANKING), used


def quality(ranking: pl.DataFrame, labels: pl.DataFrame) -> dict[str, Any]:
    """How well held-out failures are ranked and their uncertainty is told; intervals draw games."""
    both = labels.join(ranking, on="snapshot_id", suffix="_said").sort("snapshot_id")
    truth, score = both["ELP_net"].to_numpy(), both["ELP_net_said"].to_numpy()
    codes = stats.cluster_codes(both["task_id"].to_list(), len(both))[0]
    bootstrap = Bootstrap(seed=1)
    entropy = both["entropy"].to_numpy()
    found: dict[str, Any] = {}
    for k in (k for k in KS if k <= len(both)):
        gain = bootstrap.interval(difference(ndcg(score, truth, codes, k), ndcg(entropy, truth, codes, k)), codes)
        level = [bootstrap.interval(ndcg(each, truth, codes, k), codes).point for each in (score, entropy)]
        found[f"ndcg@{k}"] = {
            "predictor": level[0],
            "entropy": level[1],
            "difference": [gain.point, gain.low, gain.high],
        }
    held = (both["ELP_net_low"] <= both["ELP_net"]) & (both["ELP_net"] <= both["ELP_net_high"])
    interval = stats.cluster_bootstrap(held.to_numpy().astype(float), both["task_id"].to_list(), seed=1)
    found["coverage"] = [interval.point, interval.low, interval.high]
    found["width"] = float((both["ELP_net_high"] - both["ELP_net_low"]).mean())
    found["outside_own"] = float(both["outside"].mean())
    untied = both.filter(~pl.col("route_tied").fill_null(False))
    for target, names, rows in (("quadrant", QUADRANTS, both), ("route", FORMATS, untied)):
        rows = rows.filter(pl.col(target).is_not_null())
        if rows[f"{target}_said"].null_count() or rows.is_empty():
            continue
        chance = rows.select(f"p_{target}_{name}" for name in names).to_numpy()
        true = np.stack([(rows[target] == name).to_numpy() for name in names], axis=1)
        found[target] = {
            "n": len(rows),
            "brier": float(((chance - true) ** 2).sum(axis=1).mean()),
            "brier_of_shares": float(1 - (true.mean(axis=0) ** 2).sum()),  # always saying how often each is
            "accuracy": float((rows[target] == rows[f"{target}_said"]).mean()),
        }
    return found


def _outside(results: Path, other: Path) -> float:
    """The share of another study's failures that this one's predictor calls outside."""
    labeled = tables.read(other / "phase1/labeled_snapshots.parquet", tables.LABELED)
    return float(rank(results, _bare(labeled), None)[0]["outside"].mean())


def report(found: dict[str, Any]) -> str:
    """The table of docs/predictor.md."""
    lines = [
        "| study | predictor | CPU s per 1,000 (of labelling's) | held-out failures: CPU s (of labelling's) | "
        "NDCG@25 - entropy's | 90 % interval holds |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        for tiers in ("tier1", "tier1 tier2"):
            if tiers not in one:
                continue
            said = one[tiers]
            gain = said.get("ndcg@25", {}).get("difference", [float("nan")] * 3)
            lines.append(
                f"| {name} | {tiers} | {said['cpu_s_per_1000']:.1f} ({said['share_of_labelling_per_1000']:.2%}) | "
                f"{said['cpu_s']:.1f} ({said['share_of_labelling']:.2%}) | "
                f"{gain[0]:+.2f} [{gain[1]:+.2f}, {gain[2]:+.2f}] | {said['coverage'][0]:.0%} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
