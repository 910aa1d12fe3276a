"""``teachable export``: results in the forms that other tools read."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from teachable.artifacts.catalogue import RESULTS

if TYPE_CHECKING:
    from teachable.export import Found

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_OPTIONS = {"run": "--run", "family": "--family", "train_seed": "--train-seed", "base": "--base"}


def add_export_parser(commands: Subparsers) -> None:
    """Register ``export``; it is ``arguments.run(arguments) -> int``."""
    from teachable.export import KINDS

    kinds = "\n".join(f"  {name:10s}{about['about']}" for name, about in KINDS.items())
    parser = commands.add_parser(
        "export",
        help="write results in the forms that other tools read: TRL, Hugging Face, PEFT, Inspect",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Write results in a form that other tools read. The folder is whole or not there. docs/export.md.",
        epilog=f"kinds:\n{kinds}",
    )
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("results", nargs="?", type=Path, default=Path(RESULTS), help="default: %(default)s")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DEST", help="a new or empty folder")
    parser.add_argument("--force", action="store_true", help="replace DEST, with all that is in it")
    parser.add_argument("--run", dest="only_run", action="append", metavar="RUN", help="sft, adapter: this run only")
    parser.add_argument("--family", action="append", metavar="NAME", help="atif, inspect: this family of games only")
    parser.add_argument("--train-seed", type=int, metavar="N", help="adapter: which training (default: the first)")
    parser.add_argument("--base", metavar="NAME", help="adapter: the base model to record, a hub name or a path")
    parser.set_defaults(run=_export)


def _export(arguments: argparse.Namespace) -> int:
    """Raises ExportError for what cannot be asked, and what the kind raises."""
    from teachable.export import KINDS, ExportError, Found, export
    from teachable.student.files import new_directory

    kind: str = arguments.kind
    if kind not in KINDS:
        nearest = difflib.get_close_matches(kind, KINDS, n=1)
        meant = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise ExportError(f"no kind of export is called {kind!r}; {meant}There are {', '.join(KINDS)}.")
    asked = {
        "run": arguments.only_run,
        "family": arguments.family,
        "train_seed": arguments.train_seed,
        "base": arguments.base,
    }
    options = {name: value for name, value in asked.items() if value is not None}
    for name in options:
        if name not in KINDS[kind]["options"]:
            takes = [_OPTIONS[one] for one in KINDS[kind]["options"]]
            raise ExportError(f"export {kind} takes no {_OPTIONS[name]}; it takes {', '.join(takes) or 'no option'}.")
    found = Found(arguments.results)
    _check_free(arguments.out, found, force=arguments.force)
    try:
        with new_directory(arguments.out) as draft:
            said = export(kind, found, draft, **options)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise ExportError(f"{arguments.out} cannot be written: {error.strerror or error}{where}.") from error
    print(f"export: {said}", file=sys.stderr)
    print(arguments.out)
    return 0


def _check_free(out: Path, found: Found, *, force: bool) -> None:
    from teachable.export import ExportError

    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ExportError(f"{out} is no folder: name a new or empty one.")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not force:
        raise ExportError(f"{out} is not empty: name a new or empty folder, or replace it with --force.")
    whole = out.resolve()
    for kept in (found.root.resolve(), Path.cwd(), Path.home()):
        if whole == kept or whole in kept.parents:
            raise ExportError(f"{out} holds {kept}, which --force would remove: name another folder.")
    if (whole / ".git").exists():
        raise ExportError(f"{out} is a repository, which --force would remove: name another folder.")
