"""``teachable store ...``: look into the artifact store, check it, shrink it, carry it elsewhere."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachable.artifacts import archive, maintenance
from teachable.artifacts.explain import Explanation, explain
from teachable.artifacts.objects import StoreError
from teachable.artifacts.store import DEFAULT, ENVIRONMENT, Store

if TYPE_CHECKING:
    from teachable.artifacts.recipe import Recipe
    from teachable.artifacts.store import Record

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_store_parser(commands: Subparsers) -> None:
    """Register ``store`` and its commands; the chosen one is ``arguments.run(arguments) -> int``."""
    parser = commands.add_parser("store", help="the artifact store: status, explain, verify, gc, export, import")
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help=f"the store (default: ${ENVIRONMENT}, else {DEFAULT})",
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    status = verbs.add_parser("status", help="how many records, objects, bytes, hits")
    status.add_argument("--json", action="store_true", help="one JSON object")
    status.set_defaults(run=_status)

    why = verbs.add_parser(
        "explain",
        help="what made a file, and what would be different now",
        description="Where there is a Snakefile the workflow is asked what it would run for the file, "
        "so that changed parameters are seen as well as changed code, inputs and libraries.",
    )
    why.add_argument("path", type=Path)
    why.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as given to snakemake")
    why.add_argument("--no-workflow", action="store_true", help="do not ask the workflow (faster by seconds)")
    why.set_defaults(run=_explain)

    check = verbs.add_parser("verify", help="hash every object; what is damaged goes to quarantine")
    check.set_defaults(run=_verify)

    collect = verbs.add_parser("gc", help="remove what nothing keeps")
    collect.add_argument("--keep-days", type=float, metavar="N", help="keep what was made or served in the last N days")
    collect.add_argument(
        "--keep",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="keep what is needed for these results",
    )
    collect.add_argument("--dry-run", "-n", action="store_true", help="only say what would go")
    collect.set_defaults(run=_collect)

    out = verbs.add_parser("export", help="write records and objects to one ZIP file")
    out.add_argument("archive", type=Path)
    out.add_argument("--stage", nargs="+", default=[], help="only these stages")
    out.add_argument(
        "--results",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="only what is needed for the results in these directories",
    )
    out.set_defaults(run=_export)

    into = verbs.add_parser("import", help="bring in a file that `export` wrote; everything is verified")
    into.add_argument("archive", type=Path)
    into.set_defaults(run=_import)


def _store(arguments: argparse.Namespace, *, create: bool = False) -> Store:
    if arguments.store is not None:
        store: Store | None = Store(arguments.store.expanduser().absolute())
    else:
        store = Store.from_environment(DEFAULT)
    if store is None:
        raise StoreError(f"the store is off: {ENVIRONMENT}={os.environ.get(ENVIRONMENT)!r}; name one with --store DIR")
    if not create and not store.root.is_dir():
        raise StoreError(f"there is no store at {store.root}; set {ENVIRONMENT} or give --store DIR")
    return store


def _status(arguments: argparse.Namespace) -> int:
    store = _store(arguments)
    found = maintenance.status(store)
    if arguments.json:
        print(found.as_json())
        return 0
    print(f"{store.root}")
    print(f"  {found.objects} objects, {_bytes(found.size)} on disk, {_bytes(found.logical)} by the records")
    for stage, count in sorted(found.records.items()):
        print(f"  {stage:24s} {count:6d} records")
    looked = found.events["restored"] + found.events["absent"] + found.events["corrupt"]
    print(
        f"  {found.events['restored']} restored of {looked} looked up ({_bytes(found.restored)}, "
        f"{found.saved:.0f} s of computing saved), {found.events['published']} published"
    )
    if found.events["corrupt"] or found.quarantined:
        print(f"  {found.events['corrupt']} times damage was noticed; {found.quarantined} files in quarantine")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    store = _store(arguments)
    current: Recipe | None = None
    if not arguments.no_workflow and Path("Snakefile").is_file():
        current = _current(arguments.path, arguments.config)
    result: Explanation = explain(store, arguments.path, current)
    print(result.text())
    return 0


def _current(path: Path, config: Sequence[str]) -> Recipe | None:
    """The recipe the workflow would make ``path`` by now; None, with a line on stderr, when it cannot be known."""
    from teachable.artifacts.commandline import parse_shell
    from teachable.errors import TeachableError
    from teachable.stages import STAGES

    command = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", "--nolock", "--cores", "1"]
    command += ["--force", *(["--config", *config] if config else [])]
    done = subprocess.run([*command, "--", str(path)], capture_output=True, text=True, check=False)
    wanted = path.resolve()
    for line in (done.stdout + done.stderr).splitlines():
        text = line.strip().removeprefix("Shell command: ")
        try:
            for call in parse_shell(text, STAGES):
                if any(wanted == made.resolve() or made.resolve() in wanted.parents for made in call.outputs.values()):
                    return call.recipe(STAGES[call.stage])
        except TeachableError as error:
            print(f"(the workflow's recipe is unknown: {error})", file=sys.stderr)
            return None
    print(
        "(the workflow does not say how it would make this file; parameters are not compared)",
        file=sys.stderr,
    )
    return None


def _verify(arguments: argparse.Namespace) -> int:
    found = maintenance.verify(_store(arguments))
    print(f"{found.objects} objects ({_bytes(found.size)}) and {found.records} records read")
    for label, items in (
        ("damaged object", found.corrupt),
        ("record without its objects", found.incomplete),
        ("unreadable record", found.unreadable),
    ):
        for item in items:
            print(f"  {label}: {item}")
    print("all sound" if found else "what is listed is in quarantine and will be computed again when needed")
    _print_unknown(found.unknown, "not verified, and left where it is")
    return 0 if found else 1


def _collect(arguments: argparse.Namespace) -> int:
    if arguments.keep_days is None and not arguments.keep:
        raise StoreError("say what to keep: --keep-days N, --keep DIR ..., or both (nothing was removed)")
    _all_there("--keep", arguments.keep, "nothing was removed")
    found = maintenance.collect(
        _store(arguments),
        newer_than_days=arguments.keep_days,
        results=arguments.keep,
        dry_run=arguments.dry_run,
    )
    verb = "would remove" if arguments.dry_run else "removed"
    size = _bytes(found.size)
    print(f"{verb} {found.records} records and {found.objects} objects ({size}), kept {found.kept} records")
    if found.refused:
        print(f"  {found.refused} files belong to others and stay")
    _print_unknown(found.unknown, "cannot be read, so no object was removed: any may be its own")
    return 0


def _print_unknown(items: Sequence[str], consequence: str) -> None:
    for item in items:
        print(f"  {consequence}: {item}", file=sys.stderr)


def _export(arguments: argparse.Namespace) -> int:
    store, stages = _store(arguments), set(arguments.stage)
    _all_there("--results", arguments.results, "nothing was exported")
    needed = maintenance.needed(store, arguments.results) if arguments.results else None

    def keep(record: Record) -> bool:
        return (not stages or record.recipe.stage in stages) and (needed is None or record.key in needed)

    done = archive.export(store, arguments.archive, keep)
    return _report(done, "exported to", arguments.archive)


def _import(arguments: argparse.Namespace) -> int:
    return _report(
        archive.import_archive(_store(arguments, create=True), arguments.archive),
        "imported from",
        arguments.archive,
    )


def _all_there(option: str, directories: Sequence[Path], consequence: str) -> None:
    for path in directories:
        if not path.is_dir():
            raise StoreError(f"{option} {path}: no such directory ({consequence})")


def _report(done: archive.Transfer, verb: str, path: Path) -> int:
    print(f"{done.records} records and {done.objects} objects ({_bytes(done.size)}) {verb} {path}")
    for problem in done.problems:
        print(f"  left out: {problem}", file=sys.stderr)
    return 1 if done.problems else 0


def _bytes(count: Any) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
