"""Are the intervals, criteria and numbers of games right? Studies with a known truth through the product's statistics.

    python benchmarks/calibration.py [--scale 3] [--processes 2] [--write]

Simulates studies of the sizes of presets laptop, pilot and paper (``simulated_world``), runs them through labels,
correlations, contrasts and criteria (``simulated_study``) and counts: how often intervals hold what is true, how
often a criterion passes when there is nothing to find, and how often when there is. ``--scale 1`` takes about ten
CPU-minutes. Prints the tables and writes ``benchmarks/out/calibration.json``; with ``--write`` also the tables of
``docs/statistics.md`` and the curves beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")  # tables are small: threads only wait for one another

from simulated_study import PARTS, Result, study
from simulated_world import DEAD_ENDS, NOTHING, UNSPECIFIC, Size, Truth, planted

from teachable import stats
from teachable.config.load import load_config, read_yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "statistics.md"
PICTURES = ROOT / "docs" / "statistics"
PRESETS = ("laptop", "pilot", "paper", "paper, 3 trainings")
TRAININGS = PRESETS[-1]  # preset paper with training.seeds: 3, for what one training leaves out
SIZES = (0.25, 0.5, 1.0, 1.5)
FULL = planted(1.0)
# Worlds in which what a criterion asks for is not there.
NULLS = {
    **dict.fromkeys(
        (
            *("quadrants_L_local", "content_gain", "heterogeneity", "median_net_gain", "patch_test", "leverage_rank"),
            *(f"patch_test_Q{i}" for i in range(1, 5)),
            *("utility", "training_gain", "q1_gain", "recovery", "predictor_L", "predictor_quadrant"),
        ),
        (NOTHING.name,),
    ),
    **dict.fromkeys(
        (
            *("patch_test_given_leverage", "best_format", "transfer", "transfer_permutation", "q1_over_q3"),
            *("right_answers", "predictor_ndcg", "selection_predictor_entropy", "selection_entropy_random"),
            *("selection_oracle_random", "selection_oracle_entropy", "selection_oracle_diverse_oracle"),
            "selection_predictor_diverse_predictor",
        ),
        (NOTHING.name, UNSPECIFIC.name),
    ),
    **dict.fromkeys(("retention", "retention_stretch", "selection_retention"), (UNSPECIFIC.name,)),
}
for _name in ("content_gain", "heterogeneity", "median_net_gain"):
    NULLS[_name] = (NOTHING.name, DEAD_ENDS.name)
CURVES = {  # criterion -> what is planted at strength 1
    "training_gain": "B1_uniform gains .15 (.25 on Q1)",
    "transfer": "own quadrant .10 more",
    "q1_over_q3": "Q1 gains .10 more than Q3",
    "best_format": "another format .10 better in two quadrants",
    "patch_test": "Spearman of ELP and effect",
    "patch_test_given_leverage": "the same, given leverage",
    "heterogeneity": "ELP at high against low leverage",
    "predictor_ndcg": "ranks at r = .6 against .2",
    "selection_oracle_random": "oracle's choice .12 better than chance",
    "selection_predictor_entropy": "predictor's choice .04 better than entropy",
}


@dataclass(frozen=True, slots=True)
class Job:
    """``count`` studies of one size and truth, numbered from ``first``."""

    size: Size
    truth: Truth
    parts: tuple[str, ...]
    first: int
    count: int
    repetitions: int


def plan(scale: float, presets: Sequence[str] = PRESETS, repetitions: int = 400, block: int = 5) -> list[Job]:
    """All studies: labels of 3,000 snapshots cost the most, and their intervals need the fewest repeats."""
    raw = read_yaml(ROOT / "workflow_config.yaml")
    quick = ("micro", "evaluation", "predictor")
    jobs = []
    for preset in presets:
        size = Size.of(load_config(raw, preset=preset.partition(",")[0]), preset)
        big = preset == "paper"
        if preset == TRAININGS:
            size = replace(size, seeds=3)
        asked: list[tuple[Truth, tuple[str, ...], float]] = [
            (NOTHING, quick if big else PARTS, 35),
            (UNSPECIFIC, quick if big else PARTS, 20),
            (DEAD_ENDS, ("labels", "micro"), 6 if big else 12),
            *((planted(x), quick if big else PARTS, 8) for x in SIZES),
        ]
        if preset == TRAININGS:
            asked = [(truth, ("evaluation",), 12) for truth in (NOTHING, UNSPECIFIC, FULL)]
        if big:  # others than those above, for their labels alone
            asked += [(NOTHING, ("labels", "micro"), 6), (FULL, ("labels", "micro"), 6)]
        for number, (truth, parts, count) in enumerate(asked):
            total = max(1, round(count * scale))
            for first in range(0, total, block):
                here = min(block, total - first)
                jobs.append(Job(size, truth, parts, 1_000_003 * number + first, here, repetitions))
    return sorted(jobs, key=lambda job: job.size.snapshots, reverse=True)  # the longest first


def run(job: Job) -> list[Result]:
    """The studies of one job."""
    numbers = range(job.first, job.first + job.count)
    return [study(job.size, job.truth, n, repetitions=job.repetitions, parts=job.parts) for n in numbers]


def collect(jobs: Sequence[Job], processes: int = 1) -> dict[tuple[str, str], list[Result]]:
    """Results by preset and world."""
    found: dict[tuple[str, str], list[Result]] = defaultdict(list)
    started = time.time()
    with ProcessPoolExecutor(processes) as pool:
        every = pool.map(run, jobs) if processes > 1 else map(run, jobs)
        for done, (job, results) in enumerate(zip(jobs, every, strict=True)):
            found[job.size.preset, job.truth.name] += results
            if sys.stderr.isatty() or done % 20 == 0:
                print(f"{done + 1} of {len(jobs)} jobs, {time.time() - started:.0f} s", file=sys.stderr)
    return found


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals of one kind held the truth.

    ``truth`` counts the value behind the noise, where there is one; ``mean`` the mean of the estimate itself over
    all studies, so that a biased estimate with a right width is told from a wrong width; ``trained`` the value of the
    trainings at hand. ``error`` is the standard error of ``truth`` (else of ``mean``) over studies.
    """

    preset: str
    kind: str
    truth: float | None
    mean: float
    trained: float | None
    error: float
    bias: float | None
    width: float
    games: float
    undefined: float
    studies: int


