"""docs/sample: every figure of a finished run, and its criteria. python scripts/sample.py [RUN]"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from teachable import __version__
from teachable.paper import FIGURES

SAMPLE = Path(__file__).resolve().parents[1] / "docs" / "sample"
VERDICTS = {True: "pass", False: "**fail**", None: "not measured"}


def number(value: Any) -> str:
    return "" if value is None else f"{value:.3g}"


def main() -> None:
    run = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    config = json.loads((run / "results/config.json").read_text())
    lines = [
        "# A run of preset laptop",
        "",
        f"What `make run` leaves behind (version {__version__}, preset `{config['preset']}`, seed {config['seed']}).",
        "A student of half a million parameters plays games of fifteen commands. This shows what figures look like and",
        "that the pipeline works. It does not show what a large model would show.",
        "",
        "## Criteria of the protocol",
        "",
        "| criterion | value | interval | threshold | verdict |",
        "|---|---:|---:|---|---|",
    ]
    for entry in json.loads((run / "results/criteria.json").read_text()):
        interval = "" if entry["low"] is None else f"{number(entry['low'])} to {number(entry['high'])}"
        cells = [entry["name"], number(entry["value"]), interval, entry["threshold"], VERDICTS[entry["passed"]]]
        lines.append("| " + " | ".join(cells) + " |")
    shutil.rmtree(SAMPLE, ignore_errors=True)
    SAMPLE.mkdir(parents=True)
    for item in FIGURES.values():
        picture = run / item.files[1]
        shutil.copy(picture, SAMPLE / picture.name)
        lines += ["", f"## {item.number}: {item.title}", "", f"![{item.title}]({picture.name})", "", item.caption]
    (SAMPLE / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
