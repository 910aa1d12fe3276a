"""The made parts of docs/engine.md: the table of benchmarks, the table on paper, the figures.

    python benchmarks/engine_page.py [--check]

They are read from `benchmarks/results/*.json`, the rows that the benchmarks wrote and that are committed. `--check`
changes nothing and fails where the page or a figure is not what the rows say. (The table of families is made by
`families.py`, which has to try the models out.)
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/engine.md"
FIGURES = ROOT / "docs/engine"
RESULTS = ROOT / "benchmarks/results"


def marks(part: str) -> tuple[str, str]:
    """What stands around a made part of the page."""
    return f"<!-- {part}: made, do not edit -->", f"<!-- end of {part} -->"


def replaced(page: str, part: str, text: str) -> str:
    """The page with one made part anew. Raises SystemExit where the page has no place for it."""
    begin, end = marks(part)
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{PAGE} lacks the lines {begin!r} and {end!r}.")
    return f"{before}{begin}\n{text}\n{end}{after}"


def rows(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """All committed rows, by name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def number(value: float) -> str:
    """Three figures, without an exponent where a reader can do without."""
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def benchmarks(found: Sequence[Mapping[str, Any]]) -> str:
    """A line for each case of each row, and where they were measured."""
    lines = [
        "| benchmark | case | ratio | lowest, highest | ours | other | unit | largest difference, nats |",
        "|---|---|---:|---|---:|---:|---|---:|",
    ]
    places: dict[str, list[str]] = {}
    for row in found:
        for case in row.get("cases", [{"case": "", **row}]):
            low, high = case["spread"]
            gap = case.get("largest_difference_nats")
            lines.append(
                f"| `{row['name']}` | {case.get('case', '')} | **{number(case['ratio'])}** | "
                f"{number(low)}, {number(high)} | "
                f"{number(case['ours'])} | {number(case['peer'])} | {case.get('unit', row.get('unit', ''))} | "
                f"{'' if gap is None else f'{gap:.0e}'} |"
            )
        load = row.get("load")
        told = f"{row['date']}, {row['machine']}" + (f", {load:g} other processes at work" if load else "")
        places.setdefault(told, []).append(f"`{row['name']}`")
    lines += [""] + [f"* {place}: {', '.join(names)}" for place, names in places.items()]
    return "\n".join(lines)


def on_paper(row: Mapping[str, Any]) -> str:
    """Preset paper's GPU-hours, with what they rest on."""
    lines = ["| how | tokens encoded, billions | GPU-hours | USD |", "|---|---:|---:|---:|"]
    lines += [
        f"| {one['how']} | {number(one['tokens'] / 1e9)} | {number(one['gpu_hours'])} | {number(one['usd'])} |"
        for one in row["ways"]
    ]
    return "\n".join([*lines, "", *(f"* {said}" for said in row["assumed"])])


def made(folder: Path = RESULTS) -> dict[Path, str]:
    """The page and its figures as the rows say they are."""
    import engine_figures

    known = {row["name"]: row for row in rows(folder)}
    page = PAGE.read_text(encoding="utf-8")
    measured = [row for row in known.values() if "ratio" in row]
    page = replaced(page, "benchmarks", benchmarks(measured))
    page = replaced(page, "hours", on_paper(known["paper_on_one_gpu"]))
    return {
        PAGE: page,
        FIGURES / "tree.svg": engine_figures.tree(),
        FIGURES / "estimator.svg": engine_figures.estimator(known["estimator_rmse_vs_monte_carlo"]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args(arguments)
    stale = 0
    for path, text in made().items():
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        if given.check:
            stale = 1
            name = str(path.relative_to(ROOT))
            sys.stdout.writelines(
                f"{line}\n"
                for line in difflib.unified_diff(old.splitlines(), text.splitlines(), name, "as the rows say")
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} written")
    if stale:
        print("`python benchmarks/engine_page.py` makes them anew.")
    return stale


if __name__ == "__main__":
    sys.exit(main())