def coverage(found: dict[tuple[str, str], list[Result]], kinds: Iterable[str] | None = None) -> list[Coverage]:
    """Coverage by preset and kind of interval, over the worlds that are not power curves."""
    rows: dict[tuple[str, str], dict[tuple[str, str], list[tuple[int, dict[str, Any]]]]] = {}
    for (preset, world), results in found.items():
        if world.startswith("planted") and world != FULL.name:
            continue
        for number, result in enumerate(results):
            for row in result.rows:
                place = rows.setdefault((preset, row["kind"]), {})
                place.setdefault((world, row["name"]), []).append((number, row))
    return [
        _coverage(preset, kind, named)
        for (preset, kind), named in rows.items()
        if kind != "permutation" and (kinds is None or kind in kinds)
    ]


def _coverage(preset: str, kind: str, named: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]]) -> Coverage:
    held: dict[str, dict[tuple[str, int], list[float]]] = {key: defaultdict(list) for key in ("truth", "mean", "here")}
    biases, widths, games, undefined = [], [], [], []
    for (world, _), numbered in named.items():
        numbers = [number for number, _ in numbered]
        rows = [row for _, row in numbered]
        value = {key: np.array([math.nan if row[key] is None else row[key] for row in rows]) for key in _NUMBERS}
        there = np.isfinite(value["low"])
        undefined += (~there).tolist()
        if there.sum() < 2:
            continue
        mean = float(np.nanmean(value["point"]))
        centres = {"mean": np.full(len(rows), mean)}
        if np.isfinite(value["truth"]).all():
            true = float(value["truth"].mean())
            centres["truth"] = np.full(len(rows), true)
            biases.append(mean - true)
            if np.isfinite(value["here"]).all():
                centres["here"] = true + value["here"]
        for key, centre in centres.items():
            inside = (value["low"] <= centre + 1e-12) & (centre - 1e-12 <= value["high"])
            for number, yes, known in zip(numbers, inside, there, strict=True):
                if known:
                    held[key][world, number].append(float(yes))
        widths += (value["high"] - value["low"])[there].tolist()
        games += value["clusters"][there].tolist()

    def rate(key: str) -> float | None:
        every = [yes for group in held[key].values() for yes in group]
        return float(np.mean(every)) if every else None

    main = held["truth"] or held["mean"]
    each = [float(np.mean(group)) for group in main.values()]
    return Coverage(
        preset,
        kind,
        rate("truth"),
        rate("mean") or 0.0,
        rate("here"),
        float(np.std(each, ddof=1) / math.sqrt(len(each))) if len(each) > 1 else math.nan,
        float(np.mean(np.abs(biases))) if biases else None,
        float(np.mean(widths)) if widths else math.nan,
        float(np.mean(games)) if games else math.nan,
        float(np.mean(undefined)),
        len(each),
    )


