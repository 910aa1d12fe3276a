"""Every figure of a finished run, and its criteria, for the docs. python scripts/sample.py [RUN]

A run of preset laptop goes to docs/sample, with its viewer in docs/tour (which wants Chromium); one of preset
pretrained to docs/sample-pretrained.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from teachable import __version__
from teachable.paper import FIGURES

DOCS = Path(__file__).resolve().parents[1] / "docs"
ABOUT = {
    "laptop": (
        "sample",
        "What `make run` leaves behind",
        "A student of half a million parameters plays games of fifteen commands. This shows what figures look like and",
        "that the pipeline works. It does not show what a large model would show.",
    ),
    "pretrained": (
        "sample-pretrained",
        "What `make run PRESET=pretrained` leaves behind",
        "SmolLM2-135M-Instruct, warmed up on expert play, goes through every phase in its own chat template. It",
        "shows that the path of a large model works, and is too small to find anything: most intervals are wide.",
    ),
}
VERDICTS = {True: "pass", False: "**fail**", None: "not measured"}


def number(value: Any) -> str:
    return "" if value is None else f"{round(value, 12) + 0.0:.3g}"  # no -0


def main() -> None:
    run = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    config = json.loads((run / "results/config.json").read_text(encoding="utf-8"))
    preset = config["preset"]
    if preset not in ABOUT:
        sys.exit(f"{run} is a run of preset {preset}; the docs show {' and '.join(ABOUT)}.")
    folder, made, *about = ABOUT[preset]
    sample = DOCS / folder
    lines = [
        f"# A run of preset {preset}",
        "",
        f"{made} (version {__version__}, preset `{preset}`, seed {config['seed']}).",
        *about,
        "",
        "## Criteria of the protocol",
        "",
        "| criterion | value | interval | threshold | verdict |",
        "|---|---:|---:|---|---|",
    ]
    for entry in json.loads((run / "results/criteria.json").read_text(encoding="utf-8")):
        interval = "" if entry["low"] is None else f"{number(entry['low'])} to {number(entry['high'])}"
        cells = [entry["name"], number(entry["value"]), interval, entry["threshold"], VERDICTS[entry["passed"]]]
        lines.append("| " + " | ".join(cells) + " |")
    shutil.rmtree(sample, ignore_errors=True)
    sample.mkdir(parents=True)
    for item in FIGURES.values():
        picture = run / item.files[1]
        shutil.copy(picture, sample / picture.name)
        lines += ["", f"## {item.number}: {item.title}", "", f"![{item.title}]({picture.name})", "", item.caption]
    (sample / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if preset == "laptop":
        tour(run)


def tour(run: Path) -> None:
    """The viewer at the snapshot of Q4 with the highest ELP_net."""
    sys.path.insert(0, str(DOCS.parent / "tests"))
    from viewer.browser import CHROMIUM, browser

    if CHROMIUM is None:
        sys.exit("docs/tour is as it was: its picture wants Chromium (`apt-get install chromium`).")
    labeled = pl.read_parquet(run / "results/phase1/labeled_snapshots.parquet").filter(quadrant="Q4")
    best = labeled.sort("ELP_net", "snapshot_id", descending=[True, False])["snapshot_id"][0]
    page = (run / "results/viewer/index.html").resolve().as_uri() + f"#quadrant=Q4&sort=-ELP_net&id={quote(best)}"
    (DOCS / "tour").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as shown:
        shown.size(1280, 2700)
        shown.go(page)
        shown.until("document.body.innerText.includes('What was measured')")
        shown.picture(DOCS / "tour" / "snapshot.png")


if __name__ == "__main__":
    main()
