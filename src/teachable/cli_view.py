"""``teachable view``: browse the snapshots of a run in a browser, offline."""

from __future__ import annotations

import argparse
import re
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable.artifacts.catalogue import ARTIFACTS, RESULTS
from teachable.errors import MissingInput

if TYPE_CHECKING:
    from teachable.artifacts.catalogue import Artifact

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

STAGE = "viewer"
# Results that several stages write in one form: what the stage reads under one name.
_ALSO = {"examples": ("recovery_examples", "selection_examples")}


def add_view_parser(commands: Subparsers) -> None:
    """Register ``view``; it is ``arguments.run(arguments) -> int``."""
    parser = commands.add_parser(
        "view",
        help="browse the snapshots of a run in a browser, without a server",
        description="Make a folder of static pages from the tables that there are, and say where to open it. What "
        "is up to date is not made again.",
    )
    parser.add_argument("results", nargs="?", type=Path, default=Path(RESULTS), help="default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to put it (default: RESULTS/viewer)")
    parser.add_argument("--open", action="store_true", help="open it in the default browser")
    parser.set_defaults(run=_view)


def _view(arguments: argparse.Namespace) -> int:
    """Raises MissingInput where there are no labelled snapshots, and what the stage raises."""
    from teachable.artifacts import runner
    from teachable.artifacts.commandline import Invocation
    from teachable.stages import STAGES
    from teachable.viewer import PAGE
    from teachable.viewer import page as now

    results: Path = arguments.results
    inputs = tables_in(results)
    if not inputs.get("labeled"):
        raise MissingInput(
            f"{results / ARTIFACTS['labeled'].path} is missing: there are no labelled snapshots to view. `snakemake "
            "-c 2 phase1` makes them; another run's results are given as `teachable view DIR`."
        )
    out: Path = arguments.out or results / ARTIFACTS[STAGE].path
    page = out / PAGE
    if not arguments.out and _is_newer(page, inputs) and page.read_text("utf-8") == now():
        print(f"{page} is up to date", file=sys.stderr)
    else:
        if out.exists() and not _is_viewer(out):
            raise MissingInput(f"{out} holds other files than a viewer: name an empty or new directory with --out.")
        call = Invocation(STAGE, inputs, {STAGE: out}, _parameters(results))
        runner.run_all([call], STAGES)
    print(page)
    if arguments.open and not webbrowser.open(page.resolve().as_uri()):
        print("no browser could be started: open the file above in one", file=sys.stderr)
    return 0


def _is_viewer(out: Path) -> bool:
    """Whether a folder may be replaced: it is empty, or such a page lies in it."""
    from teachable.viewer import PAGE, TITLE

    if not out.is_dir():
        return False
    return not any(out.iterdir()) or ((page := out / PAGE).exists() and TITLE in page.read_text("utf-8", "replace"))


def tables_in(results: Path) -> dict[str, list[Path]]:
    """The inputs of the stage that lie in ``results``, whole or in parts."""
    from teachable.stages import STAGES

    found = {
        slot: [path for name in (artifact.name, *_ALSO.get(slot, ())) for path in _files(results, ARTIFACTS[name])]
        for slot, artifact in STAGES[STAGE].reads.items()
    }
    return {slot: paths for slot, paths in found.items() if paths}


def _files(results: Path, artifact: Artifact) -> list[Path]:
    """The table put together, where it is, else its parts; a model of ``{phase}/models/{model}/probes.parquet`` is a
    run and its training."""
    if (whole := results / artifact.whole).exists():
        return [whole]
    pattern = artifact.path.replace("{phase}", "phase*").replace("{model}", "*/*")
    return sorted(results.glob(re.sub(r"\{\w+\}", "*", pattern)))


def _is_newer(page: Path, inputs: dict[str, list[Path]]) -> bool:
    if not page.exists():
        return False
    made = page.stat().st_mtime
    return all(path.stat().st_mtime <= made for paths in inputs.values() for path in paths)


def _parameters(results: Path) -> dict[str, Any]:
    """The name of the run and the layout of its prompts, from its resolved configuration; without one, those of the
    built-in student."""
    from teachable.tables import read_json

    path = results / ARTIFACTS["config"].path
    config = read_json(path) if path.exists() else {}
    student = config.get("student", {})
    plain = "compact" if student.get("source", "builtin") == "builtin" else "chat"
    return {"preset": config.get("preset", "unknown"), "layout": student.get("layout") or plain}