_NUMBERS = ("point", "low", "high", "truth", "here", "clusters")


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a criterion passed, with Wilson's interval; ``value`` is its mean estimate."""

    preset: str
    world: str
    criterion: str
    passed: float
    low: float
    high: float
    studies: int
    value: float | None
    mde: float | None


def rates(found: dict[tuple[str, str], list[Result]]) -> list[Rate]:
    """Every criterion that could be measured, by preset and world. ``random_answers`` passes on a null, so its
    fails are counted."""
    made = []
    for (preset, world), results in found.items():
        entries: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for result in results:
            for entry in result.criteria:
                if entry["passed"] is not None:
                    entries[entry["id"]].append(entry)
        for name, known in entries.items():
            wins = sum(bool(entry["passed"]) for entry in known)
            wins = len(known) - wins if name == "random_answers" else wins
            interval = stats.wilson(wins, len(known))
            mde = [entry["mde"] for entry in known if entry["mde"] is not None]
            values = [entry["value"] for entry in known if entry["value"] is not None]
            made.append(
                Rate(
                    *(preset, world, name, interval.point, interval.low, interval.high, len(known)),
                    float(np.mean(values)) if values else None,
                    float(np.mean(mde)) if mde else None,
                )
            )
    return made


def false_alarms(every: Sequence[Rate]) -> list[Rate]:
    """Those in worlds in which the criterion should not pass."""
    nulls = NULLS | {"random_answers": (NOTHING.name, FULL.name)}
    return [one for one in every if one.world in nulls.get(one.criterion, ())]


def power(every: Sequence[Rate]) -> dict[str, dict[str, list[tuple[float, Rate]]]]:
    """Criterion -> preset -> (strength of what is planted, rate)."""
    strength = {NOTHING.name: 0.0} | {planted(x).name: x for x in SIZES}
    curves: dict[str, dict[str, list[tuple[float, Rate]]]] = {name: defaultdict(list) for name in CURVES}
    for one in every:
        if one.criterion in curves and one.world in strength:
            curves[one.criterion][one.preset].append((strength[one.world], one))
    return {
        name: {preset: sorted(line, key=lambda at: at[0]) for preset, line in lines.items()}
        for name, lines in curves.items()
    }


