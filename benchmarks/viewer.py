"""How long the viewer of N snapshots takes to make, to open, to filter and to show one, in Chromium without a window.

    python benchmarks/viewer.py [--snapshots 100000] [--shows 20] [--chunks N] [--out DIR]

Tables are made up (tests/viewer/synthetic.py). Opening counts from the start of the navigation to the second frame
after the list is drawn, showing from the change of the address to the second frame after the snapshot is drawn; every
snapshot shown needs another chunk.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

FILTER = """new Promise((done) => {
  const from = performance.now(), field = document.getElementById('quadrant');
  field.value = 'Q3';
  field.dispatchEvent(new Event('change', {bubbles: true}));
  const look = () => document.getElementById('count').textContent.includes(' of ')
    ? requestAnimationFrame(() => requestAnimationFrame(() => done(Math.round(performance.now() - from))))
    : setTimeout(look, 1);
  look();
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snapshots", type=int, default=100_000)
    parser.add_argument("--shows", type=int, default=20)
    parser.add_argument(
        "--chunks", type=int, help="make N of the chunks only, evenly spaced, and show snapshots of those"
    )
    parser.add_argument("--out", type=Path, help="keep the folder here; one that is there is used as it is")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.out or Path(scratch) / "viewer"
        if not (folder / "index.html").exists():
            make(arguments.snapshots, folder, arguments.chunks)
        size = sum(path.stat().st_size for path in folder.rglob("*.*"))
        print(f"{size / 1e6:.0f} MB, of which the index {(folder / 'data/index.js').stat().st_size / 1e6:.1f}")
        look(folder, arguments.shows, Path(scratch) / "profile")


def make(count: int, folder: Path, some: int | None) -> None:
    from viewer.synthetic import sources

    from teachable.viewer import CHUNK, files

    whole = -(-count // CHUNK)
    only = None if some is None else [k * whole // some for k in range(some)]
    given = sources(count)
    started, busy = time.monotonic(), time.process_time()
    (folder / "data").mkdir(parents=True)
    for name, text in files(given, preset="synthetic", verbosity="compact", only=only):
        (folder / name).write_text(text, encoding="utf-8")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    what = "all chunks" if only is None else f"{len(only)} chunks"
    print(
        f"{what} and the index of {count:,} made in {time.monotonic() - started:.0f} s "
        f"({time.process_time() - busy:.0f} s of CPU), peak {memory:.1f} GB with the tables"
    )


def look(folder: Path, shows: int, profile: Path) -> None:
    from viewer.browser import browser

    root = "document.documentElement.dataset"
    with browser(profile) as page:
        page.size(1280)
        opened = []
        for _ in range(5):
            page.go("about:blank")
            page.until("location.href === 'about:blank'")
            page.go((folder / "index.html").as_uri())
            opened.append(int(page.until(f"{root}.opened", 60)))
        made = sorted(int(path.stem) for path in folder.glob("data/[0-9]*.js"))
        numbers = [made[k * len(made) // shows] for k in range(min(shows, len(made)))]
        ids = page.js(
            f"{numbers}.map((number, k) => ids[Math.min(number * data.size + 5 * k % data.size, ids.length - 1)])"
        )
        took = []
        for name in ids:
            page.js(f"location.hash = {json.dumps('id=' + quote(name, safe=''))}")
            page.until(f"{root}.shown === {json.dumps(name)}")
            took.append(int(page.js(f"{root}.shownMs")))
        filtered = page.js(FILTER)
        for title, times in (("opened", opened), ("shown", took), ("filtered", [filtered])):
            print(f"{title}: median {statistics.median(times):.0f} ms, longest {max(times)} ms, of {len(times)}")
        print(
            f"requests beside the folder: {[one for one in page.requests if not one.startswith(('file:', 'about:'))]}"
        )


if __name__ == "__main__":
    main()