def _percent(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def coverage_table(rows: Sequence[Coverage]) -> str:
    """Markdown: a row a kind, for each preset coverage of the truth and of the estimate's own mean."""
    presets = [preset for preset in PRESETS if any(row.preset == preset for row in rows)]
    kinds = list(dict.fromkeys(row.kind for row in rows))
    lines = [
        "| interval | " + " | ".join(f"{p}: truth | own mean | games" for p in presets) + " |",
        "|---" * (1 + 3 * len(presets)) + "|",
    ]
    for kind in kinds:
        cells = []
        for preset in presets:
            row = next((row for row in rows if (row.preset, row.kind) == (preset, kind)), None)
            if row is None or math.isnan(row.width):
                cells += ["", "", ""]
                continue
            error = f" ± {100 * row.error:.1f}"
            shown = f"{_percent(row.truth)}{error}" if row.truth is not None else ""
            cells += [shown, _percent(row.mean) + ("" if row.truth is not None else error), f"{row.games:.0f}"]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def trained_table(rows: Sequence[Coverage]) -> str:
    """Markdown: what one training is and what the recipe is."""
    lines = ["| interval | preset | of the recipe | of these trainings |", "|---|---|---|---|"]
    for row in rows:
        if row.kind.startswith("contrast, failure") and row.trained is not None:
            lines.append(f"| {row.kind} | {row.preset} | {_percent(row.truth)} | {_percent(row.trained)} |")
    return "\n".join(lines)


def alarm_table(rows: Sequence[Rate]) -> str:
    """Markdown: false alarms in percent, a row a criterion and world."""
    presets = [preset for preset in PRESETS if any(row.preset == preset for row in rows)]
    lines = ["| criterion | world | " + " | ".join(presets) + " |", "|---" * (2 + len(presets)) + "|"]
    for criterion, world in dict.fromkeys((row.criterion, row.world) for row in rows):
        cells = []
        for preset in presets:
            row = next((r for r in rows if (r.preset, r.criterion, r.world) == (preset, criterion, world)), None)
            cells.append(f"{_percent(row.passed)} [{_percent(row.low)}, {_percent(row.high)}]" if row else "")
        lines.append(f"| `{criterion}` | {world} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def power_table(curves: dict[str, dict[str, list[tuple[float, Rate]]]]) -> str:
    """Markdown: power in percent at each strength."""
    strengths = sorted({x for lines in curves.values() for line in lines.values() for x, _ in line})
    lines = [
        "| criterion | at strength 1 | preset | " + " | ".join(f"{x:g}" for x in strengths) + " | estimate | MDE |",
        "|---" * (5 + len(strengths)) + "|",
    ]
    for criterion, by_preset in curves.items():
        for preset in PRESETS:
            line = dict(by_preset.get(preset, []))
            if line:
                cells = [_percent(line[x].passed) if x in line else "" for x in strengths]
                at = line.get(1.0)
                mde = f"{at.mde:.2f}" if at is not None and at.mde is not None else ""
                mean = f"{at.value:.2f}" if at is not None and at.value is not None else ""
                head = f"| `{criterion}` | {CURVES[criterion]} | {preset} |"
                lines.append(f"{head} {' | '.join(cells)} | {mean} | {mde} |")
    return "\n".join(lines)


def draw(rows: Sequence[Coverage], alarms: Sequence[Rate], curves: Any, where: Path) -> None:
    """coverage.svg, false_alarms.svg and power.svg."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "calibration", "font.size": 8, "svg.fonttype": "none"})
    colours = dict(zip(PRESETS, ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), strict=True))
    where.mkdir(parents=True, exist_ok=True)

    def save(figure: Any, name: str) -> None:
        figure.savefig(where / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
        plt.close(figure)

    rows = [row for row in rows if not math.isnan(row.width)]
    kinds = list(dict.fromkeys(row.kind for row in rows))[::-1]
    figure, axes = plt.subplots(figsize=(7, 0.24 * len(kinds) + 0.8))
    axes.axvspan(93, 97, color="0.9")
    axes.axvline(95, color="0.6", lw=0.8)
    for row in rows:
        value = row.truth if row.truth is not None else row.mean
        y = kinds.index(row.kind) + 0.2 * (1.5 - PRESETS.index(row.preset))
        axes.errorbar(
            max(60.0, 100 * value), y, xerr=196 * row.error, fmt="o" if row.truth is not None else "s",
            ms=4, color=colours[row.preset], mfc=colours[row.preset] if row.truth is not None else "white", lw=0.8,
        )  # fmt: skip
    for preset, colour in colours.items():
        axes.plot([], [], "o", color=colour, label=preset)
    axes.plot([], [], "s", color="0.3", mfc="white", label="of its own mean")
    axes.set(
        xlim=(59, 101),
        yticks=range(len(kinds)),
        yticklabels=kinds,
        xlabel="intervals that hold the truth, % (60 and less at the edge)",
    )
    axes.legend(loc="lower left", frameon=False)
    save(figure, "coverage")

    names = list(dict.fromkeys((row.criterion, row.world) for row in alarms))[::-1]
    figure, axes = plt.subplots(figsize=(7, 0.2 * len(names) + 0.8))
    axes.axvline(5, color="0.6", lw=0.8)
    axes.axvline(2.5, color="0.8", lw=0.8)
    for row in alarms:
        y = names.index((row.criterion, row.world)) + 0.2 * (1.5 - PRESETS.index(row.preset))
        axes.plot([100 * row.low, 100 * row.high], [y, y], color=colours[row.preset], lw=0.8)
        axes.plot(100 * row.passed, y, "o", ms=3.5, color=colours[row.preset])
    for preset, colour in colours.items():
        axes.plot([], [], "o", color=colour, label=preset)
    axes.set(
        yticks=range(len(names)),
        yticklabels=[f"{c} ({w})" for c, w in names],
        xlabel="passes although there is nothing to find, %",
        xscale="symlog",
        xlim=(-0.5, 110),
        xticks=[0, 2.5, 5, 10, 25, 50, 100],
        xticklabels=["0", "2.5", "5", "10", "25", "50", "100"],
    )
    axes.legend(loc="lower right", frameon=False)
    save(figure, "false_alarms")

    figure, grid = plt.subplots(2, 5, figsize=(11, 4.4), sharex=True, sharey=True)
    for axes, (criterion, by_preset) in zip(grid.flat, curves.items(), strict=True):
        axes.axhline(80, color="0.85", lw=0.8)
        for preset, line in by_preset.items():
            x = [at for at, _ in line]
            axes.fill_between(
                x,
                [100 * r.low for _, r in line],
                [100 * r.high for _, r in line],
                color=colours[preset],
                alpha=0.12,
                lw=0,
            )
            axes.plot(x, [100 * r.passed for _, r in line], "o-", ms=3, lw=1, color=colours[preset], label=preset)
        axes.set_title(f"{criterion}\n{CURVES[criterion]}", fontsize=6.5)
    grid[0, 0].legend(frameon=False)
    figure.supxlabel("strength of what is planted")
    figure.supylabel("criterion passes, %")
    save(figure, "power")


def write_page(sections: dict[str, str], page: Path) -> None:
    """Put each section between its marks in ``page``."""
    text = page.read_text()
    for name, body in sections.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin not in text or end not in text:
            raise SystemExit(f"{page} lacks the marks {begin} and {end}.")
        before, rest = text.split(begin, 1)
        text = before + begin + "\n" + body + "\n" + end + rest.split(end, 1)[1]
    page.write_text(text)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="times as many studies")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=400, help="of the bootstrap")
    parser.add_argument("--presets", nargs="+", default=PRESETS, choices=PRESETS)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "out" / "calibration.json")
    parser.add_argument("--write", action="store_true", help="write docs/statistics.md and its curves")
    given = parser.parse_args(arguments)
    started = time.time()
    found = collect(plan(given.scale, given.presets, given.repetitions), given.processes)
    held, passed = coverage(found), rates(found)
    alarms, curves = false_alarms(passed), power(passed)
    number = sum(map(len, found.values()))
    taken = (
        f"{number:,} studies, {given.repetitions} repetitions, {time.time() - started:.0f} s on {given.processes} cores"
    )
    sections = {
        "coverage": coverage_table(held),
        "trained": trained_table(held),
        "alarms": alarm_table(alarms),
        "power": power_table(curves),
        "taken": f"`python benchmarks/calibration.py --scale {given.scale:g} --write`: {taken}.",
    }
    print("\n\n".join(sections.values()))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    stored = {"coverage": [asdict(row) for row in held], "rates": [asdict(row) for row in passed], "taken": taken}
    given.out.write_text(json.dumps(stored, indent=1) + "\n")
    if given.write:
        write_page(sections, PAGE)
        draw(held, alarms, curves, PICTURES)


if __name__ == "__main__":
    main()
